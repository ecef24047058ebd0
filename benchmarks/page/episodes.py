"""Data of a page's episode viewer: episodes, tasks and small pictures."""

import base64
import io
import json
from collections.abc import Hashable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, fields, replace
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.evaluation.comparable import EpisodeKey
from benchmarks.evaluation.failures import FAILURES, failures_of
from zoomgym.agent import look
from zoomgym.errors import RecordError, ZoomGymError
from zoomgym.grading import letter, read_choice
from zoomgym.records import Record, replay, task_set_of
from zoomgym.render import AXIS_STEPS_S, clock
from zoomgym.rules import (
    Box,
    FindCall,
    FrameCall,
    RewardParts,
    Rules,
    TranscriptCall,
    Turn,
    VideoQuestion,
    ZoomCall,
    ZoomCalls,
    merge_weights,
)
from zoomgym.tasks import SyntheticTasks, TaskSet
from zoomgym.video import Video

OUTCOMES = ("right", "wrong", "no answer", "ungraded")
MAX_PICTURED = 40
"""Episodes with frames, at most."""
MAX_PICTURE_BYTES = 3_000_000
"""Bytes of all pictures; base64 adds a third."""
MAX_EPISODE_BYTES = 16_000_000
"""Bytes of all episodes: 12,000 on synthetic tasks, so that all of `standard-v0` fits."""
OVERVIEW_PIXELS, CLIP_PIXELS = 96 * 96, 192 * 192
MOST_FRAMES = 128
"""Frames of a strip, at most: longer ones are thinned evenly."""
QUALITY = 75
METHOD = 1
"""Of WebP: takes a quarter of the time of the default, 4, and about as many bytes."""
MOST_AXIS_LABELS = 6
MAX_TEXT = 800
"""Characters shown of other people's texts."""

KINDS = tuple(FAILURES)
TERMS = [field.name for field in fields(RewardParts)]
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """A frame as a small picture."""

    time_s: float
    webp: bytes


class Album:
    """The pictures of a page: each is kept once, while there is room."""

    def __init__(self, max_bytes: int) -> None:
        self._places: dict[bytes, int] = {}
        self._bytes_left = max_bytes

    def add(self, strips: Sequence[Sequence[Thumbnail]]) -> list[list[tuple[float, int]]] | None:
        """Returns strips with the pictures' places in the album, or None if there is no room."""
        new = {one.webp for strip in strips for one in strip} - self._places.keys()
        cost = sum(map(len, new))
        if cost > self._bytes_left:
            return None
        self._bytes_left -= cost
        for webp in (one.webp for strip in strips for one in strip):
            self._places.setdefault(webp, len(self._places))
        return [[(one.time_s, self._places[one.webp]) for one in strip] for strip in strips]

    def to_base64(self) -> list[str]:
        """Returns the pictures, WebP in base64, in the order of their places."""
        return [base64.b64encode(webp).decode("ascii") for webp in self._places]


def viewer_data(
    records: Sequence[Record],
    agents: Sequence[str],
    categories: Sequence[str],
    names: Mapping[Rules, str],
    cache_dir: Path | None,
    tasks_named: TaskSet | None = None,
) -> dict[str, Any]:
    """Returns the episodes that fit in a page, for JSON.

    Agents come the best first. Synthetic videos may be in cache_dir; videos of tasks_named, the set
    that the user named, are opened.
    """
    by_task = sorted(records, key=lambda r: (r.task.id, r.rules.order, agents.index(r.agent)))
    rows = _kept(by_task)
    kept = [by_task[index] for index in sorted(rows)]
    numbers: dict[Hashable, int] = {}
    for record in kept:
        numbers.setdefault(_video_key(record), len(numbers))
    firsts = {numbers[_video_key(record)]: record for record in reversed(kept)}
    tasks = [_task(firsts[number], categories, list(names)) for number in range(len(numbers))]
    episodes = [
        {"agent": agents.index(record.agent), "task": numbers[_video_key(record)]} | rows[index]
        for index, record in zip(sorted(rows), kept, strict=True)
    ]
    album = Album(MAX_PICTURE_BYTES)
    for index in _pictured(kept, agents):
        task = tasks[episodes[index]["task"]]
        _illustrate(episodes[index], task, kept[index], album, cache_dir, tasks_named)
    return {
        "failures": list(FAILURES.items()),
        "rules": list(names.values()),
        "terms": TERMS,
        "tasks": tasks,
        "episodes": episodes,
        "pictures": album.to_base64(),
    }


def outcome_of(record: Record) -> str:
    """Returns how an episode ended: `right`, `wrong`, `no answer` or `ungraded`."""
    if record.answer is None:
        return "no answer"
    if not record.is_graded:
        return "ungraded"
    return "right" if record.reward_parts.accuracy else "wrong"


def cut(text: str) -> str:
    """Returns the start of a text, which may be very long."""
    return text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]} … ({len(text):,} characters)"


def _video_key(record: Record) -> Hashable:
    """Returns what the values of `_task` depend on."""
    opened = EpisodeKey.of(record).opened_set
    return (record.task, opened, *_shown_by(record), record.duration_s, record.last_frame_s)


def _shown_by(record: Record) -> tuple[Hashable, ...]:
    """Returns the rules of an episode and, unless they fix its overview, the times of that."""
    return record.rules, record.picked_s


def _kept(records: Sequence[Record]) -> dict[int, Json]:
    """Returns the episodes that fit, by position; whole tasks before others."""
    kept: dict[int, Json] = {}
    seen = set()
    bytes_left = MAX_EPISODE_BYTES
    for index in _fairly(records):
        record, key = records[index], _video_key(records[index])
        episode = _episode(record)
        bytes_left -= len(json.dumps(episode))
        if key not in seen:
            bytes_left -= len(json.dumps(_task(record, [record.task.category], [record.rules])))
        if bytes_left < 0:
            break
        seen.add(key)
        kept[index] = episode
    return kept


def _fairly(records: Sequence[Record]) -> Iterator[int]:
    """Yields positions of records: the first task of each set and category, then the second, .."""
    places: dict[Hashable, dict[str, list[int]]] = {}
    for index, record in enumerate(records):
        tasks = places.setdefault((record.task.category, EpisodeKey.of(record).opened_set), {})
        tasks.setdefault(record.task.id, []).append(index)
    for round_of_tasks in zip_longest(*(tasks.values() for tasks in places.values()), fillvalue=[]):
        for on_it in round_of_tasks:
            yield from on_it


def _pictured(records: Sequence[Record], agents: Sequence[str]) -> list[int]:
    """Returns positions of the episodes with frames, the most wanted first.

    The first task of each category comes first, then the second (of another set if there is one),
    and so on; the best agents first. Of several rules, only the last count: they allow most.
    """
    tasks: dict[str, dict[VideoQuestion, list[int]]] = {}
    for index in _fairly(records):
        task = records[index].task
        tasks.setdefault(task.category, {}).setdefault(task, []).append(index)
    wanted: list[int] = []
    for on_tasks in zip_longest(*(own.values() for own in tasks.values()), fillvalue=[]):
        chosen = [index for on_task in on_tasks for index in _by_last_rules(records, on_task)]
        wanted += sorted(chosen, key=lambda index: agents.index(records[index].agent))
        if len(wanted) >= MAX_PICTURED:
            break
    return wanted[:MAX_PICTURED]


def _by_last_rules(records: Sequence[Record], on_task: Sequence[int]) -> list[int]:
    """Returns the positions of records on a task that were played by its last rules."""
    if not on_task:
        return []
    last = max(on_task, key=lambda index: records[index].rules.order)
    keys = {i: (EpisodeKey.of(records[i]).opened_task, *_shown_by(records[i])) for i in on_task}
    return [index for index in on_task if keys[index] == keys[last]]


def _task(record: Record, categories: Sequence[str], every: Sequence[Rules]) -> Json:
    task, rules = record.task, record.rules
    weights = merge_weights(record.settings["reward_weights"])
    return {
        "id": cut(task.id),
        "set": f"{cut(record.task_set)} version {cut(record.task_set_version)}",
        "category": categories.index(task.category),
        "rules": every.index(rules),
        "question": cut(task.question),
        "options": [[letter(index), cut(option)] for index, option in enumerate(task.options)],
        "truth": read_choice(task.answer, task.options) if task.options else None,
        "answer": cut(task.answer),
        "evidence": [list(segment) for segment in task.evidence],
        "duration_s": record.duration_s,
        "duration_label": clock(record.duration_s),
        "axis": [[time_s, clock(time_s)] for time_s in _axis(record.duration_s)],
        "overview_s": [round(time_s, 3) for time_s in spread(record.overview.times_s)],
        "max_turns": rules.max_turns,
        "weights": _by_term(weights),
        "frames": [],
    }


def _episode(record: Record) -> Json:
    options, answer = record.task.options, record.answer
    return {
        "outcome": outcome_of(record),
        "failures": [KINDS.index(kind) for kind in failures_of(record)],
        "answer": None if answer is None else cut(answer),
        "given": read_choice(answer, options) if answer is not None and options else None,
        "reward": record.reward if record.is_graded else None,
        "parts": _by_term(record.reward_parts.by_name()),
        "frames_used": record.frames_used,
        "agent_s": round(record.agent_s, 3),
        "decode_s": round(record.decode_s, 3),
        "turns": list(map(_turn, record.turns)),
        "is_pictured": False,
        "clips": [],
        "note": "",
    }


def _by_term(numbers: Mapping[str, float]) -> list[float | None]:
    """Returns numbers in the order of TERMS, None for a term that has none; the last has one."""
    last = max(map(TERMS.index, numbers))
    return [numbers.get(name) for name in TERMS[: last + 1]]


def _turn(turn: Turn) -> Json:
    call = turn.shown
    return {
        "reply": cut(turn.reply),
        "feedback": cut(turn.feedback),
        "is_refused": bool(turn.error),
        "is_well_formed": turn.is_well_formed,
        **({"call": label} if (label := _told_label(turn)) else {}),
        "zoom": call
        and {
            "start_s": call.segment.start_s,
            "end_s": call.segment.end_s,
            "label": _label(call),
            "num_frames": call.num_frames,
            **({} if turn.zoom else {"tool": turn.tool}),
        },
    }


def _label(call: FrameCall) -> str:
    """Returns what a call showed, or several of one reply."""
    if isinstance(call, ZoomCalls):
        return "; ".join(map(_label, call.calls))
    if isinstance(call, ZoomCall):
        return f"{clock(call.start_s)} - {clock(call.end_s)}, {call.fps:.3g} fps"
    left, top, right, bottom = (round(100 * edge) for edge in call.box)
    return f"{clock(call.at_s)}, crop {left}-{right}% x {top}-{bottom}%"


def _told_label(turn: Turn) -> str:
    """Returns what a call that showed no frames asked for, and when its matches are."""
    if isinstance(call := turn.call, TranscriptCall):
        return f"transcript: {clock(call.start_s)} - {clock(call.end_s)}"
    if not isinstance(call, FindCall):
        return ""
    found = ", ".join(map(clock, turn.found_s)) or "nothing"
    return f"find {call.text}: {found} in {clock(call.start_s)} - {clock(call.end_s)}"


def _axis(duration_s: float) -> list[float]:
    least_s = duration_s / MOST_AXIS_LABELS
    days_s = max(1, -(-least_s // 86400)) * 86400
    step_s = next((step_s for step_s in AXIS_STEPS_S if step_s >= least_s), days_s)
    return [index * step_s for index in range(int(duration_s / step_s) + 1)]


def _illustrate(
    episode: Json,
    task: Json,
    record: Record,
    album: Album,
    cache_dir: Path | None,
    tasks_named: TaskSet | None,
) -> None:
    """Adds frames to an episode and its task; if they cannot be shown, a note."""
    try:
        strips = thumbnails(record, cache_dir, with_overview=not task["frames"], tasks=tasks_named)
    except (ZoomGymError, OSError) as error:
        episode["note"] = cut(str(error))
        return
    places = album.add(strips)
    if places is None:
        return
    frames = [
        [
            [round(t, 3), place, any(part.holds(t) for part in record.task.evidence)]
            for t, place in s
        ]
        for s in places
    ]
    if not task["frames"]:
        task["frames"] = frames.pop(0)
    episode["clips"], episode["is_pictured"] = frames, True


def thumbnails(
    record: Record, cache_dir: Path | None, *, with_overview: bool, tasks: TaskSet | None = None
) -> list[tuple[Thumbnail, ...]]:
    """Returns the overview of an episode, if wanted, and the clip of every zoom.

    Raises:
        TaskError: the task is neither synthetic nor of the set that the user named.
        VideoError: the video does not open or decode.
        RecordError: the rules or the video have changed.
    """
    episode = replay(record)
    tasks = task_set_of(record, tasks, cache_dir=cache_dir)
    wanted: list[tuple[tuple[float, ...], int, Box | None]] = []
    if with_overview:
        wanted.append((episode.overview_s, OVERVIEW_PIXELS, None))
    wanted += [(call.times_s, CLIP_PIXELS, call.box) for call in episode.shown]
    if not wanted:
        return []
    with closing(_open(tasks, record.task)) as video:
        if (video.duration_s, video.last_frame_s) != (record.duration_s, record.last_frame_s):
            raise RecordError(
                f"{record.key}: needed a video as long as the record says, got another"
            )
        shown = [
            look(video, spread(times_s), min(max_pixels, record.settings["max_pixels"]), box)
            for times_s, max_pixels, box in wanted
        ]
    return [tuple(map(_thumbnail, frames.times_s, frames.images)) for frames in shown]


def _open(tasks: TaskSet, task: VideoQuestion) -> Video:
    """Returns the video of a task; draws a synthetic one that is not written yet."""
    if isinstance(tasks, SyntheticTasks) and not tasks.is_written(task):
        tasks = replace(tasks, source="scene")
    return tasks.open_video(task)


def spread(times_s: Sequence[float]) -> Sequence[float]:
    """Returns at most MOST_FRAMES of times_s, evenly spread."""
    return times_s[:: max(1, -(-len(times_s) // MOST_FRAMES))]


def _thumbnail(time_s: float, image: NDArray[np.uint8]) -> Thumbnail:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "webp", quality=QUALITY, method=METHOD)
    return Thumbnail(time_s, buffer.getvalue())
