"""Checks records, which come from strangers: lines before they are read, values before their use.

One number in a short line can ask for any amount of work.
"""

import json
import re
from collections.abc import Mapping
from itertools import accumulate
from typing import Any

from zoomgym.envs import MAX_DURATION_S
from zoomgym.errors import RecordError
from zoomgym.io import UNPRINTABLE, brief, is_finite_number, load_json, plain
from zoomgym.rules import MOST_FOUND, MOST_TRANSCRIPT_CHARS, Rules, check_times, merge_weights

MOST_LINE_BYTES = 96 * 1024**2
"""Longest line: 100 turns of the longest replies, with every character escaped."""
MOST_VALUES = 100_000
"""Most values in a line: a hundred times what an episode has."""
MOST_DEPTH = 16
"""Deepest nesting of lists and objects. A record has five levels; settings may have more."""
MOST_NAME_CHARS = 10_000
MOST_SETTINGS_CHARS = 100_000
MOST_ITEMS = 1000
"""Most segments of evidence, labels, and kinds of usage."""
MOST_COMPARED = 1_000_000
"""Most pairs of a segment of evidence and a frame that are compared."""
MOST_SCANNED = 10**12
"""Most frames that were looked at to pick an overview, or in a search."""
MOST_TOLD_CHARS = 300
"""Longest text of an error within another."""
LARGEST = 1e12
"""Largest reward, weight or usage: they are added up and drawn."""
LONGEST_S = 1e9
"""Longest wall clock: thirty years."""

STRING = re.compile(r'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)
BRACKET = re.compile(r"[][{}]")

NAMES = (
    "version", "agent", "task_set", "task_set_version", "task_set_hash", "key", "end_reason",
    "grading",
)  # fmt: skip
OPTIONAL_NAMES = ("suite", "agent_hash")
NUMBERS = {
    "last_frame_s": (0, MAX_DURATION_S),
    "reward": (-LARGEST, LARGEST),
    "agent_s": (0, LONGEST_S),
    "decode_s": (0, LONGEST_S),
    "duration_s": (0, MAX_DURATION_S),
}
RATES = ("accuracy", "format", "tool")
"""Reward terms that are 0 or 1."""
SETTINGS: Mapping[str, tuple[tuple[type, ...], str]] = {
    "tasks": ((str, type(None)), "a text or null"),
    "split": ((str,), "a text"),
    "duration_s": ((int, float), "a number above 0"),
    "difficulty": ((str, dict), "a text or an object"),
    "source": ((str,), "a text"),
    "max_pixels": ((int,), "a whole number above 0"),
}
"""Settings that are used later: their types, and what they need in words."""
MOST_SEED = 2**128
MOST_SETTING = 1e15
"""Most pixels or seconds that a setting may ask for."""


def load_row(line: str, needed: str) -> dict[str, Any]:
    """Returns the JSON object in a line; `needed` names it in errors.

    Raises RecordError if there is none, or it is too large or too deep to be read.
    """
    if len(line) > MOST_LINE_BYTES:
        raise RecordError(f"needed {needed}, got more than {MOST_LINE_BYTES} characters")
    marks, num_strings = STRING.subn("", line, 2 * MOST_VALUES + 1)  # a value may have a key
    if num_strings > 2 * MOST_VALUES or sum(map(marks.count, ",[{")) > MOST_VALUES:
        raise RecordError(f"needed {needed}, got more than {MOST_VALUES} values")
    steps = (1 if bracket in "[{" else -1 for bracket in BRACKET.findall(marks))
    if max(accumulate(steps), default=0) > MOST_DEPTH:
        raise RecordError(f"needed {needed}, got more than {MOST_DEPTH} levels")
    try:
        row = load_json(line)
    except ValueError as error:
        raise RecordError(f"needed {needed}, got no JSON ({told(error)})") from error
    if not isinstance(row, dict):
        raise RecordError(f"needed {needed}, got no JSON object")
    return row


def told(error: Exception) -> str:
    """Returns the text of an error on one short line."""
    text = f"no {error}" if isinstance(error, KeyError) else str(error)
    return plain(text[:MOST_TOLD_CHARS])


def check_row(row: Mapping[str, Any], rules: Rules) -> None:
    """Raises RecordError for values that no episode by these rules has.

    What is missing raises KeyError or TypeError; constructors refuse the rest.
    """
    _check_texts(row)
    for name, (low, high) in NUMBERS.items():
        _check_number(name, row[name], low, high)
    if not 0 < row["duration_s"] >= row["last_frame_s"]:
        raise RecordError(
            f"duration_s needs a number above 0, and from last_frame_s {row['last_frame_s']} up, "
            f"got {row['duration_s']}"
        )
    _check_whole("seed", row["seed"], 0, MOST_SEED)
    _check_whole("frames_used", row["frames_used"], rules.overview_sizes[0], rules.frame_budget)
    _check_overview(row, rules)
    _check_parts(row["reward_parts"], rules)
    for name, number in _items("usage", row.get("usage", {}), dict).items():
        _check_name("name in usage", name)
        _check_number(f"usage of {plain(name[:MOST_TOLD_CHARS])}", number, -LARGEST, LARGEST)
    _check_task(row["task"])
    num_segments, frames_used = len(row["task"]["evidence"]), row["frames_used"]
    if num_segments * frames_used > MOST_COMPARED:
        raise RecordError(
            f"evidence needs at most {MOST_COMPARED // frames_used} segments beside {frames_used} "
            f"frames, got {num_segments}"
        )
    _check_turns(row["turns"], rules, row["duration_s"])
    _check_settings(row["settings"])


def _check_overview(row: Mapping[str, Any], rules: Rules) -> None:
    """Checks the times that were picked, if the rules do not fix them."""
    _check_whole("frames_scanned", row.get("frames_scanned", 0), 0, MOST_SCANNED)
    picked_s = row.get("picked_s")
    if (picked_s is None) != rules.is_overview_fixed:
        needed = "no times" if rules.is_overview_fixed else "the times"
        raise RecordError(f"picked_s needs {needed} of the overview, got {brief(picked_s)}")
    if picked_s is None:
        return
    if not isinstance(picked_s, list):
        raise RecordError(f"picked_s needs a list of times, got {brief(picked_s)}")
    for time_s in picked_s:
        _check_number("picked_s", time_s, 0, MAX_DURATION_S)
    check_times(picked_s, rules.overview_sizes, row["duration_s"], row["last_frame_s"])


def _check_turns(turns: Any, rules: Rules, duration_s: float) -> None:
    """Checks the turns of an episode by these rules on a video of this length."""
    if not isinstance(turns, list) or not 1 <= len(turns) <= rules.max_turns:
        raise RecordError(f"turns needs a list of 1 to {rules.max_turns}, got {_size(turns)}")
    for turn in turns:
        for name in ("reply", "error", "feedback"):
            _check_text(name, turn[name])
        _check_text("told", told := turn.get("told", ""))
        if len(told) > (most := MOST_TRANSCRIPT_CHARS):
            raise RecordError(f"told needs at most {most} characters, got {len(told)}")
        if call := turn.get("crop"):
            for name in ("left", "top", "right", "bottom"):
                _check_number(name, call[name], 0, 1)
            _check_number("at_s", call["at_s"], 0, duration_s)
        if call := turn.get("transcript"):
            _check_number("start_s", call["start_s"], 0, duration_s)
            _check_number("end_s", call["end_s"], 0, duration_s)
        _check_search(turn, duration_s)
        if type(is_well_formed := turn["is_well_formed"]) is not bool:
            raise RecordError(f"is_well_formed needs true or false, got {brief(is_well_formed)}")
        zooms = turn.get("zooms", [])
        most = rules.most_calls if rules.most_calls > 1 else 0
        if not isinstance(zooms, list) or len(zooms) > most:
            raise RecordError(f"zooms needs a list of at most {most}, got {_size(zooms)}")
        for zoom in [*zooms, *([turn["zoom"]] if turn["zoom"] else [])]:
            _check_number("start_s", zoom["start_s"], 0, duration_s)
            _check_number("end_s", zoom["end_s"], 0, duration_s)
            if type(zoom["fps"]) not in (int, float):
                raise RecordError(f"fps needs a number, got {brief(zoom['fps'])}")


def _check_search(turn: Mapping[str, Any], duration_s: float) -> None:
    """Checks what a turn searched for, and what was found."""
    found_s, call = turn.get("found_s", []), turn.get("find")
    if not isinstance(found_s, list) or len(found_s) > MOST_FOUND * bool(call):
        needed = f"at most {MOST_FOUND} times" if call else "no time without a search"
        raise RecordError(f"found_s needs {needed}, got {_size(found_s)}")
    most = MOST_SCANNED if call else 0
    _check_whole("frames_scanned", turn.get("frames_scanned", 0), 0, most)
    if call:
        _check_text("text", call["text"])
        _check_number("start_s", call["start_s"], 0, duration_s)
        _check_number("end_s", call["end_s"], 0, duration_s)
        for time_s in found_s:
            _check_number("found_s", time_s, call["start_s"], call["end_s"])


def _check_texts(row: Mapping[str, Any]) -> None:
    for name in NAMES:
        _check_name(name, row[name])
    for name in OPTIONAL_NAMES:
        _check_name(name, row.get(name, ""))
    if row["answer"] is not None:
        _check_text("answer", row["answer"])


def _check_parts(parts: Mapping[str, Any], rules: Rules) -> None:
    for name in (*RATES, "grounding"):
        _check_number(name, parts[name], 0, 1)
        if name in RATES and parts[name] not in (0, 1):
            raise RecordError(f"{name} needs 0 or 1, got {parts[name]}")
    most = rules.max_turns * rules.most_calls
    _check_number("zoom_cost", parts["zoom_cost"], 0, most)
    _check_number("repeat_cost", parts.get("repeat_cost", 0), 0, most)
    _check_number("tool_cost", parts.get("tool_cost", 0), 0, most)
    _check_number("evidence_iou", parts.get("evidence_iou", 0), 0, 1)


def _check_task(task: Mapping[str, Any]) -> None:
    for name in ("id", "category"):
        _check_name(name, task[name])
    texts = [task["video"], task["question"], task["answer"], *_items("options", task["options"])]
    for text in texts:
        _check_text("task", text)
    for segment in _items("evidence", task["evidence"]):
        for number in segment:
            _check_number("evidence", number, 0, LONGEST_S)
    for label in _items("labels", task["labels"]):
        for text in label:
            _check_name("label", text)


def _check_settings(settings: Mapping[str, Any]) -> None:
    """Checks the settings that are used later, and the length of all."""
    for weight in merge_weights(settings["reward_weights"]).values():
        _check_number("reward_weights", weight, -LARGEST, LARGEST)
    for name, (types, needed) in SETTINGS.items():
        if name not in settings:
            raise RecordError(f"settings need {name}, {needed}, got none")
        value = settings[name]
        is_number = type(value) in (int, float)
        if type(value) not in types or (is_number and not 0 < value <= MOST_SETTING):
            raise RecordError(f"settings need {name}, {needed}, got {brief(value)}")
    num_chars = len(json.dumps(settings, allow_nan=False))  # 1e999 is JSON, and infinite
    if num_chars > (most := MOST_SETTINGS_CHARS):
        raise RecordError(f"settings need at most {most} characters, got {num_chars}")


def _items(name: str, value: Any, kind: type = list) -> Any:
    """Returns a list or an object, if it is not too long."""
    if not isinstance(value, kind) or len(value) > MOST_ITEMS:  # type: ignore[arg-type]
        what = "a list" if kind is list else "an object"
        raise RecordError(f"{name} needs {what} of at most {MOST_ITEMS}, got {_size(value)}")
    return value


def _size(value: Any) -> str:
    """Returns the length of a list or an object, or what else there is."""
    return str(len(value)) if isinstance(value, list | dict) else brief(value)


def _check_text(name: str, text: Any) -> None:
    if not isinstance(text, str):
        raise RecordError(f"{name} needs a text, got {brief(text)}")


def _check_name(name: str, text: Any) -> None:
    """Checks that text fits on a line of a table."""
    _check_text(name, text)
    if len(text) > MOST_NAME_CHARS:
        raise RecordError(f"{name} needs at most {MOST_NAME_CHARS} characters, got {len(text)}")
    if UNPRINTABLE.search(text):
        raise RecordError(f"{name} needs a text on one line, got {brief(text)}")


def _check_number(name: str, number: Any, low: float, high: float) -> None:
    if not is_finite_number(number):
        raise RecordError(f"{name} needs a number, got {brief(number)}")
    if not low <= number <= high:
        raise RecordError(f"{name} needs a number from {low:g} to {high:g}, got {brief(number)}")


def _check_whole(name: str, number: Any, low: int, high: int) -> None:
    _check_number(name, number, low, high)
    if type(number) is not int:
        raise RecordError(f"{name} needs a whole number from {low} to {high}, got {brief(number)}")
