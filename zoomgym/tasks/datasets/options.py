"""Options as benchmarks write them: with letters, inside the question, repeated, or blank."""

import re
from collections.abc import Sequence

from zoomgym.errors import TaskError
from zoomgym.grading import letter, read_choice
from zoomgym.io import brief

LETTERED = re.compile(r"\s*[(\[]?([A-Z])[)\].:]\s*(.*)", re.DOTALL)
ANY_CASE = re.compile(LETTERED.pattern.replace("A-Z", "A-Za-z"), re.DOTALL)
HEADING = re.compile(r"(?:options|choices)(?:\s*:)?\s*\Z", re.IGNORECASE)
INSTRUCTION = re.compile(
    r"\s*(?:(?:please\s+|only\s+)*"
    r"(?:answer|choose|give|output|pick|provide|reply|respond|return|select)\b"
    r".*\b(?:answer|choice|letter|option)s?\b.*"
    r"|(?:(?:the|your)\s+)?(?:(?:best|correct)\s+)?answer(?:\s+is)?\s*:)\s*",
    re.IGNORECASE,
)
"""Matches a line that tells how to answer, as many prompts have below the options."""
ABBREVIATION = re.compile(r"\s*[A-Za-z]\.[A-Za-z]\.")
"""Matches `A.D.`, which is not the option `D.` under A where others are `B.C.` and the like."""
ANSWER_TAG = re.compile(r"\s*<answer>(.*)</answer>\s*", re.DOTALL)
MAX_LETTERS = 26
BLANK = "(blank)"


def split_options(text: str) -> tuple[str, tuple[str, ...]]:
    """Returns the question in a text, and the options on lettered lines at its end, if any.

    Options come back in the order of their letters, see `tell_apart`. A line without a letter
    continues the option above it; after a blank line, or if it tells how to answer, it belongs to
    the question.
    """
    lines = [line.removesuffix("\r") for line in text.split("\n")]
    found = [(i, m[1], m[2]) for i, line in enumerate(lines) if (m := LETTERED.fullmatch(line))]
    found = found[-MAX_LETTERS:]
    for first in range(len(found) - 1):
        letters = [name for _, name, _ in found[first:]]
        if sorted(letters) == [letter(i) for i in range(len(letters))]:
            break
    else:
        return text.strip(), ()
    starts = [i for i, _, _ in found[first:]]
    starts_of_next = [*starts[1:], len(lines)]
    options, rest = {}, ""
    for (start, name, body), end in zip(found[first:], starts_of_next, strict=True):
        more = lines[start + 1 : end]
        ends = (i for i, line in enumerate(more) if not line or INSTRUCTION.fullmatch(line))
        num_lines = next(ends, len(more))
        options[name] = "\n".join([body, *more[:num_lines]]).strip()
        rest = "\n".join(more[num_lines:]).strip()  # the last option's counts
    question = HEADING.sub("", "\n".join(lines[: starts[0]])).strip()
    return f"{question}\n{rest}".strip(), tell_apart([options[name] for name in sorted(options)])


def letter_options(options: Sequence[str]) -> tuple[str, ...]:
    """Returns options without their letters, in the order of those; see `tell_apart`."""
    pairs = _letters_and_bodies(options)
    return tell_apart([body for _, body in sorted(pairs)] if pairs else options)


def without_letters(options: Sequence[str], answer: str) -> tuple[tuple[str, ...], str]:
    """Returns options, in the order of their letters, and their answer, without letters.

    Both stay as they are unless every option has its own letter and a text of its own.
    """
    pairs = _letters_and_bodies(options)
    plain = tuple(body for _, body in sorted(pairs))
    if not all(plain) or len(set(plain)) < len(options):
        return tuple(options), answer
    if answer in options:
        name, _ = pairs[options.index(answer)]
    elif answer in plain and answer.upper() in dict(pairs):  # options are letters themselves
        name = answer.upper()
    else:
        return plain, answer
    return plain, answer_at(ord(name) - ord("A"), plain)


def _letters_and_bodies(options: Sequence[str]) -> list[tuple[str, str]]:
    """Returns each option's letter and the rest of it; nothing if not all have their own."""
    if all(map(ABBREVIATION.match, options)):
        return []
    matches = [ANY_CASE.fullmatch(option) for option in options[:MAX_LETTERS]]
    pairs = [(match[1].upper(), match[2].strip()) for match in matches if match]
    letters = [letter(i) for i in range(len(options))]
    return pairs if sorted(name for name, _ in pairs) == letters else []


def tell_apart(options: Sequence[str]) -> tuple[str, ...]:
    """Returns options that differ: a repeated one is followed by its letter, a blank one named.

    Some benchmarks repeat an option or leave one blank; the letters of the others must not change.
    Raises TaskError if there are more options than letters.
    """
    if len(options) > MAX_LETTERS:
        raise TaskError(f"options need 2 to {MAX_LETTERS} choices, got {len(options)}")
    told: list[str] = []
    for index, option in enumerate(options):
        text = option.strip() or BLANK
        while text in told:
            text = f"{text} ({letter(index)})"
        told.append(text)
    return tuple(told)


def read_answer(text: str, options: Sequence[str]) -> str:
    """Returns the letter of the option that text names. Raises TaskError if it names none."""
    tagged = ANSWER_TAG.fullmatch(text)
    index = read_choice(tagged[1] if tagged else text, options)
    if index is None:
        raise TaskError(
            f"answer needs to be a letter or one of {brief(list(options))}, got {brief(text)}"
        )
    return answer_at(index, options)


def answer_at(index: int, options: Sequence[str]) -> str:
    """Returns the answer that means the option at index. Raises TaskError if there is none.

    It is a letter, in brackets where the bare letter is the text of another option.
    """
    if not 0 <= index < len(options):
        raise TaskError(f"answer needs an index of {len(options)} options, got {index}")
    name = letter(index)
    return name if name not in options or options[index] == name else f"({name})"
