"""Why an episode failed is told whole, bounded and printable, and kept beside the records."""

import json
from pathlib import Path

import pytest

from benchmarks.evaluation.crashes import Failure, read_failures, tell_failure, write_failures
from benchmarks.page.write import write_report
from zoomgym.errors import RecordError, VideoError


def caught(error: BaseException) -> BaseException:
    """Returns an error as it is caught: with its traceback."""
    try:
        raise error
    except BaseException as raised:  # noqa: BLE001
        return raised


def fall(depth: int) -> None:
    if depth == 0:
        raise KeyError("the \x1b[31mbottom")
    fall(depth - 1)


def test_an_error_of_an_agents_code_is_told_with_its_innermost_calls() -> None:
    try:
        fall(100)
    except KeyError as error:
        failure = tell_failure("a", "q", error)
    assert failure.reason == r"KeyError: 'the \x1b[31mbottom'"
    assert failure.traceback.startswith("Traceback (most recent call last):")
    assert "[Previous line repeated 16 more times]" in failure.traceback  # of 20 calls, not 102
    assert 'raise KeyError("the \\x1b[31mbottom")' in failure.traceback
    assert failure.traceback.endswith(r"KeyError: 'the \x1b[31mbottom'")


def test_a_traceback_is_bounded_and_steers_no_terminal() -> None:
    failure = tell_failure("a", "q", caught(ValueError("\x1b[31m\u202e" + "x" * 100_000)))
    assert len(failure.reason) == 500
    assert len(failure.traceback) == 8003
    assert failure.traceback.startswith("...xx")
    short = tell_failure("a", "q", caught(ValueError("\x1b[31m\u202e")))
    assert short.traceback.splitlines()[-1] == r"ValueError: \x1b[31m\u202e"


def test_an_error_that_says_what_was_needed_has_no_traceback() -> None:
    failure = tell_failure("a", "q", caught(VideoError("a.mp4: needed a video")))
    assert failure == Failure("a", "q", "a.mp4: needed a video")
    assert failure.traceback == ""


def test_an_error_that_cannot_be_shown_still_has_its_calls() -> None:
    class MuteError(Exception):
        def __str__(self) -> str:
            raise ValueError

    failure = tell_failure("a", "q", caught(MuteError()))
    assert failure.reason == "MuteError:"
    assert "in caught" in failure.traceback


def test_failures_are_read_as_they_were_written(tmp_path: Path) -> None:
    path = tmp_path / "failures.jsonl"
    failures = [
        Failure("a", "q", "KeyError: 1", traceback="Traceback\n  here"),
        Failure("b", "p", "gone", is_skipped=True),
    ]
    write_failures(path, failures)
    assert [(one, one.traceback) for one in read_failures(path)] == [
        (one, one.traceback) for one in failures
    ]
    write_failures(path, [])
    assert not path.exists()
    assert read_failures(path) == []


@pytest.mark.parametrize(
    "row",
    ["[]", "{}", '"x"', "{", json.dumps({"agent": 1, "task_id": "", "reason": ""}), "[" * 9999],
)
def test_a_line_that_is_no_failure_is_named(row: str, tmp_path: Path) -> None:
    path = tmp_path / "failures.jsonl"
    path.write_text(f"{row}\n")
    with pytest.raises(RecordError, match=r"failures\.jsonl:1: needed a failed episode"):
        read_failures(path)


def test_what_a_stranger_wrote_is_bounded_and_cleaned(tmp_path: Path) -> None:
    path = tmp_path / "failures.jsonl"
    write_failures(path, [Failure("a\x1b", "q\n", "r" * 9999, traceback="t\x07\n" * 9999)])
    [failure] = read_failures(path)
    assert (failure.agent, failure.task_id, len(failure.reason)) == (r"a\x1b", r"q\n", 500)
    assert len(failure.traceback) <= 8003
    assert failure.traceback.startswith("t\\x07\nt\\x07\n")


def test_the_page_shows_each_with_its_whole_traceback(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    trace = "Traceback (most recent call last):\n  <b>here</b>"
    failures = [
        Failure("my:Agent", "q2", "KeyError: <i>", traceback=trace),
        Failure("a", "q1", "gone.mp4", is_skipped=True),
    ]
    write_report(path, "s", [], cache_dir=None, failures=failures)
    page = path.read_text()
    assert "<b>2 episodes failed</b>" in page
    assert "Traceback (most recent call last):\n  &lt;b&gt;here&lt;/b&gt;</pre>" in page
    assert "KeyError: &lt;i&gt;" in page
    assert page.index("<bdi>a</bdi> on <bdi>q1</bdi>: not shown: ") < page.index("my:Agent")
    write_report(path, "s", [], cache_dir=None, failures=failures[::-1])
    assert path.read_text() == page
    write_report(path, "s", [], cache_dir=None, failures=failures * 26)
    assert "and 2 more" in path.read_text()
    write_report(path, "s", [], cache_dir=None)
    assert "failed" not in path.read_text()
