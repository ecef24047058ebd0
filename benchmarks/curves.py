"""Draws how policies learned: success on training and on test tasks, as an SVG picture."""

import csv
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

import numpy as np

from benchmarks.page.charts import Scale
from zoomgym.io.commands import Parser, ends_quietly
from zoomgym.io.messages import number_of

__all__ = ["Curve", "draw_curves", "main", "read_curves"]

WIDTH, HEIGHT = 640, 320
LEFT, RIGHT, TOP, BOTTOM = 46, 150, 16, 44
"""Margins of the plot; the names of the runs stand at the right."""
COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#8a6d00", "#56b4e9", "#444444", "#e69f00")
LINE = 16
AXES = {"minutes": "minutes", "steps": "1,000 steps"}
STEPS_UNIT = 1000


@dataclass(frozen=True, slots=True)
class Curve:
    """Success by the progress of one run."""

    name: str
    train: tuple[tuple[float, float], ...]
    """(x, share): of the last hundred training episodes, as they were sampled."""
    test: tuple[tuple[float, float], ...]
    """(x, share): of the test episodes of an evaluation, most likely choices."""


def read_curves(folder: Path, axis: str) -> Curve:
    """Returns the curve of a run of `agents.sb3`, over all its sessions.

    Args:
        folder: of the run.
        axis: of AXES: `minutes` of training, evaluations included, or `steps`, in thousands.

    Raises:
        OSError: there is no log in folder.
    """
    paths = sorted(folder.glob("log/from_*/progress.csv"), key=_first_step)
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
        timed = [row for row in rows if row["time/time_elapsed"]]
        steps = [_number(row, "time/total_timesteps") for row in timed]
        seconds = [start_s + _number(row, "time/time_elapsed") for row in timed]
        if not timed:
            continue
        for column, points in (("rollout/success_rate", train), ("eval/success_rate", test)):
            for row in rows:
                if row.get(column):
                    step = _number(row, "time/total_timesteps")
                    minutes = float(np.interp(step, steps, seconds)) / 60
                    x = minutes if axis == "minutes" else step / STEPS_UNIT
                    points.append((x, _number(row, column)))
        start_s = seconds[-1]
    return Curve(folder.name, tuple(train), tuple(test))


def _first_step(path: Path) -> int:
    """Returns the step at which the session of a log began."""
    return int(path.parent.name.removeprefix("from_"))


def _number(row: dict[str, str], column: str) -> float:
    """Returns a cell as a number."""
    return float(row[column])


def draw_curves(curves: Sequence[Curve], axis: str, chance: float) -> str:
    """Returns the SVG picture of some runs: test tasks as lines with dots, training tasks faint.

    Args:
        curves: of the runs, in the order of their names in the picture.
        axis: of AXES, what their x counts.
        chance: the success of guessing, a dashed line.
    """
    most = max(x for curve in curves for x, _ in (*curve.train, *curve.test))
    across = Scale(0, max(most, 1e-9), LEFT, WIDTH - RIGHT)
    up = Scale(0, 1, HEIGHT - BOTTOM, TOP)
    lines = [*_frame(across, up, AXES[axis]), _level(up(chance))]
    for index, curve in enumerate(curves):
        color = COLORS[index % len(COLORS)]
        lines.append(_line(curve.train, across, up, f'stroke="{color}" stroke-opacity="0.35"'))
        lines.append(_line(curve.test, across, up, f'stroke="{color}" stroke-width="2"'))
        lines += [
            f'<circle cx="{across(x)}" cy="{up(y)}" r="2.5" fill="{color}"/>' for x, y in curve.test
        ]
        y = TOP + 10 + index * LINE
        lines.append(
            f'<text x="{WIDTH - RIGHT + 10}" y="{y}" fill="{color}">{escape(curve.name)}</text>'
        )
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
            f'width="{WIDTH}" height="{HEIGHT}" font-family="sans-serif" font-size="12">',
            '<rect width="100%" height="100%" fill="white"/>',
            *lines,
            "</svg>\n",
        )
    )


def _frame(across: Scale, up: Scale, unit: str) -> list[str]:
    """Returns the axes with their numbers."""
    lines = []
    for tick in up.ticks():
        y = up(tick)
        lines.append(f'<path d="M{LEFT} {y}H{WIDTH - RIGHT}" stroke="#e2e7ef"/>')
        lines.append(f'<text x="{LEFT - 6}" y="{y + 4}" text-anchor="end">{tick:g}</text>')
    for tick in across.ticks():
        x = across(tick)
        lines.append(
            f'<text x="{x}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{tick:g}</text>'
        )
    middle = (LEFT + WIDTH - RIGHT) / 2
    lines.append(f'<text x="{middle}" y="{HEIGHT - 8}" text-anchor="middle">{unit}</text>')
    lines.append(
        f'<text transform="translate(12 {(TOP + HEIGHT - BOTTOM) / 2}) rotate(-90)" '
        'text-anchor="middle">success</text>'
    )
    return lines


def _level(y: float) -> str:
    """Returns the line of chance."""
    return f'<path d="M{LEFT} {y}H{WIDTH - RIGHT}" stroke="#888" stroke-dasharray="4 4"/>'


def _line(points: Sequence[tuple[float, float]], across: Scale, up: Scale, style: str) -> str:
    """Returns a line through points."""
    places = " ".join(f"{across(x)},{up(y)}" for x, y in points)
    return f'<polyline points="{places}" fill="none" {style}/>'


@ends_quietly
def main(argv: Sequence[str] | None = None) -> int:
    """Command line. Parses and reports; draw_curves() does the work."""
    parser = Parser(prog="python -m benchmarks.curves", description=__doc__)
    parser.add_argument("picture", type=Path, help="SVG file to write")
    parser.add_argument(
        "runs", type=Path, nargs="+", help="folders that `python -m agents.sb3 train --out` wrote"
    )
    parser.add_argument("--axis", choices=AXES, default="minutes", help="default: minutes")
    parser.add_argument(
        "--chance",
        type=float,
        default=0.25,
        help="success of guessing, a dashed line; default: 0.25",
    )
    args = parser.parse_args(argv)
    try:
        curves = [read_curves(run, args.axis) for run in args.runs]
        args.picture.write_text(draw_curves(curves, args.axis, args.chance), "utf-8")
    except OSError as error:
        parser.fail(error)
    print(f"{number_of(len(curves), 'run')} -> {args.picture}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
