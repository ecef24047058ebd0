"""Draws the pictures of the documentation as SVG: the same data, the same bytes.

python -m benchmarks.figures categories OUT.svg RECORDS..  accuracy by category
python -m benchmarks.figures curves OUT.svg RUN..          progress in training
python -m benchmarks.figures decoding OUT.svg VIDEO.json   times of decoding
"""

import argparse
import csv
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.evaluation.grouping import grouped
from benchmarks.evaluation.metrics import ACCURACY, SPANS, chance, estimate, span_of
from benchmarks.evaluation.statistics import Estimate, wilson
from benchmarks.leaderboard import read_all
from benchmarks.page.charts import MAX_LABEL, shorten
from benchmarks.page.palette import AGENT_COLORS, SHAPES, number_agents
from zoomgym.errors import RecordError
from zoomgym.io import number_of, plain
from zoomgym.io.commands import Parser, ends_quietly
from zoomgym.records import Record

COLORS = [on_light for on_light, _ in AGENT_COLORS]
MARKERS = "os^Dv"
"""Markers of agents, in the order of their shapes on a page."""
STYLE: Any = {
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.spines.right": False,
    "axes.spines.top": False,
    "font.size": 9,
    "grid.color": "#e2e7ef",
    "hatch.color": COLORS[3],
    "legend.frameon": False,
    "svg.fonttype": "none",  # texts stay texts
    "svg.hashsalt": "zoomgym",
}
CHANCE: Any = {"color": "#888888", "linestyle": (0, (4, 4)), "linewidth": 1}
AXES = {
    "minutes": "minutes",
    "processor": "minutes of processor time",
    "steps": "1,000 steps",
}
CLOCKS = {"processor": "time/processor_s"}
"""Columns of a log with the time of an axis, in seconds; of others time/time_elapsed."""
STEPS_UNIT = 1000
OTHERS = "#999999"  # bars of peers


# Accuracy by category -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Panel:
    """Accuracy on videos of some length."""

    title: str
    accuracies: Mapping[tuple[str, str], Estimate]
    """Accuracy by agent and category."""
    chances: Mapping[str, float]


def panels_of(records: Sequence[Record]) -> list[Panel]:
    """Returns a panel for each length of video, of graded records."""
    panels = []
    for span, _ in SPANS:
        some = [record for record in records if record.is_graded and span_of(record) == span]
        by_place = grouped(some, lambda record: (record.agent, record.task.category))
        by_category = grouped(some, lambda record: record.task.category)
        if some:
            found = {place: estimate(ACCURACY, own) for place, own in by_place.items()}
            known = {place: accuracy for place, accuracy in found.items() if accuracy}
            chances = {category: chance(own) for category, own in sorted(by_category.items())}
            panels.append(Panel(span, known, chances))
    return panels


def read_panels(path: Path) -> list[Panel]:
    """Returns the panels of a CSV file that `python -m benchmarks.leaderboard` wrote.

    Its cells of one difficulty each are pooled, which is right where no two tasks of a cell share a
    video, as in synthetic suites. Raises RecordError if it has no such cells.
    """
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    is_right: dict[str, dict[tuple[str, str], list[float]]] = {}
    for row in rows:
        if row.get("table") == "cells" and row["column"] != "tasks" and row["mean"]:
            count, mean = int(row["count"]), float(row["mean"])
            hits = round(count * mean)
            of_span = is_right.setdefault(row.get("length") or "", {})
            of_span.setdefault((row["column"], row["category"]), []).extend(
                [1.0] * hits + [0.0] * (count - hits)
            )
    if not is_right:
        raise RecordError(f"{path}: needed cells of category and length, got none: give records")
    chances = {
        row["column"]: float(row["mean"])
        for row in rows
        if row["table"] == "categories" and row["agent"] == "(chance)"
    }
    return [
        Panel(span, {place: wilson(values) for place, values in is_right[span].items()}, chances)
        for span in sorted(is_right, key=[name for name, _ in SPANS].index)
    ]


def draw_categories(panels: Sequence[Panel]) -> Figure:
    """Returns the picture of accuracy by category, a panel a length, the best agent first."""
    totals: dict[str, list[tuple[float, int]]] = {}
    for panel in panels:
        for (agent, _), one in panel.accuracies.items():
            totals.setdefault(agent, []).append((one.mean * one.count, one.count))
    means = {
        agent: sum(s for s, _ in own) / sum(n for _, n in own) for agent, own in totals.items()
    }
    agents = sorted(means, key=lambda agent: (-means[agent], agent))
    numbers = number_agents(agents)
    width = max(7.0, 0.11 * len(agents) * max(len(panel.chances) for panel in panels) + 2)
    figure = Figure(figsize=(width, 2.4 * len(panels) + 0.5), layout="constrained")
    axes = figure.subplots(len(panels), squeeze=False)[:, 0]
    for ax, panel in zip(axes, panels, strict=True):
        _draw_panel(ax, panel, agents, numbers)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper left", ncols=4)
    return figure


def _draw_panel(ax: Axes, panel: Panel, agents: Sequence[str], numbers: Mapping[str, int]) -> None:
    categories = list(panel.chances)
    ax.set_title(panel.title, loc="left", fontweight="bold", fontsize="medium")
    ax.set(ylim=(-0.03, 1.03), ylabel="accuracy")
    ax.set_xticks(range(len(categories)), [_label(name) or "(none)" for name in categories])
    ax.tick_params(axis="x", length=0)
    for place, level in enumerate(panel.chances.values()):
        ax.plot((place - 0.45, place + 0.45), (level, level), **CHANCE)
    for index, agent in enumerate(agents):
        aside = 0.8 * ((index + 0.5) / len(agents) - 0.5)
        found = {
            place + aside: panel.accuracies[agent, category]
            for place, category in enumerate(categories)
            if (agent, category) in panel.accuracies
        }
        below = [one.mean - one.low for one in found.values()]
        above = [one.high - one.mean for one in found.values()]
        ax.errorbar(
            list(found),
            [one.mean for one in found.values()],
            yerr=(below, above),
            color=COLORS[numbers[agent] % len(COLORS)],
            marker=MARKERS[numbers[agent] % len(SHAPES)],
            markersize=5,
            linestyle="none",
            linewidth=1,
            label=_label(agent),
        )


def _label(name: str) -> str:
    """Returns a name for display: cleaned, short, and never as mathematics."""
    return shorten(plain(name), MAX_LABEL).replace("$", r"\$")


# Learning curves ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class LearningCurve:
    """Success of one run by its progress."""

    name: str
    train: tuple[tuple[float, float], ...]
    """Progress and success of the last hundred training episodes, with sampled actions."""
    test: tuple[tuple[float, float], ...]
    """Progress and success of the test episodes, with the most likely actions."""


def read_curve(folder: Path, axis: str) -> LearningCurve:
    """Returns the curve of a run of `agents.sb3`, over all its sessions.

    Its x are `minutes` of training, evaluations included, by the wall clock or of `processor` time,
    or `steps`, in thousands.

    Raises:
        OSError: there is no log, or none of processor time.
    """
    clock = CLOCKS.get(axis, "time/time_elapsed")
    paths = sorted(
        folder.glob("log/from_*/progress.csv"),
        key=lambda path: int(path.parent.name.removeprefix("from_")),  # its first step
    )
    if not paths:
        raise FileNotFoundError(
            f"{folder} needs a log of agents.sb3, found none: name the --out of "
            "`python -m agents.sb3 train`"
        )
    train: list[tuple[float, float]] = []
    test: list[tuple[float, float]] = []
    start_s = 0.0
    for path in paths:
        with path.open(newline="") as file:
            rows = list(csv.DictReader(file))
        if rows and clock not in rows[0]:
            raise FileNotFoundError(f"{path} needs a column {clock}, found none: use another axis")
        timed = [row for row in rows if row[clock]]
        steps = [float(row["time/total_timesteps"]) for row in timed]
        seconds = [start_s + float(row[clock]) for row in timed]
        if not timed:
            continue
        for column, points in (("rollout/success_rate", train), ("eval/success_rate", test)):
            for row in rows:
                if row.get(column):
                    step = float(row["time/total_timesteps"])
                    minutes = float(np.interp(step, steps, seconds)) / 60
                    x = step / STEPS_UNIT if axis == "steps" else minutes
                    points.append((x, float(row[column])))
        start_s = seconds[-1]
    return LearningCurve(folder.name, tuple(train), tuple(test))


def draw_curves(curves: Sequence[LearningCurve], axis: str, level: float) -> Figure:
    """Returns the picture of runs: tests are dotted lines, training is faint, guessing dashed."""
    figure = Figure(figsize=(7, 3.4), layout="constrained")
    ax = figure.subplots()
    ax.axhline(level, **CHANCE)
    for index, curve in enumerate(curves):
        color = COLORS[index % len(COLORS)]
        ax.plot(*np.reshape(curve.train, (-1, 2)).T, color=color, alpha=0.35, linewidth=1)
        ax.plot(*np.reshape(curve.test, (-1, 2)).T, color=color, marker="o", markersize=3)
        ax.lines[-1].set_label(_label(curve.name))
    ax.set(ylim=(-0.03, 1.03), xlim=(0, None), xlabel=AXES[axis], ylabel="success")
    figure.legend(loc="outside right upper")
    return figure


# Decoding -----------------------------------------------------------------------------------------


def draw_decoding(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """Returns the picture of medians: bars for each file and work; wrong frames are hatched.

    Rows are those of a part of `video.json`, see `benchmarks.speed`.
    """
    groups = grouped(rows, lambda row: (row["file"], row["work"]))
    compared = {place: own for place, own in groups.items() if len(own) > 1}
    if not compared:
        raise RecordError("needed rows that compare at least two peers, got none")
    heights = [len(own) + 1.2 for own in compared.values()]
    figure = Figure(figsize=(8, 0.2 * sum(heights)), layout="constrained")
    axes = figure.subplots(len(compared), height_ratios=heights, squeeze=False)[:, 0]
    for ax, (place, own) in zip(axes, compared.items(), strict=True):
        _draw_group(ax, " - ".join(place), own)
    return figure


def _draw_group(ax: Axes, title: str, rows: Sequence[Mapping[str, Any]]) -> None:
    longest_s = max((row["median_s"] or 0.0 for row in rows), default=0.0) or 1.0
    for place, row in enumerate(rows):
        share = (row["median_s"] or 0.0) / longest_s
        is_ours = row["peer"].startswith("ours")
        bar: Any = {"color": COLORS[0] if is_ours else OTHERS}
        if row["num_wrong"]:
            bar = {"facecolor": "white", "edgecolor": COLORS[3], "hatch": "////"}
        ax.barh(place, share, height=0.75, **bar)
        text = f"{1e3 * row['median_s']:.0f} ms" if row["median_s"] else row["error"][:40]
        if row["num_wrong"]:
            text += f", {row['num_wrong']} of {row['num_frames']} frames wrong"
        ax.text(share + 0.01, place, text, va="center")
    ax.set_title(title, loc="left", fontweight="bold", fontsize="medium")
    ax.set_yticks(range(len(rows)), [row["peer"] for row in rows])
    ax.set(xlim=(0, 1.7), ylim=(len(rows) - 0.5, -0.5), xticks=())
    ax.tick_params(axis="y", length=0)
    ax.grid(visible=False)
    ax.spines[:].set_visible(False)


# Command ------------------------------------------------------------------------------------------


def _categories(args: argparse.Namespace) -> tuple[Figure, str]:
    if [path.suffix for path in args.records] == [".csv"]:
        panels = read_panels(args.records[0])
        return draw_categories(panels), number_of(len(panels), "length")
    records = read_all(args.records)
    panels = panels_of(records)
    if not panels:
        raise RecordError("needed a graded episode, got none: run `zoomgym grade` first")
    return draw_categories(panels), number_of(len(records), "episode")


def _curves(args: argparse.Namespace) -> tuple[Figure, str]:
    curves = [read_curve(run, args.axis) for run in args.runs]
    return draw_curves(curves, args.axis, args.chance), number_of(len(curves), "run")


def _decoding(args: argparse.Namespace) -> tuple[Figure, str]:
    try:
        rows = json.loads(args.results.read_text(encoding="utf-8"))["parts"][args.part]["rows"]
    except (ValueError, KeyError, TypeError) as error:
        raise RecordError(
            f"{args.results}: needed the part {args.part} of `python -m benchmarks.speed video`, "
            f"got none ({type(error).__name__}: {error})"
        ) from error
    return draw_decoding(rows), number_of(len(rows), "row")


def _parser() -> Parser:
    parser = Parser(
        prog="python -m benchmarks.figures",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="what", required=True)
    categories, curves, decoding = map(commands.add_parser, ("categories", "curves", "decoding"))
    for command, draw in ((categories, _categories), (curves, _curves), (decoding, _decoding)):
        command.set_defaults(draw=draw)
        command.add_argument("picture", type=Path, help="SVG file to write")
    categories.add_argument(
        "records",
        type=Path,
        nargs="+",
        help="files of records, JSON Lines, or one CSV file of `benchmarks.leaderboard`",
    )
    curves.add_argument(
        "runs", type=Path, nargs="+", help="folders that `python -m agents.sb3 train --out` wrote"
    )
    curves.add_argument("--axis", choices=AXES, default="minutes", help="default: minutes")
    curves.add_argument(
        "--chance",
        type=float,
        default=0.25,
        help="success of guessing, a dashed line; default: 0.25",
    )
    decoding.add_argument("results", type=Path, help="video.json of `benchmarks.speed video`")
    decoding.add_argument("--part", default="peers", help="part of it; default: peers")
    return parser


@ends_quietly
def main(argv: Sequence[str] | None = None) -> int:
    """Command line. Draws a picture and says where it is."""
    parser = _parser()
    args = parser.parse_args(argv)
    try:
        with matplotlib.rc_context(STYLE):
            figure, what = args.draw(args)
            figure.savefig(args.picture, format="svg", metadata={"Date": None, "Creator": None})
    except (RecordError, OSError) as error:
        parser.fail(error)
    print(f"{what} -> {args.picture}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
