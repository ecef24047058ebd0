"""Settings of a training run: from the command line, and beside the model that comes of it."""

import argparse
import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from agents.arguments import help_of_fields
from agents.qwen.environment import read_arguments
from agents.qwen.training.checkpoints import last_checkpoint
from zoomgym.io.commands import Parser

__all__ = ["FILE", "keep_settings", "read_settings"]

FILE = "settings.json"

Settings = TypeVar("Settings")


def read_settings(
    parser: Parser, kind: type[Settings], argv: Sequence[str] | None
) -> tuple[Settings, argparse.Namespace]:
    """Parses a command line into settings; what else parser knows is returned beside them.

    Every field is an option: `learning_rate` is `--learning-rate`. A mapping holds arguments of
    ZoomEnv, and is given as JSON.
    Settings that cannot be meant end the program with what their class says.

    Args:
        parser: may have options of its own.
        kind: a dataclass; a field without a default is required.
        argv: None takes the program's own.
    """
    types = get_type_hints(kind)
    fields = dataclasses.fields(kind)  # type: ignore[arg-type]
    told = help_of_fields(kind)
    for field in fields:
        flag = f"--{field.name.replace('_', '-')}"
        default = _default(field)
        given: dict[str, Any] = {"dest": field.name, "help": told.get(field.name, "")}
        if default is dataclasses.MISSING:
            given["required"] = True
        else:
            given["default"] = default
            given["help"] += f" [{default}]"
        parser.add_argument(flag, **given, **_reading(types[field.name]))
    args = parser.parse_args(argv)
    try:
        settings = kind(**{field.name: getattr(args, field.name) for field in fields})
    except ValueError as error:
        parser.error(str(error))
    return settings, args


def keep_settings(
    folder: Path, settings: Any, *, resume: bool, stages: Sequence[Path] = ()
) -> None:
    """Writes settings into a folder, or checks that they are those of the run to resume.

    Args:
        folder: of the run.
        settings: of the run.
        resume: whether it was begun before.
        stages: further folders that hold checkpoints of the run.

    Raises:
        ValueError: the folder holds a run that is not to be resumed, one of other settings, or none
            to resume. Nothing was written then.
    """
    path = folder / FILE
    given = json.loads(json.dumps(dataclasses.asdict(settings), default=str))
    if not resume:
        for place in (*stages, folder):
            if last_checkpoint(place):
                raise ValueError(
                    f"{place}: needed a new folder, got one with checkpoints: resume that run, or "
                    "choose another folder"
                )
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(given, indent=1) + "\n", encoding="utf-8")
        return
    if not path.exists():
        raise ValueError(f"{path}: needed a run to resume, got none: start it without resume")
    kept = json.loads(path.read_text(encoding="utf-8"))
    for name in given | kept:
        if given.get(name) != kept.get(name):
            raise ValueError(
                f"{path}: needed the settings of the run to resume, {name}={kept.get(name)!r}, "
                f"got {given.get(name)!r}"
            )


def _default(field: Any) -> Any:
    """Returns the default of a dataclass field, or MISSING."""
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return field.default


def _reading(kind: Any) -> dict[str, Any]:
    """Returns how argparse reads a value of a type."""
    if kind is bool:
        return {"action": argparse.BooleanOptionalAction}
    if get_origin(kind) is tuple:
        return {"type": get_args(kind)[0], "nargs": "+"}
    return {"type": read_arguments if get_origin(kind) is Mapping else kind}
