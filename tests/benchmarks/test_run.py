"""The main job, small: it runs, resumes, refuses, and shows what failed."""

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import run, suites
from benchmarks.suites import SUITES, Part, Suite
from zoomgym.datasets import write_manifest
from zoomgym.records import read_records
from zoomgym.synthetic import SyntheticTasks
from zoomgym.tasks import VideoQuestion

SMALL = {"source": "scene", "split": "test", "max_pixels": 1024}
TINY = Suite(
    "tiny-v0",
    "a test",
    (
        Part(2, {"tasks": "synthetic:flash", **SMALL}),
        Part(2, {"tasks": "synthetic:overview", **SMALL}),
    ),
    agents=("glance", "oracle"),
)


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SUITES, TINY.name, TINY)


def run_tiny(folder: Path, *arguments: str) -> int:
    return run.main(["--suite", "tiny-v0", "--out", str(folder), "--workers", "1", *arguments])


def identities(folder: Path) -> list[tuple[str, str, float]]:
    """Returns what must not depend on where and how a suite was run."""
    records = read_records(folder / "records.jsonl")
    return sorted((record.task.id, record.agent, record.reward) for record in records)


def test_a_suite_ends_with_tables_records_and_a_page(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_tiny(tmp_path) == 0
    printed = capsys.readouterr().out
    assert "0.51..1.00" in printed  # the oracle, on 4 tasks
    assert "8 episodes" in printed
    assert len(identities(tmp_path)) == 8
    assert "oracle" in (tmp_path / "report.html").read_text()


def test_a_run_goes_on_where_it_was_stopped(tmp_path: Path) -> None:
    assert run_tiny(tmp_path) == 0
    whole = identities(tmp_path)
    path = tmp_path / "records.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:3]) + lines[3][:50])  # killed while writing
    assert run_tiny(tmp_path) == 0
    assert identities(tmp_path) == whole
    assert path.read_text().startswith("".join(lines[:3]))


def test_episodes_of_another_run_are_not_mixed_in(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_tiny(tmp_path) == 0
    with pytest.raises(SystemExit):
        run_tiny(tmp_path, "--seed", "5")
    said = capsys.readouterr().err
    assert "records.jsonl holds episodes of another run: seed 0, not 5." in said
    assert run_tiny(tmp_path, "--seed", "5", "--fresh") == 0
    lines = (tmp_path / "records.jsonl").read_text().splitlines()
    seeds = {json.loads(line)["seed"] for line in lines}
    assert seeds == {5}


def test_episodes_on_other_tasks_of_the_same_names_are_not_mixed_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    video = SyntheticTasks(("overview",), "train", 30, "easy", "file")
    path = video.write_video(video[0], tmp_path)
    task = VideoQuestion(id="q", video=path.name, question="?", answer="A", options=("x", "y"))
    part = Part(1, {"tasks": str(tmp_path / "my.jsonl")})
    monkeypatch.setitem(SUITES, "own-v0", Suite("own-v0", "a test", (part,), agents=("blind",)))
    # A manifest's version is a hash of its file: held still, so that only the tasks' hash differs.
    monkeypatch.setattr("zoomgym.datasets.ManifestTasks.version", "0")
    arguments = ["--suite", "own-v0", "--out", str(tmp_path / "out"), "--workers", "1"]
    monkeypatch.setattr(run, "_play_all", played_here)
    write_manifest(tmp_path / "my.jsonl", [task])
    assert run.main(arguments) == 0
    write_manifest(tmp_path / "my.jsonl", [replace(task, answer="B")])
    with pytest.raises(SystemExit):
        run.main(arguments)
    assert "holds episodes of another run: task set hash " in capsys.readouterr().err


def played_here(jobs: Sequence[run.Job], workers: int) -> Iterator[tuple[run.Job, run.Outcome]]:
    """Stands in for the worker processes, which know nothing of what a test has changed."""
    for job in jobs:
        outcome: run.Outcome = Future()
        outcome.set_result(run.play(job))
        yield job, outcome


def test_an_agent_of_ones_own_is_added_to_the_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_tiny(tmp_path, "--agents", "glance") == 0
    capsys.readouterr()
    assert run_tiny(tmp_path, "--agents", "examples.own_agent:BrightAgent") == 0
    printed = capsys.readouterr().out
    assert "glance" in printed
    assert "examples.own_agent:BrightAgent" in printed
    assert len(identities(tmp_path)) == 8


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("glnce", "agent needs one of blind, glance"),
        ("nowhere:Agent", "agent 'nowhere:Agent' needs to be importable"),
        ("agents.baselines:Nobody", "needs to be importable"),
    ],
)
def test_an_agent_that_does_not_exist_is_refused_at_once(
    tmp_path: Path, name: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        run_tiny(tmp_path, "--agents", name)
    assert message in capsys.readouterr().err


def test_one_broken_video_is_counted_and_shown_and_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "broken.mp4").write_bytes(b"no video")
    task = VideoQuestion(id="q", video="broken.mp4", question="?", answer="A", options=("x", "y"))
    write_manifest(tmp_path / "my.jsonl", [task])
    parts = (*TINY.parts, Part(1, {"tasks": str(tmp_path / "my.jsonl")}))
    suite = Suite("broken-v0", "a test", parts, agents=("glance",))
    monkeypatch.setitem(SUITES, suite.name, suite)
    folder = tmp_path / "out"
    assert run.main(["--suite", "broken-v0", "--out", str(folder), "--workers", "1"]) == 1
    assert "broken.mp4" in capsys.readouterr().out.replace("\n", "")
    assert len(identities(folder)) == 4


def test_every_suite_names_tasks_that_exist() -> None:
    for suite in suites.SUITES.values():
        for part in suite.parts:
            env = suites.make_env(part)
            assert 0 < part.num_tasks <= len(env.tasks)
            assert part.num_tasks % 4 == 0 or suite.name == TINY.name


@pytest.mark.slow
def test_workers_do_not_change_a_result(tmp_path: Path) -> None:
    assert run_tiny(tmp_path / "one") == 0
    two = ["--suite", "tiny-v0", "--out", str(tmp_path / "two"), "--workers", "2"]
    assert run.main(two) == 0
    assert identities(tmp_path / "one") == identities(tmp_path / "two")
