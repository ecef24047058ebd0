"""Arguments from a command line: those of an environment, and the fields of a dataclass."""

import argparse
import ast
import inspect
import json
import textwrap
from argparse import SUPPRESS
from collections.abc import Collection, Sequence
from dataclasses import MISSING, fields
from typing import Any, get_args, get_origin, get_type_hints

from zoomgym.io import did_you_mean

MAX_SHOWN = 200
"""Most characters of a refused text that are shown."""


def read_arguments(texts: Sequence[str], names: Collection[str] | None = None) -> dict[str, Any]:
    """Returns the arguments that texts give; a later one replaces an earlier one.

    Each text is a JSON object, `{"max_turns": 3}`, or a pair, `max_turns=3`, whose value is JSON or
    else a text. Raises ValueError if it is neither, or if names lack an argument; None allows any.
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
    """Returns the JSON object in text; None for any other value. Raises ValueError."""
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
    return {name: read_value(value)}


def read_value(text: str) -> Any:
    """Returns the value that a text is in JSON, or else the text itself."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def add_fields(parser: argparse.ArgumentParser, kind: type, left_out: Collection[str] = ()) -> None:
    """Adds an option for each field of a dataclass: `learning_rate` is `--learning-rate`.

    The string under a field is its help, and its metadata are further arguments of `add_argument`.
    A field without a default is required.
    """
    types, told = get_type_hints(kind), help_of_fields(kind)
    for field in fields(kind):
        if field.name in left_out:
            continue
        made = field.default_factory
        default = field.default if made is MISSING else made()
        shown = "" if default is MISSING else f" [{default}]"
        parser.add_argument(
            f"--{field.name.replace('_', '-')}",
            dest=field.name,
            required=default is MISSING,
            default=SUPPRESS,
            help=told[field.name] + shown,
            **_reading(types[field.name]) | field.metadata,
        )


def fields_given(
    args: argparse.Namespace, kind: type, left_out: Collection[str] = ()
) -> dict[str, Any]:
    """Returns the fields of a dataclass that a command line gives."""
    names = {field.name for field in fields(kind)} - {*left_out}
    return {name: value for name, value in vars(args).items() if name in names}


def _reading(kind: Any) -> dict[str, Any]:
    """Returns how argparse reads a value of a type."""
    if kind is bool:
        return {"action": argparse.BooleanOptionalAction}
    if get_origin(kind) is tuple:
        return {"type": get_args(kind)[0], "nargs": "+"}
    return {"type": kind, "metavar": "N" if kind in (int, float) else None}


def help_of_fields(kind: type) -> dict[str, str]:
    """Returns the string under each field of a class, its own or inherited."""
    told: dict[str, str] = {}
    for one in reversed(kind.__mro__[:-1]):
        [tree] = ast.parse(textwrap.dedent(inspect.getsource(one))).body
        assert isinstance(tree, ast.ClassDef)
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
