from collections.abc import Sequence

import numpy as np
import pytest

from benchmarks.evaluation import statistics
from benchmarks.evaluation.statistics import Estimate, bootstrap, rate, wilson


def slow_bootstrap(values: Sequence[float], videos: Sequence[str]) -> tuple[float, float]:
    """Returns the interval of 2000 draws of whole videos."""
    rng = np.random.default_rng(1)
    names = np.array(videos)
    by_video = [np.array(values)[names == name] for name in sorted(set(videos))]
    means = []
    for _ in range(2000):
        drawn = rng.integers(len(by_video), size=len(by_video))
        means.append(np.concatenate([by_video[index] for index in drawn]).mean())
    means.sort()
    return float(means[50]), float(means[1950])


def test_the_wilson_interval_is_that_of_the_textbook() -> None:
    estimate = wilson([1.0] * 8 + [0.0] * 2)  # R: binom.confint(8, 10, method="wilson")
    assert (estimate.mean, estimate.count) == (0.8, 10)
    assert (round(estimate.low, 4), round(estimate.high, 4)) == (0.4902, 0.9433)
    sure = wilson([1.0] * 12)
    assert (sure.mean, round(sure.low, 4), sure.high) == (1.0, 0.7575, 1.0)
    assert wilson([0.0] * 12).low == 0.0


def test_a_rate_of_tasks_with_videos_of_their_own_is_wilsons() -> None:
    values = [1.0, 0.0, 0.0, 1.0, 1.0]
    found, expected = rate(values, "abcde"), wilson(values)
    assert (found.mean, found.count) == (0.6, 5)
    assert found == expected
    assert rate(values, "aaaaa") == expected  # all there is to know is of one video


def test_a_rate_of_tasks_that_share_videos_has_the_interval_of_a_slow_bootstrap() -> None:
    rng = np.random.default_rng(0)
    values, videos = [], []
    for index in range(60):
        ease = rng.random()
        for _ in range(rng.integers(1, 12)):
            values.append(float(rng.random() < ease))
            videos.append(f"video {index}")
    found = rate(values, videos)
    low, high = slow_bootstrap(values, videos)
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.015)
    alone = wilson(values)
    assert high - low > 1.3 * (alone.high - alone.low)


def test_answers_that_only_repeat_those_to_the_same_video_tell_no_more() -> None:
    assert rate([1.0] * 30, "abc" * 10) == Estimate(1.0, wilson([1.0] * 3).low, 1.0, 30)
    half = rate([1.0, 0.0] * 30, ["a", "b"] * 30)
    assert half.high - half.low > 0.8  # two videos only
    even = rate([1.0, 0.0] * 30, sorted("abc" * 20))  # each video has as many of both
    assert (even.low, even.high) == (wilson([1.0, 0.0] * 30).low, wilson([1.0, 0.0] * 30).high)


def test_the_bootstrap_agrees_with_a_slow_one() -> None:
    values = [0.0, 0.1, 1.0, 1.5, 1.5, 0.9]
    for videos in ("abcdef", "aabbcc", "aaabcd"):
        estimate = bootstrap(values, videos)
        low, high = slow_bootstrap(values, list(videos))
        assert (estimate.mean, estimate.count) == (pytest.approx(np.mean(values)), 6)
        assert (estimate.low, estimate.high) == pytest.approx((low, high), abs=0.05)
    assert bootstrap(values) == bootstrap(values, "abcdef")
    assert bootstrap(values) == bootstrap(values, "aaaaaa")


def test_differences_that_are_all_alike_may_still_be_otherwise_elsewhere() -> None:
    low = wilson([1.0] * 12).low  # 0.76
    assert bootstrap([1.0] * 12, bounds=(0, 1)) == Estimate(1.0, pytest.approx(low), 1.0, 12)
    none = bootstrap([0.0] * 12, bounds=(-1, 1))
    assert (none.low, none.high) == pytest.approx((low - 1, 1 - low))
    assert bootstrap([1.0] * 12, bounds=(-1, 1)).low == pytest.approx(2 * low - 1)
    few = bootstrap([0.0] * 12, "abc" * 4, bounds=(-1, 1))
    assert few.high == pytest.approx(1 - wilson([1.0] * 3).low)


def test_resampling_for_tables_and_page_is_done_once(monkeypatch: pytest.MonkeyPatch) -> None:
    values = [0.25, 3.5, 17.0, 17.5]
    first = bootstrap(values)
    monkeypatch.setattr(statistics, "_draws", None)
    assert bootstrap(list(values)) == first
