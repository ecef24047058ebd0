r"""Grades answers strictly: they are read from their start, and nothing is guessed.

Choices. One regular expression, `CHOICE`, reads a letter: `B`, `b`, `B.`, `(B)`, `B)`, `Option B`,
`\boxed{B}`, each alone or followed by that option's own text (`B: green`, `B. green`, `(B) green`).
Exactly one option's own text counts too. Everything else is wrong: prose around a letter, a letter
followed by another option's text, two letters.

Open-ended. A number is right within `NUMBER_TOLERANCE` of a true answer that is a number; any other
text is right if it equals the true answer after normalizing case, width, white space and the
punctuation around it. That is what `STRICT` does; another `Grader` may decide instead.
"""

import logging
import math
import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from zoomgym.errors import GradingError

CHOICE = re.compile(
    r"(?:option\s+)?"
    r"(?:\\boxed\{(?P<boxed>[a-z])\}|\((?P<round>[a-z])\)|(?P<bare>[a-z]))(?P<mark>[.:)]?)"
    r"(?:\s*(?P<text>\S.*))?",
    re.ASCII | re.IGNORECASE | re.DOTALL,
)
NUMBER = re.compile(
    r"[+-]?(?:(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?|\.\d+)(?:e[+-]?\d{1,3})?",
    re.ASCII | re.IGNORECASE,
)
BARE_POINT = re.compile(r"(?<![\w.])\.(?=[0-9])")
POWER = re.compile(r"(?<=[0-9])(?=[⁰¹²³⁴⁵⁶⁷⁸⁹⁻])")
NUMBER_TOLERANCE = 1e-6
"""Relative, and absolute below 1."""
MAX_ANSWER_CHARS = 4096
"""A longer answer is wrong unread: no option and no short answer is that long."""

logger = logging.getLogger(__name__)


def letter(index: int) -> str:
    """Returns the letter of the option at index: 0 is A."""
    return chr(ord("A") + index)


def normalize(text: str) -> str:
    """Returns text without differences that carry no meaning: case, width, blanks, edges."""
    text = POWER.sub("^", text)  # which width would turn into another number: 10² is not 102
    text = BARE_POINT.sub("0.", text)  # which is no full stop at the edge: .5 m is not 5 m
    folded = " ".join(unicodedata.normalize("NFKC", text).casefold().split())
    return folded.strip(" .,;:!?\"'`") or folded


def read_choice(text: str, options: Sequence[str]) -> int | None:
    """Returns the index of the option that text names, or None if it names none clearly."""
    text = text.strip()
    if len(text) > MAX_ANSWER_CHARS:
        return None
    if match := CHOICE.fullmatch(text):
        index = _named_index(match, options)
        if index is not None:
            return index
    if text in options:
        return options.index(text)
    named = [i for i, option in enumerate(options) if normalize(option) == normalize(text)]
    return named[0] if len(named) == 1 else None


def _named_index(match: re.Match[str], options: Sequence[str]) -> int | None:
    """Returns the index of the letter in match if it exists and what follows is its own text."""
    mark = match["boxed"] or match["round"] or match["bare"]
    index = ord(mark.upper()) - ord("A")
    if index >= len(options):
        return None
    if match["text"] is None:
        return index
    is_marked = bool(match["mark"] or match["boxed"] or match["round"])  # "A man" is no letter
    return index if is_marked and normalize(match["text"]) == normalize(options[index]) else None


def is_correct(text: str, truth: str, options: Sequence[str] = ()) -> bool:
    """Returns whether text, which is untrusted, is the right answer.

    With options, in order A, B, .., truth is the letter or the text of the right one.
    """
    if options:
        choice = read_choice(text, options)
        return choice is not None and choice == read_choice(truth, options)
    if len(text) > MAX_ANSWER_CHARS:
        return False
    given, wanted = read_number(text), read_number(truth)
    if given is not None and wanted is not None:
        return math.isclose(given, wanted, rel_tol=NUMBER_TOLERANCE, abs_tol=NUMBER_TOLERANCE)
    return bool(text.strip()) and normalize(text) == normalize(truth)


def read_number(text: str) -> float | None:
    """Returns the finite number that text is, as a whole, or None."""
    text = text.strip().rstrip(".")
    if not NUMBER.fullmatch(text):
        return None
    number = float(text.replace(",", ""))
    return number if math.isfinite(number) else None


def verdict(read: Callable[[], bool], reader: str) -> bool:
    """Returns what read says of an answer; an answer that breaks its reader is wrong.

    Otherwise an agent could send what breaks a reader, and never be wrong. The log names reader.
    GradingError and OSError are raised: the reader cannot tell now, whatever the answer says.
    """
    try:
        return read()
    except (GradingError, OSError):
        raise
    except Exception as error:  # noqa: BLE001 - hostile text may raise anything
        logger.warning("%s: an answer broke its reader: %s", reader, type(error).__name__)
        return False


class Grader(Protocol):
    """Decides whether the answer to an open-ended question is right.

    Choices are never asked about: they are always read strictly.
    """

    @property
    def name(self) -> str:
        """Name in records: `strict`, `math`, `judge:MODEL`."""

    def is_right(self, question: str, truth: str, text: str) -> bool:
        """Returns whether text, which is untrusted, answers question as truth does.

        Raises:
            GradingError: that cannot be told now. It is never guessed.
            OSError: likewise. Any other exception is the answer's fault, which is then wrong.
        """


@dataclass(frozen=True, slots=True)
class Strict:
    """The grader that needs nothing: a normalized match, or a number within the tolerance."""

    name: str = "strict"

    def is_right(self, question: str, truth: str, text: str) -> bool:
        """Returns whether text matches truth."""
        return is_correct(text, truth)


@dataclass(frozen=True, slots=True)
class Given:
    """Repeats a verdict that is known already, as when a record is replayed."""

    name: str
    verdict: bool

    def is_right(self, question: str, truth: str, text: str) -> bool:
        """Returns the verdict."""
        return self.verdict


STRICT: Grader = Strict()
UNGRADED: Grader = Given("ungraded", verdict=False)
"""Marks an answer that nobody could grade: a gap in reports, counted neither right nor wrong."""
