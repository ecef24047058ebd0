"""Verdicts: intervals over seeds and tasks, and what they say of a contrast."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from benchmarks.evaluation.statistics import NUM_RESAMPLES, PERCENTILES, Estimate
from benchmarks.studies.plan import LEAST_SEEDS, Contrast, Results, Study

NUM_AT_ONCE = 250
"""Resamples in a batch, which fits in memory."""
T_QUANTILES = {5: 2.776, 6: 2.571, 7: 2.447, 8: 2.365, 9: 2.306, 10: 2.262}
"""By the number of seeds: 97.5% of Student's t distribution, with a degree of freedom less."""


class Judgment(Enum):
    """What an interval says of a contrast."""

    HOLDS = "holds"
    FAILS = "does not hold here"
    OPEN = "undecided"


@dataclass(frozen=True, slots=True)
class JudgedContrast:
    """A contrast as it was measured."""

    contrast: Contrast
    estimate: Estimate
    """The mean difference, or the mean, with its interval over seeds and tasks."""
    by_seed: dict[int, float]
    """Means by seed."""
    verdict: Judgment
    by_t: Judgment
    """The verdict by Student's t over the means by seed, a wider interval for few seeds."""


def judge_all(study: Study, results: Results) -> list[JudgedContrast]:
    """Returns what was measured of every contrast whose arms were played."""
    found = []
    for contrast in study.contrasts:
        values = _differences(study, results, contrast)
        if values:
            estimate = over_seeds(list(values.values()))
            by_seed = {seed: float(np.mean(own)) for seed, own in values.items()}
            bound, num_seeds = contrast.more_than, len(values)
            verdict = judge(estimate, bound, num_seeds)
            by_t = judge(by_students_t(list(by_seed.values())), bound, num_seeds)
            found.append(JudgedContrast(contrast, estimate, by_seed, verdict, by_t))
    return found


def judge(estimate: Estimate, more_than: float, num_seeds: int) -> Judgment:
    """Returns what an interval says: it has to be wholly above the bound, or wholly below."""
    if num_seeds < LEAST_SEEDS:
        return Judgment.OPEN
    if estimate.low > more_than:
        return Judgment.HOLDS
    return Judgment.FAILS if estimate.high < more_than else Judgment.OPEN


def over_seeds(values: Sequence[Sequence[float]]) -> Estimate:
    """Returns the mean of values with a 95% interval of a hierarchical bootstrap.

    Seeds are drawn with replacement, then the tasks of each: so the interval is for other seeds and
    other tasks. With a single seed it is for other tasks only. Every seed counts alike.

    Args:
        values: of each seed, one for each task.

    Source: Davison and Hinkley 1997, "Bootstrap methods and their application", section 3.8.
    """
    rng = np.random.default_rng(0)
    arrays = [np.asarray(own, dtype=float) for own in values]
    means = np.concatenate([_draw(rng, arrays) for _ in range(NUM_RESAMPLES // NUM_AT_ONCE)])
    low, high = np.percentile(means, PERCENTILES).tolist()
    mean = float(np.mean([own.mean() for own in arrays]))
    return Estimate(mean, low, high, sum(map(len, arrays)))


def by_students_t(means: Sequence[float]) -> Estimate:
    """Returns the mean of the means of seeds with a 95% interval by Student's t.

    A bootstrap of five seeds covers less than it says; this does not, if their means are normally
    distributed. Fewer than five have an interval without ends, more than ten that of ten.
    """
    mean = float(np.mean(means))
    if len(means) < LEAST_SEEDS:
        return Estimate(mean, -np.inf, np.inf, len(means))
    half = T_QUANTILES[min(len(means), max(T_QUANTILES))] * np.std(means, ddof=1)
    half /= np.sqrt(len(means))
    return Estimate(mean, float(mean - half), float(mean + half), len(means))


def _draw(rng: np.random.Generator, arrays: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Returns so many means of seeds and tasks that are drawn with replacement."""
    drawn = rng.integers(len(arrays), size=(NUM_AT_ONCE, len(arrays)))
    means = np.empty(drawn.shape)
    for index, own in enumerate(arrays):
        is_it = drawn == index
        tasks = rng.integers(len(own), size=(int(is_it.sum()), len(own)))
        means[is_it] = own[tasks].mean(axis=1)
    drawn_means: NDArray[np.float64] = means.mean(axis=1)
    return drawn_means


def _differences(study: Study, results: Results, contrast: Contrast) -> dict[int, list[float]]:
    """Returns the differences of a contrast, or its values, by seed; without seeds that lack any.

    Raises ValueError if the two arms of a seed have no task in common.
    """
    measure = study.measures[contrast.measure]
    own = results.values(contrast.arm, measure)
    if contrast.base is None:
        return {seed: list(by_task.values()) for seed, by_task in own.items() if by_task}
    base = results.values(contrast.base, measure)
    pairs = {seed: _paired(own[seed], base[seed]) for seed in own if seed in base}
    if any(not some for some in pairs.values()):
        raise ValueError(f"{study.name}: {contrast.arm} and {contrast.base} share no task")
    return pairs


def _paired(own: Mapping[str, float], base: Mapping[str, float]) -> list[float]:
    """Returns the differences on tasks that both have."""
    return [value - base[task] for task, value in own.items() if task in base]
