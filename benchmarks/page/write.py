"""A page about a run: one HTML file, with everything in it, to read and to hand on."""

import base64
import hashlib
from collections.abc import Hashable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from agents.registry import about, is_told_evidence
from benchmarks.evaluation.comparable import EpisodeKey, in_order
from benchmarks.evaluation.crashes import Failure
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
from benchmarks.evaluation.suites import Suite
from benchmarks.evaluation.summary import MARK, reading
from benchmarks.evaluation.tables import Agents, apart, by_rules, details, names_of, shortfalls
from benchmarks.page import charts, palette
from benchmarks.page.episodes import MAX_PICTURED, OUTCOMES, cut, viewer_data
from zoomgym.io import replaced
from zoomgym.records import Record
from zoomgym.rules import Rules
from zoomgym.tasks import FAMILIES, TaskSet

FOLDER = Path(__file__).parent / "templates"
TEMPLATE, SCRIPTS = "report.html.jinja", ("tables.js", "viewer.js")
MOST_PARTED = 20
"""Tasks that are listed, of those on which strict and official reading part."""
MOST_FAILED = 50
"""Episodes without a record that are listed."""
MOST_SETS = 8
"""Task sets that are listed at the head; more are folded away."""
LONGEST_NAME = 30
"""Characters that are shown of an agent's name, from both of its ends."""
MOST_OPEN = 12
"""Lines of a table that explains; one with more is folded away."""


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
    """Writes the page. The same records give the same bytes, in whatever order they come.

    Args:
        path: the file, which is replaced as a whole.
        suite_name: the suite of the records; empty if they are of none.
        records: every episode that counts.
        cache_dir: where synthetic videos may be written already; None is the user's cache folder.
        suite: the suite of the records, if it is not built in.
        tasks: the set that the user has named, whose videos are shown.
        failures: episodes that have no record.
    """
    failed = sorted(failures, key=lambda failure: (failure.agent, failure.task_id))
    page = _page(suite_name, in_order(records), failed, cache_dir, suite, tasks)
    with replaced(path) as file:
        file.write(page.encode("utf-8", "replace"))


def _page(
    suite_name: str,
    records: Sequence[Record],
    failures: Sequence[Failure],
    cache_dir: Path | None,
    suite: Suite | None,
    tasks: TaskSet | None,
) -> str:
    """Returns the HTML. Texts of others are escaped by the template and cut by its filter."""
    jinja = Environment(
        loader=FileSystemLoader(FOLDER, encoding="utf-8"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    jinja.filters["cut"] = cut
    facts = _facts(records) if records else {}
    script = "".join((FOLDER / name).read_text(encoding="utf-8") for name in SCRIPTS)
    return jinja.get_template(TEMPLATE).render(
        title=cut(_title(suite_name, records)),
        metrics=METRICS,
        all_tasks=ALL,
        charts=charts,
        palette=palette,
        script=Markup(script),
        script_hash=_hash_source(script),
        failed=failures,
        most_failed=MOST_FAILED,
        **facts,
        **(_results(records, cache_dir, suite, tasks) if records else {"groups": []}),
    )


def _title(suite_name: str, records: Sequence[Record]) -> str:
    """Returns the title of a page: the suite, or the sets of tasks that are of none."""
    sets = dict.fromkeys(record.task_set for record in records)
    return suite_name.strip() or ", ".join(sets) or "No episodes"


def _hash_source(script: str) -> Markup:
    """Returns what allows this script, and no other one, in a Content-Security-Policy."""
    digest = hashlib.sha256(script.encode()).digest()
    return Markup(f"sha256-{base64.b64encode(digest).decode('ascii')}")


def _facts(records: Sequence[Record]) -> dict[str, Any]:
    """Returns what made the records, for the head of the page."""
    weights = (tuple(record.settings["reward_weights"].items()) for record in records)
    rules = (
        (rules, record.settings["max_pixels"])
        for rules, own in apart(records).items()
        for record in own
    )
    tasks_of: dict[str, set[Hashable]] = {}
    for record in records:
        tasks_of.setdefault(record.agent, set()).add(EpisodeKey.of(record).opened_task)
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
    by_set: dict[Hashable, list[Record]] = {}
    for record in records:
        by_set.setdefault(EpisodeKey.of(record).opened_set, []).append(record)
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
    """Returns what came out: tables and charts by each of the rules, and episodes."""
    played = apart(records)
    names = names_of(list(played))
    rows_of = {rules: leaderboard(own) for rules, own in played.items()}
    agents = list(dict.fromkeys(row.agent for rows in reversed(rows_of.values()) for row in rows))
    categories = sorted({record.task.category for record in records})
    return {
        "groups": [
            {"name": names[rules], "place": place} | _group(own, rows_of[rules], suite)
            for place, (rules, own) in enumerate(played.items())
        ],
        "compared": _compared(played, rows_of, agents) if len(played) > 1 else None,
        "agents": agents,
        "places": {agent: place for place, agent in enumerate(agents)},
        "numbers": palette.number_agents(agents),
        "abouts": {agent: line for agent in agents if (line := about(agent))},
        "told_mark": MARK,
        "told": [agent for agent in agents if is_told_evidence(agent)],
        "family_abouts": _family_abouts(records),
        "categories": categories,
        "num_ungraded": sum(not record.is_graded for record in records),
        "longest_name": LONGEST_NAME,
        "most_parted": MOST_PARTED,
        "most_sets": MOST_SETS,
        "most_open": MOST_OPEN,
        "viewer": viewer_data(records, agents, categories, names, cache_dir, tasks),
        "outcomes": OUTCOMES,
        "max_pictured": MAX_PICTURED,
    }


def _family_abouts(records: Sequence[Record]) -> dict[str, str]:
    """Returns what each family of synthetic tasks asks for, in one line."""
    shown = {record.task.category for record in records if record.task_set.startswith("synthetic")}
    return {
        family: (made.draw.__doc__ or "").partition("\n")[0]
        for family, made in FAMILIES.items()
        if family in shown
    }


def _compared(
    played: Mapping[Rules, Sequence[Record]],
    rows_of: Mapping[Rules, Sequence[Score]],
    agents: Sequence[str],
) -> dict[str, Any]:
    """Returns what compares rules: a chart, where they differ in the number of turns; a table."""
    return {
        "chart": charts.rules_chart(rows_of, agents),
        "chance": chance([record for own in played.values() for record in own]),
        "sheet": by_rules([(rules, _by_agent(own, agents)) for rules, own in played.items()]),
    }


def _group(records: Sequence[Record], rows: Sequence[Score], suite: Suite | None) -> dict[str, Any]:
    """Returns the tables and charts of episodes that were played by the same rules."""
    graded = [row for row in rows if "accuracy" in row.estimates]
    pooled = [row for row in rows if row.category == ALL]
    agents = [row.agent for row in pooled]
    chances = {
        category: chance([record for record in records if record.task.category == category])
        for category in sorted({record.task.category for record in records})
    }
    return {
        "rows": pooled,
        "reading": reading(pooled, records),
        "shortfalls": shortfalls(records, suite),
        "chance": chance(records),
        "chances": chances,
        "officials": officials(records),
        "by_place": {(row.agent, row.category): row.estimates["accuracy"] for row in graded},
        "reward_scale": _reward_scale(row for row in graded if row.category == ALL),
        "category_chart": charts.category_chart(graded, agents, chances),
        **(_charts(records, graded, agents) if graded else {"frames_chart": None}),
        "zooms": charts.zooms_histogram(records, agents),
        "fps": charts.fps_histogram(records, agents),
        **_explained(records, agents),
    }


def _charts(
    records: Sequence[Record], graded: Sequence[Score], agents: Sequence[str]
) -> dict[str, charts.CategoryChart | charts.FramesChart]:
    """Returns the charts of accuracy that are about all categories together."""
    by_duration = chance_by_duration(records)
    return {
        "duration_chart": charts.category_chart(duration_rows(records), agents, by_duration),
        "frames_chart": charts.frames_chart(graded, chance(records)),
    }


def _reward_scale(rows: Iterable[Score]) -> charts.Scale:
    """Returns the scale of the bars of rewards, from 0 to 100 pixels."""
    rewards = [row.estimates["reward"] for row in rows]
    return charts.Scale(
        min([0.0, *(e.low for e in rewards)]), max([1.0, *(e.high for e in rewards)]), 0, 100
    )


def _explained(records: Sequence[Record], agents: Sequence[str]) -> dict[str, Any]:
    """Returns the tables that explain the ranking of agents; that of failures apart."""
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
    """Returns the records of each agent that has some."""
    by_agent: Agents = {agent: [] for agent in agents}
    for record in records:
        by_agent[record.agent].append(record)
    return {agent: own for agent, own in by_agent.items() if own}
