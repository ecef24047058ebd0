import pytest

from zoomgym.retries import is_passing, wait_after


def test_waits_double_up_to_the_longest() -> None:
    assert [wait_after(number) for number in (0, 1, 2, 3, 4, 5, 9**9)] == [1, 2, 4, 8, 16, 30, 30]


@pytest.mark.parametrize(
    ("said", "wait_s"),
    [("7", 7), ("1", 2), ("86400", 30), ("-5", 2), ("2.5", 2), ("soon", 2), ("", 2),
     ("9" * 5000, 2), ("Wed, 21 Oct 2026 07:28:00 GMT", 2)],
)  # fmt: skip
def test_an_endpoint_may_ask_for_a_longer_wait_in_whole_seconds(said: str, wait_s: float) -> None:
    assert wait_after(1, said) == wait_s


def test_some_statuses_may_go_away() -> None:
    statuses = (200, 301, 400, 401, 403, 404, 408, 409, 413, 422, 425, 429, 500, 502, 503, 529)
    passing = [status for status in statuses if is_passing(status)]
    assert passing == [408, 409, 425, 429, 500, 502, 503, 529]
