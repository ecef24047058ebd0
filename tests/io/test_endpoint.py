import base64

import pytest

from zoomgym.io.endpoint import (
    EndpointError,
    ask,
    check_address,
    excerpt,
    is_passing,
    mask,
    missing_key,
    read_content,
    read_key,
    wait_after,
)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("localhost:8000", "chat url needs to be like http://localhost:8000/v1"),
        ("https:///v1", "chat url needs to be like"),
        (None, "chat url needs to be like"),
        ("file:///secret", "chat url needs to be like"),
        ("ftp://secret/v1", "chat url needs to be like"),
        ("data:,secret", "chat url needs to be like"),
        ("javascript:secret", "chat url needs to be like"),
        ("unix:///var/run/secret.sock", "chat url needs to be like"),
        ("http://host:99999/secret", "chat url needs to be like"),
        ("http://host:secret/v1", "chat url needs to be like"),
        ("http://host:0/secret", "chat url needs to be like"),
        ("http://[::1/secret", "chat url needs to be like"),
        ("http://[secret]/v1", "chat url needs to be like"),
        ("http://host/v1 secret", "chat url needs to be like"),
        ("http://host/v1\r\nX: secret", "chat url needs to be like"),
        ("http://host\t/secret", "chat url needs to be like"),
        ("http://host/v1\0secret", "chat url needs to be like"),
        ("http://h\u00f6st/secret", "chat url needs to be like"),
        ("http://me:secret\uff20host/v1", "chat url needs to be like"),
        (b"http://host/secret", "chat url needs to be like"),
        ("", "chat url needs to be like"),
        ("https://me:secret@host/v1", "chat url needs no user, query or fragment"),
        ("https://good.host\\@secret/v1", "chat url needs no user"),
        ("https://host/v1?", "chat url needs no user"),
        ("https://host/v1#", "chat url needs no user"),
        ("https://host/v1?key=secret", "chat url needs no user"),
        ("https://host/v1#secret", "chat url needs no user"),
    ],
)
def test_an_address_that_is_none_is_refused_without_being_shown(url: object, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        check_address(url, "chat")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    ["https://host:80/v1", "HTTP://Host", "http://[::1]:8000/v1", "http://127.0.0.1/v1/",
     "https://gateway/accounts/1/@cf/v1", "https://xn--hst-sna/%20/v1"],
)  # fmt: skip
def test_an_address_may_have_a_port_and_a_path(url: str) -> None:
    check_address(url, "chat")


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


@pytest.mark.parametrize(
    ("variable", "shown"),
    [
        ("MY_KEY2", "variable MY_KEY2, got none"),
        ("sk-0a1B", "variable that key_variable names, got none"),  # the key itself, by mistake
        ("hf_abcdef", "variable that key_variable names, got none"),
        ("", "variable that key_variable names, got none"),
    ],
)
def test_a_key_that_is_given_for_its_variable_is_not_shown(variable: str, shown: str) -> None:
    assert shown in missing_key(variable)


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


# Asking again ------------------------------------------------------------------------------------


def failing(*troubles: EndpointError) -> tuple[list[str], object]:
    """Returns what was called, and a call that fails with troubles and then says yes."""
    rest = list(troubles)
    called: list[str] = []

    def call() -> str:
        called.append("called")
        if rest:
            raise rest.pop(0)
        return "yes"

    return called, call


def test_a_fault_that_passes_is_waited_for() -> None:
    waited: list[float] = []
    _, call = failing(*[EndpointError("no"), EndpointError("no", retry_after="9")])
    assert ask(call, whom="m", max_tries=3, sleep=waited.append) == ("yes", 3)  # type: ignore[arg-type]
    assert 1 <= waited[0] < 2
    assert 9 <= waited[1] < 10


def test_those_who_failed_together_do_not_ask_again_together() -> None:
    waited: list[float] = []
    for _ in range(10):
        _, call = failing(EndpointError("no", retry_after="9"))
        ask(call, whom="m", max_tries=2, sleep=waited.append)  # type: ignore[arg-type]
    assert len(set(waited)) == 10


def test_who_waits_for_an_endpoint_is_told_why_once(caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(2):
        _, call = failing(*[EndpointError("ConnectionRefusedError") for _ in range(2)])
        ask(call, whom="m at http://down/v1", max_tries=8, sleep=lambda _: None)  # type: ignore[arg-type]
    assert caplog.messages == [
        "m at http://down/v1: got ConnectionRefusedError: asking again, up to 8 times"
    ]
    with pytest.raises(EndpointError):
        ask(failing(EndpointError("late"))[1], whom="m", max_tries=1, sleep=lambda _: None)  # type: ignore[arg-type]
    assert len(caplog.messages) == 1


@pytest.mark.parametrize(
    ("faults", "num_called", "tries"),
    [
        ([EndpointError("no")] * 9, 3, "try 3 of 3"),
        ([EndpointError("no"), EndpointError("no", is_passing=False)], 2, "try 2 of 3"),
    ],
)
def test_a_fault_that_stays_is_raised_with_its_try(
    faults: list[EndpointError], num_called: int, tries: str
) -> None:
    waited: list[float] = []
    called, call = failing(*faults)
    with pytest.raises(EndpointError, match=r"^no$") as caught:
        ask(call, whom="m", max_tries=3, sleep=waited.append)  # type: ignore[arg-type]
    assert (len(called), len(waited), caught.value.tries) == (num_called, num_called - 1, tries)


# What it says ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, ("", "")),
        ("B", ("B", "")),
        ([], ("", "")),
        (["B", {"type": "text", "text": "C"}], ("BC", "")),
        ([{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "B"}], ("B", "hm")),
        ([{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}], ("", "hm")),
        ([{"type": "reasoning", "text": "hm"}, {"type": "reasoning"}], ("", "hm")),
        ([{"type": "refusal", "refusal": "no"}], ("no", "")),
        ([{"type": "image_url", "image_url": {"url": "x"}}], ("", "")),
    ],
)
def test_content_is_a_text_or_parts(content: object, said: tuple[str, str]) -> None:
    assert read_content(content) == said


@pytest.mark.parametrize("content", [5, True, {}, [5], [None], [["B"]], [{"text": 5}]])
def test_content_of_another_kind_is_refused(content: object) -> None:
    with pytest.raises(TypeError, match="content needs"):
        read_content(content)


# Keys --------------------------------------------------------------------------------------------

KEY = "sk-or-v1-0a1B2c3D4e5F6g7H8i9J_-+/xyz"


@pytest.mark.parametrize("before", ["", "x", "xy", "xyz"])
@pytest.mark.parametrize("after", ["", "x", "xy", "xyz"])
@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode, bytes])
def test_a_key_is_masked_wherever_it_stands(before: str, after: str, encode: object) -> None:
    text = encode(f"{before}{KEY}{after}".encode()).decode()  # type: ignore[operator]
    masked = mask(f"<{text}>", KEY)
    assert masked.count("***") == 1
    assert len(masked.replace("***", "")) <= 2 + 12  # what stands around it, packed or not
    assert masked[0] + masked[-1] == "<>"


@pytest.mark.parametrize(
    ("text", "key", "masked"),
    [
        ("abcdefgh", "abcdefgh", "***"),
        ("abcdefg", "abcdefg", "abcdefg"),
        ("abcdefghabcdefgh-abcdefg", "abcdefgh", "***-abcdefg"),
        ("the 0123456789ab of it", "sk-0123456789abcdef", "the *** of it"),
        ("the 0123456789a of it", "sk-0123456789abcdef", "the 0123456789a of it"),
        ("a" * 50, "a" * 20, "***"),
        ("B", "", "B"),
        ("", KEY, ""),
        ("\ud800\0" + KEY + "\u2603", KEY, "\ud800\0***\u2603"),
    ],
)
def test_long_runs_of_a_key_are_masked(text: str, key: str, masked: str) -> None:
    assert mask(text, key) == masked


def test_an_excerpt_is_short_plain_and_on_one_line() -> None:
    body = f" a\n\x1b[31m\u2603 '{KEY}'\t".encode() + b"\xff"
    assert excerpt(body, KEY) == "a \\x1b[31m\\u2603 '***' \\ufffd"
    assert excerpt(b"x" * 999, KEY) == "x" * 300
    assert excerpt(b"\0" * 999, KEY) == "\\x00" * 75
    assert excerpt(b"x" * 295 + KEY.encode(), KEY) == "x" * 295 + "***"
    assert excerpt(b" " * 60_000 + b"x", KEY) == "x"
