"""Checks of an environment's arguments, and of the options of a reset."""

from collections.abc import Callable, Collection, Iterable, Mapping
from functools import wraps
from pathlib import Path
from typing import Any, NamedTuple, ParamSpec

from zoomgym.envs.finders import Answers
from zoomgym.errors import TaskError
from zoomgym.io import brief, is_number_within, is_whole_number, plain_number
from zoomgym.rules import Overview, Rules, filled_in
from zoomgym.tasks import TaskSet
from zoomgym.video import ON_DAMAGE

MOST_PIXELS = 10**12
"""More than any picture has; beyond it, arithmetic with pixels would not be exact."""
MOST_SCANNED = 10**12
DEFAULT_PIXELS = 100_352
DEFAULT_HORIZON_S = 10.0
MAX_SKIPS = 100
ON_VIDEO_ERROR = ("raise", "skip")
RENDER_MODES = (None, "human", "rgb_array", "ansi")


Given = ParamSpec("Given")


class Asked(NamedTuple):
    """What the options of a reset ask for."""

    task_id: str | None = None
    overview: Overview | None = None
    found: Answers | None = None


def with_preset(make: Callable[Given, None]) -> Callable[Given, None]:
    """Returns a constructor whose argument `preset` fills in what was not given beside it."""

    @wraps(make)
    def make_preset(*args: Given.args, **given: Given.kwargs) -> None:
        make(*args, **filled_in(given))

    return make_preset


def make_rules(
    grammar: str,
    num_overview: object,
    counts: Iterable[object],
    name: str,
    tools: object,
    finder: str,
    preset: str = "",
) -> Rules:
    """Returns the rules that numbers give, from Python, JSON or NumPy. Raises ValueError.

    Args:
        grammar: of replies.
        num_overview: one number or several.
        counts: the other numbers, in their order.
        name: of what picks the overview.
        tools: names of those that are offered.
        finder: name of what searches.
        preset: that lays messages out.
    """
    if isinstance(tools, Iterable) and not isinstance(tools, str | bytes):
        tools = tuple(tools)
    if isinstance(num_overview, Iterable) and not isinstance(num_overview, str | bytes):
        num_overview = tuple(map(plain_number, num_overview))
    frames_per_zoom, frame_budget, max_turns = map(plain_number, counts)
    return Rules(
        grammar,
        plain_number(num_overview),
        frames_per_zoom,
        frame_budget,
        max_turns,
        name,
        tools,  # type: ignore[arg-type]  # which it checks
        finder,
        preset,
    )


def check_choices(
    cache_dir: object, on_video_error: object, on_damage: object, subtitles: object, mode: object
) -> None:
    """Refuses arguments that are not among what is known, or of another kind. Raises ValueError."""
    check_kind("cache_dir", cache_dir, str | Path | None, "a path or None")
    check_choice("on_video_error", on_video_error, ON_VIDEO_ERROR)
    check_choice("on_damage", on_damage, ON_DAMAGE)
    check_kind("subtitles", subtitles, bool, "True or False")
    check_choice("render_mode", mode, RENDER_MODES)


def checked_tasks(tasks: object) -> str | TaskSet:
    """Returns a task set, or the name or path of one as a text. Raises TaskError."""
    if isinstance(tasks, str | Path):
        return str(tasks)
    if not hasattr(tasks, "open_video"):
        raise TaskError(f"tasks needs a name, a path or a TaskSet, got {brief(tasks)}")
    return tasks  # type: ignore[return-value]


def checked_pixels(max_pixels: object) -> int:
    """Returns the bound of a frame, the default for None. Raises ValueError if it is none."""
    number = DEFAULT_PIXELS if max_pixels is None else plain_number(max_pixels)
    if not is_whole_number(number, 1, MOST_PIXELS):
        raise ValueError(
            f"max_pixels needs a whole number >= 1, got {brief(number)}: give at most {MOST_PIXELS}"
        )
    return int(number)


def checked_size(frame_size: object) -> tuple[int, int]:
    """Returns frame_size as a tuple (it may come from JSON). Raises ValueError if it is no size."""
    size = tuple(map(plain_number, frame_size)) if isinstance(frame_size, Iterable) else ()
    are_sides = len(size) == 2 and all(is_whole_number(side, 1, 4096) for side in size)
    if not are_sides and (size != (0, 0) or not all(type(side) is int for side in size)):
        raise ValueError(
            f"frame_size needs (H, W) from 1 to 4096 pixels, or (0, 0) for no frames, "
            f"got {brief(frame_size)}"
        )
    return size[0], size[1]


def check_choice(name: str, value: object, known: Collection[str | None]) -> None:
    """Refuses what is not among known. Raises ValueError."""
    if not isinstance(value, str | None) or value not in known:
        raise ValueError(f"{name} needs one of {known}, got {brief(value)}")


def check_kind(name: str, value: object, kind: Any, needed: str) -> None:
    """Refuses what is not of a kind, which `needed` says in words. Raises ValueError."""
    if not isinstance(value, kind):
        raise ValueError(f"{name} needs {needed}, got {brief(value)}")


def asked_in(options: dict[str, Any] | None) -> Asked:
    """Returns what the options of a reset ask for. Raises TaskError on any other option."""
    if options is None:
        return Asked()
    if not isinstance(options, dict) or options.keys() - set(Asked._fields):
        raise TaskError(f"reset options need to be {{'task_id': ..}} or None, got {options!r}")
    task_id, overview = options.get("task_id"), options.get("overview")
    if task_id is not None and not isinstance(task_id, str):
        raise TaskError(f"task_id needs to be a text, got {task_id!r}")
    found = options.get("found")
    if not isinstance(found, Mapping | None):
        raise TaskError(f"the reset option found needs answers by their call, got {brief(found)}")
    if overview is None:
        return Asked(task_id, None, found)
    try:
        times_s, frames_scanned = overview
        times_s = tuple(map(plain_number, times_s))
        are_numbers = all(is_number_within(time_s, 0, float("inf")) for time_s in times_s)
    except (TypeError, ValueError):
        are_numbers = False
    if not are_numbers or not is_whole_number(frames_scanned, 0, MOST_SCANNED):
        raise TaskError(
            "the reset option overview needs to be a pair of times in seconds and a number of "
            f"frames scanned, got {brief(overview)}"
        )
    return Asked(task_id, Overview(tuple(map(float, times_s)), frames_scanned), found)
