"""A page about a run: one self-contained HTML file."""

import base64
import hashlib
from collections.abc import Hashable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup

from agents.registry import about, is_told_evidence
from benchmarks.evaluation.comparable import EpisodeKey, in_order
from benchmarks.evaluation.crashes import Failure
from benchmarks.evaluation.grouping import grouped
from benchmarks.evaluation.metrics import (
    ALL,
    METRICS,
    Score,
    chance,
    chance_by_duration,
    duration_rows,
    leaderboard,
    officials,
)
from benchmarks.evaluation.paired import by_tools
from benchmarks.evaluation.suites import Suite
from benchmarks.evaluation.summary import MARK, reading
from benchmarks.evaluation.tables import Agents, apart, by_rules, details, names_of, shortfalls
from benchmarks.page import charts, palette
from benchmarks.page.episodes import MAX_PICTURED, OUTCOMES, cut, viewer_data
from zoomgym.io import replaced
from zoomgym.records import Record
from zoomgym.tasks import EVERY_FAMILY, TaskSet

FOLDER = Path(__file__).parent / "templates"
TEMPLATE, SCRIPTS = "report.html.jinja", ("tables.js", "viewer.js")


def write_report(
    path: Path,
    suite_name: str,
    records: Sequence[Record],
    *,
    cache_dir: Path | None,
    suite: Suite | None = None,
    tasks: TaskSet | None = None,
    failures: Sequence[Failure] = (),
) -> None:
    """Writes the page. The same records give the same bytes, in any order.

    suite is needed if it is not built in; tasks is the set that the user named, whose videos are
    opened. Synthetic videos may be in cache_dir, or else the user's cache.
    """
    records = in_order(records)
    sets = ", ".join(dict.fromkeys(record.task_set for record in records))
    script = "".join((FOLDER / name).read_text(encoding="utf-8") for name in SCRIPTS)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    page = _template().render(
        title=cut(suite_name.strip() or sets or "No episodes"),
        metrics=METRICS,
        all_tasks=ALL,
        charts=charts,
        palette=palette,
        script=Markup(script),
        script_hash=Markup(f"sha256-{digest}"),  # the Content-Security-Policy allows no other one
        failed=sorted(failures, key=lambda failure: (failure.agent, failure.task_id)),
        **(_facts(records) if records else {}),
        **(_results(records, cache_dir, suite, tasks) if records else {"groups": []}),
    )
    with replaced(path) as file:
        file.write(page.encode("utf-8", "replace"))


@cache
def _template() -> Template:
    """Returns the page's template, which is compiled once."""
    jinja = Environment(
        loader=FileSystemLoader(FOLDER, encoding="utf-8"),
        autoescape=True,  # of other people's texts, which the filter cuts
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    jinja.filters["cut"] = cut
    return jinja.get_template(TEMPLATE)


def _facts(records: Sequence[Record]) -> dict[str, Any]:
    weights = (tuple(record.settings["reward_weights"].items()) for record in records)
    rules = (
        (rules, record.settings["max_pixels"])
        for rules, own in apart(records).items()
        for record in own
    )
    tasks_of = [
        {EpisodeKey.of(record).opened_task for record in own}
        for own in grouped(records, lambda record: record.agent).values()
    ]
    return {
        "versions": sorted({record.version for record in records}),
        "seeds": sorted({record.seed for record in records}),
        "rules": list(dict.fromkeys(rules)),
        "weights": list(dict.fromkeys(weights)),
        "task_sets": _task_sets(records),
        "num_tasks": len({(_set_of(record), record.task.id) for record in records}),
        "num_episodes": len(records),
        "is_comparable": all(keys == tasks_of[0] for keys in tasks_of),
    }


def _set_of(record: Record) -> Hashable:
    """Returns the task set of an episode, by whatever rules it was played."""
    key = EpisodeKey.of(record)
    return key.part, key.task_set_version, key.task_set_hash


def _task_sets(records: Sequence[Record]) -> list[dict[str, Any]]:
    by_set = grouped(records, _set_of)
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


def _results(
    records: Sequence[Record], cache_dir: Path | None, suite: Suite | None, tasks: TaskSet | None
) -> dict[str, Any]:
    played = apart(records)
    names = names_of(list(played))
    rows_of = {rules: leaderboard(own) for rules, own in played.items()}
    agents = list(dict.fromkeys(row.agent for rows in reversed(rows_of.values()) for row in rows))
    categories = sorted({record.task.category for record in records})
    groups = [(rules, _by_agent(own, agents)) for rules, own in played.items()]
    return {
        "groups": [
            {"name": names[rules], "place": place} | _group(own, rows_of[rules], suite)
            for place, (rules, own) in enumerate(played.items())
        ],
        "compared": {
            "chart": charts.rules_chart(rows_of, agents),  # if they differ in turns
            "chance": chance(records),
            "sheets": [by_rules(groups), *by_tools(groups)],
        }
        if len(played) > 1
        else None,
        "agents": agents,
        "places": {agent: place for place, agent in enumerate(agents)},
        "numbers": palette.number_agents(agents),
        "abouts": {agent: line for agent in agents if (line := about(agent))},
        "told_mark": MARK,
        "told": [agent for agent in agents if is_told_evidence(agent)],
        "family_abouts": _family_abouts(records),
        "categories": categories,
        "num_ungraded": sum(not record.is_graded for record in records),
        "viewer": viewer_data(records, agents, categories, names, cache_dir, tasks),
        "outcomes": OUTCOMES,
        "max_pictured": MAX_PICTURED,
    }


def _family_abouts(records: Sequence[Record]) -> dict[str, str]:
    shown = {record.task.category for record in records if record.task_set.startswith("synthetic")}
    return {
        family: (made.draw.__doc__ or "").partition("\n")[0]
        for family, made in EVERY_FAMILY.items()
        if family in shown
    }


def _group(records: Sequence[Record], rows: Sequence[Score], suite: Suite | None) -> dict[str, Any]:
    graded = [row for row in rows if "accuracy" in row.estimates]
    pooled = [row for row in rows if row.category == ALL]
    agents = [row.agent for row in pooled]
    rewards = [row.estimates["reward"] for row in graded if row.category == ALL]
    by_duration = chance_by_duration(records)
    by_category = grouped(records, lambda record: record.task.category)
    chances = {category: chance(own) for category, own in sorted(by_category.items())}
    return {
        "rows": pooled,
        "reading": reading(pooled, records),
        "shortfalls": shortfalls(records, suite),
        "chance": chance(records),
        "chances": chances,
        "officials": officials(records),
        "by_place": {(row.agent, row.category): row.estimates["accuracy"] for row in graded},
        "reward_scale": charts.Scale(
            min([0.0, *(e.low for e in rewards)]), max([1.0, *(e.high for e in rewards)]), 0, 100
        ),
        "category_chart": charts.category_chart(graded, agents, chances),
        "duration_chart": charts.category_chart(duration_rows(records), agents, by_duration)
        if graded
        else None,
        "frames_chart": charts.frames_chart(graded, chance(records)) if graded else None,
        "zooms": charts.zooms_histogram(records, agents),
        "fps": charts.fps_histogram(records, agents),
        **_explained(records, agents),
    }


def _explained(records: Sequence[Record], agents: Sequence[str]) -> dict[str, Any]:
    sheets = {sheet.name: sheet for sheet in details(_by_agent(records, agents))}
    failures = sheets.pop("failures")
    return {
        "explained": list(sheets.values()),
        "failures": {
            line.labels[0]: dict(zip(failures.columns, line.cells, strict=True))
            for line in failures.lines
        },
    }


def _by_agent(records: Sequence[Record], agents: Sequence[str]) -> Agents:
    by_agent = grouped(records, lambda record: record.agent)
    return {agent: by_agent[agent] for agent in agents if agent in by_agent}
