"""Makes text from strangers safe to show, with one function for each place.

- `plain`: for people, whole. What is not printable is spelled out.
- `on_one_line`: the same, short and on one line.
- `brief`: any value, as an error quotes it.
- `transliterated`: in a fixed set of characters, as fonts and Gymnasium's spaces have it.
- `encodable`: for models and files, unchanged but for what UTF-8 cannot hold.
- `UNPRINTABLE`: what no name may hold; names that hold it are refused where they are read.
"""

import re
import reprlib
import unicodedata
from collections.abc import Collection, Mapping

MAX_SHOWN_CHARS = 600
UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
"""Matches characters that break a line of a table, steer a terminal or have no bytes."""

_short = reprlib.Repr()
_short.maxstring = _short.maxother = 80
_short.maxlist = _short.maxtuple = _short.maxdict = _short.maxset = 30


def plain(text: str) -> str:
    """Returns text with everything that is not printable spelled out, so no terminal obeys it."""
    return "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in text)


def on_one_line(text: str, most_chars: int) -> str:
    """Returns the start of a text as one plain line; `..` ends what is cut."""
    cut = " ".join(text[: most_chars + 1].split())
    return plain(cut if len(text) <= most_chars else cut[: most_chars - 2] + "..")


def brief(value: object) -> str:
    """Returns any value as an error quotes it, in short."""
    try:
        text = _short.repr(value)
    except ValueError:  # Python writes no whole number of more than 4,300 digits
        return "a number of thousands of digits"
    half = MAX_SHOWN_CHARS // 2
    return text if len(text) <= MAX_SHOWN_CHARS else f"{text[:half]} ... {text[-half:]}"


def transliterated(text: str, characters: Collection[str], similar: Mapping[int, int]) -> str:
    """Returns text in the given characters: accents are stripped, and others become `?`.

    `similar` maps characters to their replacement, as for `str.translate`.
    """
    folded = unicodedata.normalize("NFKD", text.translate(similar))
    return "".join(
        char if char in characters else "?" for char in folded if not unicodedata.combining(char)
    )


def encodable(text: str) -> str:
    """Returns text with `?` for lone surrogates, which UTF-8 cannot hold."""
    return text.encode("utf-8", "replace").decode("utf-8")


def number_of(count: int, noun: str) -> str:
    """Returns a number and what it counts: `1 task`, `3 tasks`."""
    return f"{count} {noun}{'s' * (count != 1)}"
