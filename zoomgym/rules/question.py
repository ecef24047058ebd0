"""A task: a question about a video, and its right answer."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain

from zoomgym.errors import TaskError
from zoomgym.grading import STRICT, Grader, Segment, is_correct, letter, read_choice, verdict
from zoomgym.io import UNPRINTABLE, brief

MAX_OPTIONS = 26


def with_options(question: str, options: Sequence[str]) -> str:
    """Returns a question and its lettered options, one a line."""
    lettered = (f"{letter(index)}. {option}" for index, option in enumerate(options))
    return "\n".join([question, *lettered])


@dataclass(frozen=True, slots=True)
class VideoQuestion:
    """A question about a video. Raises TaskError if a field is invalid."""

    id: str
    video: str
    """Names the video within its task set: a path, or a scene's name."""
    question: str
    answer: str
    """Letter or text of the right option; without options, the answer itself.

    A segment of the video is written as JSON, in seconds: `[12.5, 15.0]`."""
    options: tuple[str, ...] = ()
    """The choices A, B, .. in order; none for an open-ended question."""
    evidence: tuple[Segment, ...] = ()
    """The segments that hold the answer, as far as they are known."""
    category: str = ""
    """Group of results that the task counts in."""
    labels: tuple[tuple[str, str], ...] = ()
    """Further (kind, value) pairs to group by, like ("duration", "long"); a kind may recur."""

    def __post_init__(self) -> None:
        """Refuses invalid fields."""
        for name in ("id", "video", "question", "answer"):
            if not getattr(self, name).strip():
                raise TaskError(f"{name} needs a text, got {brief(getattr(self, name))}")
        for name, text in (("id", self.id), ("category", self.category)):
            if UNPRINTABLE.search(text):
                raise TaskError(f"{name} needs a text on one line, got {brief(text)}")
        if self.options:
            self._check_options()
        for start_s, end_s in self.evidence:
            if not (math.isfinite(end_s) and 0 <= start_s < end_s):
                raise TaskError(
                    f"evidence needs 0 <= start < end in seconds, got [{start_s}, {end_s}]"
                )
        given, texts = [list(label) for label in self.labels], [*chain(*self.labels)]
        if not all(map(str.strip, texts)):
            raise TaskError(f"labels need texts, got {brief(given)}")
        if any(map(UNPRINTABLE.search, texts)):
            raise TaskError(f"labels need texts on one line, got {brief(given)}")

    def _check_options(self) -> None:
        """Refuses options that cannot be told apart, and an answer that is not one of them."""
        if not 2 <= len(self.options) <= MAX_OPTIONS:
            raise TaskError(f"options need 2 to {MAX_OPTIONS} choices, got {len(self.options)}")
        if not all(option.strip() for option in self.options):
            raise TaskError(f"options need texts, got {brief(list(self.options))}")
        if len(set(self.options)) < len(self.options):
            raise TaskError(f"options need distinct texts, got {brief(list(self.options))}")
        index = read_choice(self.answer, self.options)
        if index is None:
            options, answer = brief(list(self.options)), brief(self.answer)
            raise TaskError(f"answer needs to be a letter or one of {options}, got {answer}")
        if self.answer in self.options and self.options.index(self.answer) != index:
            raise TaskError(
                f"answer {brief(self.answer)} reads as option {letter(index)}, but is the text of "
                f"another one: give the letter"
            )

    @property
    def asked(self) -> str:
        """The question and its lettered options, one a line."""
        return with_options(self.question, self.options)

    @property
    def truth(self) -> str:
        """The right answer as it is shown to people: the letter of an option, or the text."""
        index = read_choice(self.answer, self.options) if self.options else None
        return self.answer if index is None else letter(index)

    def grade(self, text: str, grader: Grader = STRICT) -> bool:
        """Returns whether text, which is untrusted, is the right answer; see `verdict`.

        The grader decides about open-ended questions; choices are always read strictly.
        """
        if self.options:
            read = partial(is_correct, text, self.answer, self.options)
            return verdict(read, STRICT.name)
        read = partial(grader.is_right, self.question, self.answer, text)
        return verdict(read, grader.name)
