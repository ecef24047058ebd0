"""Plans of studies: a claim, its refutation, the arms that are compared, and how they are judged.

A plan is fixed before a study runs: the contrasts, what they need to exceed, and the seeds.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from zoomgym.records import Record

FULL, QUICK, GPU = "full", "quick", "gpu"
"""Sizes: every study has the first two, some that for a GPU."""
LEAST_SEEDS = 5
"""Fewer seeds decide nothing."""

Curve = Sequence[Mapping[str, float]]
"""How training went: means of every step."""
Measure = Callable[[Record], float | None]
"""Something that is measured for an episode; None where it does not apply."""


@dataclass(frozen=True, slots=True)
class OfTraining:
    """Something that is measured of a training, by its curve; None where it does not apply."""

    measure: Callable[[Curve], float | None]


@dataclass(frozen=True, slots=True)
class Cell:
    """One arm with one seed, at a size."""

    study: str
    size: str
    arm: str
    seed: int


@dataclass(frozen=True, slots=True)
class Contrast:
    """A part of the claim: that an arm exceeds another one, or a number, by a measure.

    Arms are compared task by task and seed by seed.
    """

    says: str
    measure: str
    arm: str
    base: str | None = None
    """Another arm; None compares with `more_than` alone."""
    more_than: float = 0.0
    """Bound that the difference, or the mean, has to exceed."""


@dataclass(frozen=True, slots=True)
class Results:
    """The episodes of a study by arm and seed."""

    records: Mapping[tuple[str, int], Sequence[Record]]
    curves: Mapping[tuple[str, int], Curve] = field(default_factory=dict)
    """How training went, by arm and seed."""

    @property
    def seeds(self) -> list[int]:
        """The seeds that were played."""
        return sorted({seed for _, seed in self.records})

    def of(self, arm: str) -> list[Record]:
        """Returns the episodes of an arm, seed by seed."""
        return [one for (name, _), own in self.records.items() if name == arm for one in own]

    def by_seed(self, arm: str, measure: Measure | OfTraining) -> list[list[float]]:
        """Returns what is measured in an arm, where it applies, seed by seed."""
        return [list(own.values()) for own in self.values(arm, measure).values() if own]

    def values(self, arm: str, measure: Measure | OfTraining) -> dict[int, dict[str, float]]:
        """Returns what is measured in an arm, where it applies, by seed and task."""
        found: dict[int, dict[str, float]] = {}
        if isinstance(measure, OfTraining):
            curves = {seed: curve for (name, seed), curve in self.curves.items() if name == arm}
            once = {seed: measure.measure(curve) for seed, curve in curves.items()}
            return {seed: {"": value} for seed, value in once.items() if value is not None}
        for (name, seed), own in self.records.items():
            if name == arm:
                measured = {record.task.id: measure(record) for record in own}
                found[seed] = {task: one for task, one in measured.items() if one is not None}
        return found


@dataclass(frozen=True, slots=True)
class Study:
    """A claim and how it is tested."""

    name: str
    title: str
    claim: str
    source: str
    """Paper or text that makes the claim."""
    refuted_by: str
    """Outcome that would refute the claim."""
    cannot_show: str
    """Limits of the study."""
    arms: tuple[str, ...]
    measures: Mapping[str, Measure | OfTraining]
    contrasts: tuple[Contrast, ...]
    sizes: Mapping[str, Any]
    """Amounts of everything, by the name of the size; what they are is the study's own."""
    play: Callable[[Cell, Any, Path, AbstractSet[str]], Iterator[Record]]
    """Yields the episodes of a cell at a size. It may write into a folder of its own, to resume
    from, and leaves out the tasks that are named: those were played before."""
    draw: Callable[[Results], Figure]
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)

    def cells(self, size: str, seeds: Sequence[int]) -> list[Cell]:
        """Returns all cells, seed by seed, so that a study that is stopped has whole seeds."""
        return [Cell(self.name, size, arm, seed) for seed in seeds for arm in self.arms]
