"""Arguments from a command line: of an environment, and those that the fields of a class are."""

import ast
import inspect
import json
import textwrap
from collections.abc import Collection, Sequence
from typing import Any

from zoomgym.io.messages import did_you_mean

__all__ = ["first_paragraph", "help_of_fields", "read_arguments"]

MAX_SHOWN = 200
"""Characters of a text that is refused."""


def read_arguments(texts: Sequence[str], names: Collection[str] | None = None) -> dict[str, Any]:
    """Returns the arguments that texts give; a later one replaces an earlier one.

    Args:
        texts: each is a JSON object, `{"max_turns": 3}`, or a pair, `max_turns=3`, whose value is
            JSON or else a text.
        names: of the arguments there are; None takes any.

    Raises:
        ValueError: a text is neither, or names another argument.
    """
    read: dict[str, Any] = {}
    for text in texts:
        given = _read_object(text) if text.lstrip()[:1] in ("{", "[") else _read_pair(text)
        unknown = set() if given is None or names is None else given.keys() - {*names}
        if given is None or unknown:
            of_names = "" if names is None else f" of {', '.join(names)}"
            meant = did_you_mean(min(unknown), names or ()) if unknown else ""
            raise ValueError(f"needs an object{of_names}, got {text[:MAX_SHOWN]!r}{meant}")
        read |= given
    return read


def _read_object(text: str) -> dict[str, Any] | None:
    """Returns the JSON object that text is; None if it is another value. Raises ValueError."""
    try:
        given = json.loads(text)
    except (ValueError, RecursionError) as error:
        shown = f"{text[:MAX_SHOWN]!r} ({error})"
        raise ValueError(f"needs JSON like {{}}, got {shown}") from error
    return given if isinstance(given, dict) else None


def _read_pair(text: str) -> dict[str, Any]:
    """Returns the argument in NAME=VALUE. Raises ValueError."""
    name, sign, value = text.partition("=")
    if not sign:
        raise ValueError(f"{text[:MAX_SHOWN]!r} needs the form NAME=VALUE")
    try:
        return {name: json.loads(value)}
    except (ValueError, RecursionError):
        return {name: value}


def help_of_fields(kind: type) -> dict[str, str]:
    """Returns what the class says of each of its fields, in the string under it; for --help."""
    [tree] = ast.parse(textwrap.dedent(inspect.getsource(kind))).body
    assert isinstance(tree, ast.ClassDef)
    told: dict[str, str] = {}
    for field, after in zip(tree.body, tree.body[1:], strict=False):
        match field, after:
            case (
                ast.AnnAssign(target=ast.Name(id=name)),
                ast.Expr(value=ast.Constant(value=str(text))),
            ):
                told[name] = " ".join(text.split()).replace("%", "%%")
    return told


def first_paragraph(doc: str | None) -> str:
    """Returns the first paragraph of a docstring, for --help; the rest is about the code."""
    return " ".join((doc or "").partition("\n\n")[0].split())
