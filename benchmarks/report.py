"""A page about a run: one HTML file, with everything in it, to read and to hand on."""

import base64
import io
import os
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from PIL import Image

from benchmarks import charts
from benchmarks.leaderboard import ALL, METRICS, Row, chance, leaderboard, officials
from zoomgym.catalog import open_task_set
from zoomgym.episode import Episode, look
from zoomgym.errors import ZoomGymError
from zoomgym.records import Record, replay
from zoomgym.render import paint
from zoomgym.tasks import VideoQuestion

__all__ = ["write_report"]

TEMPLATE = "report.html.jinja"
MAX_PICTURES = 18
MAX_PICTURE_BYTES = 140_000
TRIES = ((1, 82), (1, 65), (1, 45), (2, 65), (4, 45))
"""Reduction and WebP quality; the first that is small enough is taken. So 18 pictures stay below
3.4 MB in base64."""
MOST_PARTED = 20
"""Tasks that are listed, of those on which strict and official reading part."""
MAX_TEXT = 800
"""Characters that are shown of a text that others wrote."""


@dataclass(frozen=True, slots=True)
class Picture:
    """An image within the page."""

    uri: str
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Card:
    """One episode on the page."""

    record: Record
    outcome: str
    """`right`, `wrong`, `no answer` or `ungraded`."""
    picture: Picture | None
    note: str
    """Why there is no picture; empty if there is one, or if none was wanted."""


@dataclass(frozen=True, slots=True)
class Example:
    """One task of a category, with the episodes of all agents."""

    category: str
    task: VideoQuestion
    cards: tuple[Card, ...]


def write_report(
    path: Path, suite_name: str, records: Sequence[Record], *, cache_dir: Path | None
) -> None:
    """Writes the page. The same records give the same bytes, in whatever order they come.

    Args:
        path: the file, which is replaced as a whole.
        suite_name: what the records are of.
        records: every episode that counts.
        cache_dir: where synthetic videos are written; None is the user's cache folder.
    """
    ordered = sorted(records, key=lambda r: (r.task.id, r.agent, r.to_json()))
    _replace(path, _page(suite_name, ordered, cache_dir).encode("utf-8", "replace"))


def _replace(path: Path, content: bytes) -> None:
    """Writes content to path; an interrupted write leaves what stood there."""
    handle, name = tempfile.mkstemp(prefix=".part-", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(name).chmod(0o644)
        Path(name).replace(path)
    finally:
        Path(name).unlink(missing_ok=True)


def _page(suite_name: str, records: Sequence[Record], cache_dir: Path | None) -> str:
    """Returns the HTML. Texts of others are escaped by the template and cut by its filter."""
    jinja = Environment(
        loader=FileSystemLoader(Path(__file__).parent, encoding="utf-8"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    jinja.filters["cut"] = _cut
    facts = _facts(records) if records else {}
    return jinja.get_template(TEMPLATE).render(
        suite_name=suite_name,
        metrics=METRICS,
        all_tasks=ALL,
        charts=charts,
        **facts,
        **(_results(records, cache_dir) if records else {"rows": []}),
    )


def _facts(records: Sequence[Record]) -> dict[str, Any]:
    """Returns what made the records, for the head of the page."""
    weights = (tuple(record.settings["reward_weights"].items()) for record in records)
    rules = ((record.rules, record.settings["max_pixels"]) for record in records)
    tasks_of: dict[str, set[str]] = {}
    for record in records:
        tasks_of.setdefault(record.agent, set()).add(_task_key(record))
    return {
        "versions": sorted({record.version for record in records}),
        "seeds": sorted({record.seed for record in records}),
        "rules": list(dict.fromkeys(rules)),
        "weights": list(dict.fromkeys(weights)),
        "task_sets": _task_sets(records),
        "num_tasks": len(set().union(*tasks_of.values())),
        "num_episodes": len(records),
        "is_comparable": len({frozenset(keys) for keys in tasks_of.values()}) == 1,
    }


def _task_sets(records: Sequence[Record]) -> list[dict[str, Any]]:
    """Returns a line about each task set, as it was opened."""
    by_set: dict[str, list[Record]] = {}
    for record in records:
        by_set.setdefault(_set_key(record), []).append(record)
    return [
        {
            "record": own[0],
            "is_synthetic": own[0].task_set.startswith("synthetic"),
            "num_tasks": len({record.task.id for record in own}),
            "shortest_s": min(record.duration_s for record in own),
            "longest_s": max(record.duration_s for record in own),
        }
        for own in by_set.values()
    ]


def _results(records: Sequence[Record], cache_dir: Path | None) -> dict[str, Any]:
    """Returns what came out: rows, charts and episodes."""
    rows = leaderboard(records)
    graded = [row for row in rows if "accuracy" in row.estimates]
    pooled = [row for row in rows if row.category == ALL]
    agents = [row.agent for row in pooled]
    by_category = {
        category: [record for record in records if record.task.category == category]
        for category in sorted({record.task.category for record in records})
    }
    chances = {category: chance(own) for category, own in by_category.items()}
    return {
        "rows": pooled,
        "numbers": {agent: index for index, agent in enumerate(sorted(agents))},
        "chance": chance(records),
        "chances": chances,
        "num_ungraded": sum(row.num_ungraded for row in pooled),
        "officials": officials(records),
        "most_parted": MOST_PARTED,
        "by_place": {(row.agent, row.category): row.estimates["accuracy"] for row in graded},
        "reward_scale": _reward_scale(row for row in graded if row.category == ALL),
        "category_chart": charts.category_chart(graded, agents, chances),
        "frames_chart": charts.frames_chart(graded, chance(records)) if graded else None,
        "examples": _examples(by_category, agents, cache_dir),
        "max_pictures": MAX_PICTURES,
    }


def _reward_scale(rows: Iterable[Row]) -> charts.Scale:
    """Returns the scale of the bars of rewards, from 0 to 100 pixels."""
    rewards = [row.estimates["reward"] for row in rows]
    return charts.Scale(
        min([0.0, *(e.low for e in rewards)]), max([1.0, *(e.high for e in rewards)]), 0, 100
    )


def _examples(
    by_category: Mapping[str, Sequence[Record]], agents: Sequence[str], cache_dir: Path | None
) -> list[Example]:
    """Returns the first task of each category; the best agents' episodes get pictures first."""
    chosen = []
    for own in by_category.values():
        first = min(own, key=lambda record: (record.task.id, _set_key(record)))
        on_it = [record for record in own if _task_key(record) == _task_key(first)]
        chosen.append(sorted(on_it, key=lambda record: agents.index(record.agent)))
    by_place = sorted(
        (place, index) for index, on_it in enumerate(chosen) for place in range(len(on_it))
    )
    pictured = set(by_place[:MAX_PICTURES])
    return [
        Example(
            on_it[0].task.category,
            on_it[0].task,
            tuple(
                _card(record, cache_dir, (place, index) in pictured)
                for place, record in enumerate(on_it)
            ),
        )
        for index, on_it in enumerate(chosen)
    ]


def _card(record: Record, cache_dir: Path | None, is_pictured: bool) -> Card:
    """Returns an episode's card; what cannot be shown any more becomes a note."""
    outcome = "right" if record.reward_parts.accuracy else "wrong"
    if record.answer is None:
        outcome = "no answer"
    elif not record.is_graded:
        outcome = "ungraded"
    if not is_pictured:
        return Card(record, outcome, None, "")
    try:
        return Card(record, outcome, _picture(record, cache_dir), "")
    except (ZoomGymError, OSError) as error:
        return Card(record, outcome, None, str(error))


def _picture(record: Record, cache_dir: Path | None) -> Picture:
    """Returns the episode painted anew.

    Raises:
        TaskError: the task set is not known any more.
        VideoError: the video cannot be opened or decoded.
        RecordError: the rules have changed since.
    """
    episode: Episode = replay(record)
    settings = record.settings
    tasks = open_task_set(
        settings["tasks"],
        split=settings["split"],
        duration_s=settings["duration_s"],
        difficulty=settings["difficulty"],
        source=settings["source"],
        cache_dir=cache_dir,
    )
    video = tasks.open_video(record.task)
    try:
        times_s = (episode.overview_s, *(zoom.times_s for zoom in episode.zooms))
        overview, *clips = [look(video, some_s, settings["max_pixels"]) for some_s in times_s]
    finally:
        video.close()
    return _encode(Image.fromarray(paint(episode, overview, clips, settings["reward_weights"])))


def _encode(image: Image.Image) -> Picture:
    """Returns an image as a data URI of bounded size."""
    for reduction, quality in TRIES:
        small = image.reduce(reduction)
        buffer = io.BytesIO()
        small.save(buffer, "webp", quality=quality, method=6)
        if len(buffer.getvalue()) <= MAX_PICTURE_BYTES:
            break
    data = base64.b64encode(buffer.getvalue()).decode("ascii")
    return Picture(f"data:image/webp;base64,{data}", small.width, small.height)


def _set_key(record: Record) -> str:
    """Returns what tells the task set of a record from others."""
    return str((record.task_set, record.task_set_version, sorted(record.settings.items())))


def _task_key(record: Record) -> str:
    """Returns what tells the task of a record from others."""
    return f"{record.task.id} {_set_key(record)}"


def _cut(text: str) -> str:
    """Returns the start of a text that may be very long."""
    return text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]} … ({len(text):,} characters)"
