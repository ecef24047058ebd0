"""Imports what a user names: `module:attribute`."""

import importlib
from collections.abc import Callable
from typing import Any

from zoomgym.io.hints import did_you_mean


def import_named(
    kind: str,
    name: str,
    target: str,
    example: str,
    why_missing: Callable[[ImportError], str | None] = lambda error: None,
) -> Any:
    """Returns what target, `module:attribute`, names.

    Args:
        kind: what it is, for errors, such as `agent`.
        name: as the user wrote it, for errors.
        target: what to import.
        example: attribute of an example, for errors.
        why_missing: returns what to do about a module that is not installed, if it knows.

    Raises:
        ValueError: there is nothing of that name.
    """
    module, _, attribute = target.partition(":")
    if not all(part.isidentifier() for part in [*module.split("."), attribute]):
        dotted = module.removesuffix(".py").strip("./").replace("/", ".")
        written = f"{dotted or 'my_module'}:{attribute or example}"
        role = "Class" if example[:1].isupper() else "function"
        raise ValueError(f"{kind} needs module:{role}, like {written}, got {name!r}")
    try:
        found = importlib.import_module(module)
    except ImportError as error:
        told = _absent(module, error) or why_missing(error)
        told = told or f"needed to be importable, got: {error}"
        raise ValueError(f"{kind} {name!r}: {told}") from error
    if not hasattr(found, attribute):
        hint = did_you_mean(attribute, vars(found))
        raise ValueError(f"{kind} {name!r}: {module} has no {attribute}{hint}")
    return getattr(found, attribute)


def _absent(module: str, error: ImportError) -> str | None:
    """Returns what to do if module itself, or a package that holds it, is not there."""
    if not error.name or not f"{module}.".startswith(f"{error.name}."):
        return None
    return (
        f"needed a module {error.name}, got none: start in the folder that holds "
        f"{module.replace('.', '/')}.py, or name that folder in PYTHONPATH"
    )
