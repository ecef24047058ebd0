"""Means with 95% intervals: by Wilson's formula, or from a bootstrap.

Wilson's is for zeros and ones, where it is honest about 12 of 12, which a bootstrap is not. The
bootstrap is for other numbers and paired differences. Both account for questions about one video.
"""

import math
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

NUM_RESAMPLES, NUM_BATCHES = 10_000, 100
PERCENTILES = (2.5, 97.5)


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean with its interval, of 95% unless stated."""

    mean: float
    low: float
    high: float
    count: int
    """Episodes, or tasks, in the mean."""


def wilson(values: Sequence[float], confidence: float = 0.95) -> Estimate:
    """Returns the mean of independent zeros and ones with the Wilson score interval.

    Source: E. B. Wilson, 1927.
    """
    mean = math.fsum(values) / len(values)
    return Estimate(mean, *_score_interval(mean, len(values), confidence), len(values))


def rate(values: Sequence[float], videos: Sequence[Hashable]) -> Estimate:
    """Returns the mean of zeros and ones with the Wilson score interval at the effective number.

    That is how many independent values would say as much: fewer, where values of one video are
    alike. If all values are alike, it is the number of videos.

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
    """Returns the Wilson score interval for the mean of so many zeros and ones."""
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
    """Returns the mean of values with a percentile bootstrap interval, always the same one.

    Values of one video are drawn together; without videos, each value on its own. If all values
    are alike, bounds (the least and most possible value) keep the interval honest: see `_of_likes`.
    """
    totals, counts = _by_video(values, range(len(values)) if videos is None else videos)
    if bounds is not None and min(values) == max(values):
        low, high = _of_likes(values[0], len(totals), bounds)
    else:
        low, high = _percentiles(tuple(totals.tolist()), tuple(counts.tolist()))
    return Estimate(math.fsum(values) / len(values), low, high, len(values))


def _by_video(
    values: Sequence[float], videos: Sequence[Hashable]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Returns the sum and the count of each video's values, in order of first appearance.

    With a single video, each value counts on its own: that video's tasks are the sample.
    """
    by_video: dict[Hashable, list[float]] = {}
    for value, video in zip(values, videos, strict=True):
        by_video.setdefault(video, []).append(value)
    own = list(by_video.values()) if len(by_video) > 1 else [[value] for value in values]
    return np.array([math.fsum(some) for some in own]), np.array([len(some) for some in own])


@lru_cache(maxsize=1024)
def _percentiles(totals: tuple[float, ...], counts: tuple[int, ...]) -> tuple[float, float]:
    """Returns the bounds of the means of resampled videos; tables and page ask for the same."""
    means = np.concatenate(list(_draws(np.array(totals), np.array(counts))))
    low, high = np.percentile(means, PERCENTILES).tolist()
    return low, high


def _draws(totals: NDArray[np.float64], counts: NDArray[np.int64]) -> Iterator[NDArray[np.float64]]:
    """Yields means of videos drawn with replacement, in batches that fit in memory."""
    rng = np.random.default_rng(0)
    for _ in range(NUM_BATCHES):
        drawn = rng.integers(len(totals), size=(NUM_RESAMPLES // NUM_BATCHES, len(totals)))
        yield totals[drawn].sum(1) / counts[drawn].sum(1)


def _of_likes(value: float, number: int, bounds: tuple[float, float]) -> tuple[float, float]:
    """Returns the interval for so many equal values: others may differ.

    By Wilson, so many successes in a row leave room for a share of exceptions, here at one of the
    bounds. (For ones, this is Wilson's interval itself.)
    """
    share = 1 - wilson([1.0] * number).low
    low, high = (value + share * (bound - value) for bound in bounds)
    return low, high
