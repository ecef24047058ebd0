import pytest

from zoomgym.endpoint import check_address, is_passing, read_key, wait_after


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("localhost:8000", "chat url needs to be like http://localhost:8000/v1"),
        ("https:///v1", "chat url needs to be like"),
        (None, "chat url needs to be like"),
        ("https://me:secret@host/v1", "chat url needs no user, query or fragment"),
        ("https://host/v1?key=secret", "chat url needs no user"),
        ("https://host/v1#secret", "chat url needs no user"),
    ],
)
def test_an_address_that_is_none_is_refused_without_being_shown(url: object, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        check_address(url, "chat")
    assert "secret" not in str(caught.value)
    check_address("https://host:80/v1", "chat")


@pytest.mark.parametrize(
    ("held", "key"),
    [(" sk-1\n", "sk-1"), ("", ""), (" ", ""), ("sk-\nX: y", ""), ("schlüssel", "")],
)
def test_a_key_is_read_if_it_can_be_sent(
    monkeypatch: pytest.MonkeyPatch, held: str, key: str
) -> None:
    monkeypatch.setenv("MY_KEY", held)
    assert read_key("MY_KEY") == key
    assert read_key("NO_KEY_HERE") == ""


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
