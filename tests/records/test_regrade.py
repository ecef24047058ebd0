"""`zoomgym grade`: records in, records out, with open-ended answers graded by a judge."""

import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from tests.grading.judges import by_answer, fails, interrupts, judging, says
from zoomgym.cli import main
from zoomgym.grading.judge import JudgeGrader
from zoomgym.records import Record, read_records, replay, write_records
from zoomgym.records.regrade import regrade_all
from zoomgym.rules.episode import advance, start
from zoomgym.rules.question import VideoQuestion
from zoomgym.rules.rewards import DEFAULT_WEIGHTS, score
from zoomgym.rules.settings import Rules

ZOOM = '{"segment": [10, 12], "fps": 2}'
OPEN = VideoQuestion("open", "v.mp4", "Who is it?", "a tall man")
CHOICE = VideoQuestion("choice", "v.mp4", "Who?", "A", options=("a man", "a cat"))


SETTINGS = {
    "tasks": None, "split": "test", "duration_s": 60, "difficulty": "easy", "source": "file",
    "max_pixels": 1024, "reward_weights": dict(DEFAULT_WEIGHTS),
}  # fmt: skip


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")


def played(task: VideoQuestion, *replies: str) -> Record:
    """Returns the record of an episode on a video that is never opened, graded strictly."""
    episode = start(task, 60.0, 59.5, Rules(), f"{task.id}@0")
    for reply in replies:
        episode = advance(episode, reply)
    parts = score(episode)
    return Record(
        version="0.1.0", agent="a", seed=0, task_set="t", task_set_version="0",
        task_set_hash="0", settings=SETTINGS, task=task,
        rules=episode.rules, key=episode.key, duration_s=60.0, last_frame_s=59.5,
        turns=episode.turns, answer=episode.answer, end_reason=episode.end_reason,
        frames_used=episode.frames_used, reward_parts=parts,
        reward=parts.total(DEFAULT_WEIGHTS), agent_s=0.0, decode_s=0.0,
        grading=episode.graded_by,
    )  # fmt: skip


RECORDS = [
    played(OPEN, ZOOM, '{"answer": "yes, a tall bloke"}'),
    played(OPEN, '{"answer": "a cat"}'),
    played(OPEN, '{"answer": "A tall man."}'),
    played(OPEN, *[ZOOM] * 5),
    played(CHOICE, '{"answer": "yes"}'),
    played(CHOICE, ZOOM, '{"answer": "A"}'),
]


def grade(tmp_path: Path, url: str, *more: str) -> int:
    arguments = ["--judge-url", url, "--model", "m", "--cache-dir", str(tmp_path / "cache")]
    return main(["grade", str(tmp_path / "records.jsonl"), *arguments, *more])


def test_open_answers_are_graded_and_rewards_follow(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_records(tmp_path / "records.jsonl", RECORDS)
    before = (tmp_path / "records.jsonl").read_bytes()
    with judging(by_answer) as server:
        assert grade(tmp_path, server.url, "--concurrent", "1") == 0
        assert len(server.requests) == 2
    out = tmp_path / "records.graded.jsonl"
    assert capsys.readouterr().out == (
        f"4 of 6 records are open-ended: 2 right, 2 wrong, 0 ungraded -> {out}\n"
    )
    after = list(read_records(out))
    assert [record.grading for record in after] == [
        "judge:m", "judge:m", "judge:m", "strict", "strict", "strict",
    ]  # fmt: skip
    assert [record.reward_parts.accuracy for record in after] == [1, 0, 1, 0, 0, 1]
    assert [record.reward_parts.tool for record in after] == [1, 0, 0, 0, 0, 1]
    assert [record.reward for record in after] == [1.5, 0.1, 1.0, 0.0, 0.1, 1.5]
    assert after[3:] == RECORDS[3:]
    for record in after:
        replay(record)
    assert (tmp_path / "records.jsonl").read_bytes() == before


def test_what_cannot_be_graded_is_said_and_graded_when_the_command_is_run_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_records(tmp_path / "records.jsonl", RECORDS)
    out = tmp_path / "out.jsonl"
    more = ("--out", str(out), "--tries", "1", "--concurrent", "1")
    with judging(says("RIGHT"), fails(500), says("WRONG")) as server:
        assert grade(tmp_path, server.url, *more) == 1
        said = capsys.readouterr()
        assert said.out.startswith("4 of 6 records are open-ended: 2 right, 1 wrong, 1 ungraded")
        assert "open: judge:m at http://127.0.0.1" in said.err
        ungraded = list(read_records(out))[1]
        assert (ungraded.grading, ungraded.is_graded) == ("ungraded", False)
        replay(ungraded)
        assert grade(tmp_path, server.url, *more) == 0
        assert len(server.requests) == 3  # the first verdict was kept
    assert [record.grading for record in read_records(out)][:2] == ["judge:m", "judge:m"]
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "cache", "out.jsonl", "records.jsonl",
    ]  # fmt: skip


def test_a_judge_that_is_gone_is_said_once_and_not_waited_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    answers = [f'{{"answer": "man {number}"}}' for number in range(50)]
    write_records(tmp_path / "records.jsonl", [played(OPEN, answer) for answer in answers])
    with judging(says("RIGHT"), fails(500)) as server:
        assert grade(tmp_path, server.url, "--tries", "1", "--concurrent", "1") == 1
        assert len(server.requests) == 6
    said = capsys.readouterr()
    assert said.out.startswith("50 of 50 records are open-ended: 1 right, 0 wrong, 49 ungraded")
    first, last = said.err.splitlines()
    assert first.startswith("open: judge:m at http://127.0.0.1")
    assert first.endswith("grade again when the judge can be reached")
    assert "gave no verdict on 5 cases in a row, so it is not asked any more" in last


def test_an_edited_record_is_not_graded(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_records(tmp_path / "records.jsonl", [RECORDS[0], replace(RECORDS[1], reward=5.0)])
    with judging(says("RIGHT")) as server:
        assert grade(tmp_path, server.url) == 1
    assert "or the record was edited" in capsys.readouterr().err
    assert not (tmp_path / "records.graded.jsonl").exists()


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--timeout", "0"), "timeout_s needs 0 to 3600"),
        (("--concurrent", "2000"), "max_concurrent needs 1 to 1000"),
        (("--key-variable", "NO_SUCH_VARIABLE"), "in the environment variable NO_SUCH_VARIABLE"),
    ],
)
def test_an_argument_that_cannot_be_meant_ends_with_one_line(
    tmp_path: Path, more: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert grade(tmp_path, "http://127.0.0.1:9/v1", *more) == 1
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1


def test_ctrl_c_waits_for_no_verdict(tmp_path: Path) -> None:
    release = threading.Event()
    with judging(interrupts(release)) as server:
        grader = JudgeGrader(server.url, "m", tmp_path, max_tries=1)
        started_s = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            list(regrade_all([RECORDS[0]], grader, 2))
        assert time.monotonic() - started_s < 10  # the judge would take 30
        release.set()
