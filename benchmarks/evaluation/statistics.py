"""Means and their intervals of 95%: by Wilson's formula, or from a bootstrap.

Wilson's is for zeros and ones, where it is honest about 12 of 12, of which every bootstrap draw is
alike. The bootstrap is for all other numbers, and for differences in pairs. Both mind that
questions about one video are not independent.
"""

import math
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

NUM_RESAMPLES, NUM_BATCHES = 10_000, 100
PERCENTILES = (2.5, 97.5)
"""Bounds of an interval of 95%."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean with its interval, of 95% unless told."""

    mean: float
    low: float
    high: float
    count: int
    """Number of episodes, or tasks, that it is the mean of."""


def wilson(values: Sequence[float], confidence: float = 0.95) -> Estimate:
    """Returns the mean of zeros and ones, independent ones, with the Wilson score interval.

    Source: E. B. Wilson, 1927.
    """
    mean = math.fsum(values) / len(values)
    return Estimate(mean, *_score_interval(mean, len(values), confidence), len(values))


def rate(values: Sequence[float], videos: Sequence[Hashable]) -> Estimate:
    """Returns the mean of zeros and ones with the Wilson score interval of the effective number.

    That is the number of independent values which would tell as much. It is smaller than theirs
    where those of one video are alike; of values that are all alike, it is the number of videos.

    Source: Dean and Pagano 2015, "Evaluating confidence interval methods for binomial proportions
    in clustered surveys".
    """
    mean, count = math.fsum(values) / len(values), len(values)
    totals, counts = _by_video(values, videos)
    number = float(len(totals))
    if 0 < mean < 1 and number < count:
        scatter = float(((totals - mean * counts) ** 2).sum()) * number / (number - 1)
        alone = mean * (1 - mean) * count**2 / (count - 1)  # of independent values
        number = count * min(1.0, alone / scatter) if scatter else count
    return Estimate(mean, *_score_interval(mean, number, 0.95), count)


def _score_interval(mean: float, number: float, confidence: float) -> tuple[float, float]:
    """Returns the Wilson score interval about the mean of so many zeros and ones."""
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    spread = z**2 / number
    center = (mean + spread / 2) / (1 + spread)
    half = z / (1 + spread) * math.sqrt(mean * (1 - mean) / number + spread / (4 * number))
    low = center - half if mean > 0 else 0.0  # exactly, where rounding leaves 3e-17
    return low, center + half if mean < 1 else 1.0


def bootstrap(
    values: Sequence[float],
    videos: Sequence[Hashable] | None = None,
    bounds: tuple[float, float] | None = None,
) -> Estimate:
    """Returns the mean with a percentile bootstrap interval, always the same one.

    Args:
        values: there is at least one.
        videos: of each value, its video: what belongs to one is drawn together. None: no two
            values share one.
        bounds: the least and the most that a value may be. They make the interval honest where all
            values are alike, see `_of_likes`.
    """
    totals, counts = _by_video(values, range(len(values)) if videos is None else videos)
    if bounds is not None and min(values) == max(values):
        low, high = _of_likes(values[0], len(totals), bounds)
    else:
        means = np.concatenate(list(_draws(totals, counts)))
        low, high = np.percentile(means, PERCENTILES).tolist()
    return Estimate(math.fsum(values) / len(values), low, high, len(values))


def _by_video(
    values: Sequence[float], videos: Sequence[Hashable]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Returns the sum and the number of values of each video, in the order of their first ones.

    If there is but one video, they are of each value: it is that video's tasks which are sampled.
    """
    by_video: dict[Hashable, list[float]] = {}
    for value, video in zip(values, videos, strict=True):
        by_video.setdefault(video, []).append(value)
    own = list(by_video.values()) if len(by_video) > 1 else [[value] for value in values]
    return np.array([math.fsum(some) for some in own]), np.array([len(some) for some in own])


def _draws(totals: NDArray[np.float64], counts: NDArray[np.int64]) -> Iterator[NDArray[np.float64]]:
    """Yields means of as many videos, drawn with replacement, in batches that fit in memory."""
    rng = np.random.default_rng(0)
    for _ in range(NUM_BATCHES):
        drawn = rng.integers(len(totals), size=(NUM_RESAMPLES // NUM_BATCHES, len(totals)))
        yield totals[drawn].sum(1) / counts[drawn].sum(1)


def _of_likes(value: float, number: int, bounds: tuple[float, float]) -> tuple[float, float]:
    """Returns the interval about so many values without exception: others may be otherwise.

    By Wilson, so many successes without exception leave room for a share of exceptions; these are
    taken to lie at one of the bounds. (Of ones, this is Wilson's interval itself.)
    """
    share = 1 - wilson([1.0] * number).low
    low, high = (value + share * (bound - value) for bound in bounds)
    return low, high
