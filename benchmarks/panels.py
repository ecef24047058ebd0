"""Draws accuracy by category, a panel for each length of video, as an SVG picture."""

import sys
from collections.abc import Sequence
from html import escape
from pathlib import Path

from benchmarks.evaluation.metrics import ACCURACY, SPANS, Row, chance, estimate, span_of
from benchmarks.leaderboard import read_all
from benchmarks.page import charts
from benchmarks.page.charts import CategoryChart, Mark
from zoomgym.errors import RecordError
from zoomgym.io.commands import Parser, ends_quietly
from zoomgym.io.messages import number_of, plain
from zoomgym.records import Record

__all__ = ["draw_panels", "main"]

KEY_HEIGHT = 30
KEY_GAP = 30
"""Between two names in the key."""


def draw_panels(records: Sequence[Record]) -> str:
    """Returns the SVG picture of agents on graded episodes, the most accurate agent first.

    Args:
        records: every episode that counts; at least one is graded.
    """
    graded = [record for record in records if record.is_graded]
    agents = _agents(graded)
    categories = sorted({record.task.category for record in graded})
    by_span = {name: [record for record in graded if span_of(record) == name] for name, _ in SPANS}
    panels = {name: _panel(own, agents, categories) for name, own in by_span.items() if own}
    width = max(panel.width for panel in panels.values())
    height = KEY_HEIGHT + charts.HEIGHT * len(panels)
    styles = {agent: _style(number) for agent, number in charts.number_agents(agents).items()}
    lines = _key(agents, styles)
    for index, (span, panel) in enumerate(panels.items()):
        lines.append(f'<g transform="translate(0 {KEY_HEIGHT + index * charts.HEIGHT})">')
        lines += [*_axis(span, panel.width), *_groups(panel, styles), "</g>"]
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
            f'width="{width}" height="{height}" font-family="sans-serif" font-size="12">',
            '<rect width="100%" height="100%" fill="white"/>',
            *lines,
            "</svg>\n",
        )
    )


def _agents(records: Sequence[Record]) -> list[str]:
    """Returns the agents in the order of their accuracy over all records, the best first."""
    by_agent: dict[str, list[float]] = {}
    for record in records:
        by_agent.setdefault(record.agent, []).append(record.reward_parts.accuracy)
    return sorted(by_agent, key=lambda agent: (-sum(own := by_agent[agent]) / len(own), agent))


def _panel(
    records: Sequence[Record], agents: Sequence[str], categories: Sequence[str]
) -> CategoryChart:
    """Returns where everything stands in a panel."""
    by_place: dict[tuple[str, str], list[Record]] = {}
    for record in records:
        by_place.setdefault((record.agent, record.task.category), []).append(record)
    rows = [
        Row(agent, category, len(own), 0, {ACCURACY.name: accuracy})
        for (agent, category), own in by_place.items()
        if (accuracy := estimate(ACCURACY, own))
    ]
    chances = {
        category: chance([record for record in records if record.task.category == category])
        for category in categories
    }
    return charts.category_chart(rows, agents, chances)


def _style(index: int) -> tuple[str, str]:
    """Returns the colour and the shape of agent number index, as the page of a run has them."""
    return charts.COLOURS[index % len(charts.COLOURS)][0], charts.shape_path(index)


def _key(agents: Sequence[str], styles: dict[str, tuple[str, str]]) -> list[str]:
    """Returns the names of all agents with their marks."""
    lines, x = [], float(charts.LEFT)
    for agent in agents:
        colour, shape = styles[agent]
        label = charts.shorten(plain(agent), charts.MAX_LABEL)
        lines.append(f'<path transform="translate({x} 16)" fill="{colour}" d="{shape}"/>')
        lines.append(f'<text x="{x + 10}" y="20">{escape(label)}</text>')
        x += charts.CHAR * len(label) + KEY_GAP
    return lines


def _axis(span: str, width: int) -> list[str]:
    """Returns the title of a panel, and the axis of accuracy."""
    lines = [f'<text x="{charts.LEFT}" y="{charts.TOP - 8}" font-weight="bold">{span}</text>']
    for tick in charts.ACCURACY.ticks():
        y = charts.ACCURACY(tick)
        lines.append(f'<path d="M{charts.LEFT} {y}H{width - charts.RIGHT}" stroke="#e2e7ef"/>')
        lines.append(f'<text x="{charts.LEFT - 8}" y="{y + 4}" text-anchor="end">{tick:.1f}</text>')
    return lines


def _groups(panel: CategoryChart, styles: dict[str, tuple[str, str]]) -> list[str]:
    """Returns the marks of all categories, with the level of chance behind them."""
    lines = []
    for group in panel.groups:
        middle, foot = (group.left + group.right) / 2, charts.HEIGHT - charts.BOTTOM + 22
        label = escape(plain(group.label))
        lines.append(f'<text x="{middle}" y="{foot}" text-anchor="middle">{label}</text>')
        lines.append(
            f'<path d="M{group.left} {group.chance_y}H{group.right}" stroke="#888" '
            'stroke-dasharray="4 4"/>'
        )
        lines += [_mark(mark, *styles[mark.agent]) for mark in group.marks]
    return lines


def _mark(mark: Mark, colour: str, shape: str) -> str:
    """Returns an accuracy with its interval."""
    return (
        f'<path d="M{mark.x} {mark.low_y}V{mark.high_y}" stroke="{colour}"/>'
        f'<path transform="translate({mark.x} {mark.y})" fill="{colour}" d="{shape}"/>'
    )


@ends_quietly
def main(argv: Sequence[str] | None = None) -> int:
    """Command line. Parses and reports; draw_panels() does the work."""
    parser = Parser(prog="python -m benchmarks.panels", description=__doc__)
    parser.add_argument("picture", type=Path, help="SVG file to write")
    parser.add_argument("records", type=Path, nargs="+", help="files of records, JSON Lines")
    args = parser.parse_args(argv)
    try:
        records = read_all(args.records)
        if not any(record.is_graded for record in records):
            raise RecordError("needed a graded episode, got none: run `zoomgym grade` first")
        args.picture.write_text(draw_panels(records), encoding="utf-8")
    except (RecordError, OSError) as error:
        parser.fail(error)
    print(f"{number_of(len(records), 'episode')} -> {args.picture}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
