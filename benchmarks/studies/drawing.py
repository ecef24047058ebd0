"""What the figures of studies share: means with intervals, dots of seeds, curves of training."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from benchmarks.figures import COLORS, MARKERS
from benchmarks.studies.plan import Results
from benchmarks.studies.verdicts import over_seeds

SMOOTHED = 9
"""Steps over which a curve is smoothed."""


def draw_mean(
    axes: Axes, at: float, by_seed: Sequence[Sequence[float]], number: int, label: str = ""
) -> None:
    """Draws the mean of values with its interval, and beside it a dot for the mean of each seed.

    Args:
        axes: to draw on.
        at: where, from left to right.
        by_seed: values of the tasks of each seed; without any, nothing is drawn.
        number: of the color and the marker.
        label: for the legend, if any.
    """
    draw_line(axes, [(at, by_seed)], number, label, is_joined=False)
    dots = [float(np.mean(own)) for own in by_seed]
    beside = [at + 0.07] * len(dots)
    axes.plot(beside, dots, MARKERS[number], color=COLORS[number], markersize=3, alpha=0.4)


def draw_line(
    axes: Axes,
    points: Sequence[tuple[float, Sequence[Sequence[float]]]],
    number: int,
    label: str = "",
    *,
    is_joined: bool = True,
) -> None:
    """Draws means of values with their intervals, and a line through them.

    Args:
        axes: to draw on.
        points: where, from left to right, and the values of the tasks of each seed.
        number: of the color and the marker.
        label: for the legend, if any.
        is_joined: whether there is a line.
    """
    means = [(at, over_seeds(by_seed)) for at, by_seed in points if by_seed]
    axes.errorbar(
        [at for at, _ in means],
        [one.mean for _, one in means],
        yerr=[[one.mean - one.low for _, one in means], [one.high - one.mean for _, one in means]],
        color=COLORS[number],
        marker=MARKERS[number],
        markersize=4,
        linestyle="-" if is_joined else "",
        label=label if means else "",
    )


def draw_curves(
    axes: Axes, results: Results, arm: str, name: str, number: int, label: str = ""
) -> None:
    """Draws how training went in an arm, a line for each seed: smoothed means of every step."""
    for (own, seed), curve in sorted(results.curves.items()):
        if own == arm:
            values = smooth([one.get(name, np.nan) for one in curve])
            steps = range(1, len(values) + 1)
            first = label if seed == results.seeds[0] else ""
            axes.plot(steps, values, color=COLORS[number], lw=1, label=first)
    axes.set_xlabel("step")


def smooth(values: Sequence[float], width: int = SMOOTHED) -> list[float]:
    """Returns the mean of so many values around each; NaNs do not count, and stay."""
    half = width // 2
    return [
        np.nan
        if np.isnan(value)
        else float(np.nanmean(values[max(0, index - half) : index + half + 1]))
        for index, value in enumerate(values)
    ]
