"""The main job, small: it runs, resumes, refuses, and shows what failed."""

import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from agents.synthetic.baselines import RandomAgent
from benchmarks import run
from benchmarks.evaluation import resume, suites
from benchmarks.evaluation.crashes import read_failures
from benchmarks.evaluation.metrics import Score, leaderboard
from benchmarks.evaluation.resume import read_run
from benchmarks.evaluation.suites import SUITES, Part, Suite
from tests.clips import first_video
from zoomgym import __version__
from zoomgym.errors import RecordError
from zoomgym.io.locks import locked
from zoomgym.records import Record, append_record, read_records, write_records
from zoomgym.rules.question import VideoQuestion
from zoomgym.tasks.datasets import write_manifest
from zoomgym.tasks.synthetic import FAMILIES, SyntheticTasks

ROOT = Path(__file__).parents[2]
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


@pytest.fixture
def here(here: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Writes no page either."""
    monkeypatch.setattr(run, "write_report", lambda path, *_, **__: path.write_text("a page"))


def run_tiny(folder: Path, *arguments: str) -> int:
    return run.main(["suite", "tiny-v0", "--out", str(folder), "--workers", "1", *arguments])


def identities(folder: Path) -> list[tuple[str, str, float]]:
    """Returns what must not depend on where and how a suite was run."""
    records = read_records(folder / "records.jsonl")
    return sorted((record.task.id, record.agent, record.reward) for record in records)


def table(folder: Path) -> list[Score]:
    """Returns the leaderboard without what depends on the machine."""
    records = sorted(read_records(folder / "records.jsonl"), key=lambda r: (r.task.id, r.agent))
    rows = leaderboard(records)
    for row in rows:
        row.estimates.pop("seconds")
    return rows


def without_seconds(printed: str) -> list[str]:
    """Returns the tables that were printed, without their last column: of the first, seconds."""
    tables = printed.partition("All tasks")[2].partition(" episodes in ")[0]
    kept = tables.splitlines()[:-1]
    assert sum("│" in line for line in kept) >= 4  # there are tables
    return [line.rpartition("│")[0].rpartition("│")[0] if "│" in line else line for line in kept]


def test_a_suite_ends_with_tables_records_and_a_page(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_tiny(tmp_path) == 0
    printed = capsys.readouterr().out
    assert "0.51..1.00" in printed  # the oracle, on 4 tasks
    assert "8 episodes" in printed
    assert len(identities(tmp_path)) == 8
    assert "oracle" in (tmp_path / "report.html").read_text()


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("num_bytes", [50, -1])  # half a record; a whole one without its line break
def test_a_run_goes_on_where_it_was_stopped(
    num_bytes: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_tiny(tmp_path) == 0
    whole, shown = table(tmp_path), without_seconds(capsys.readouterr().out)
    path = tmp_path / "records.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:3]) + lines[3][:num_bytes])  # killed while writing
    assert run_tiny(tmp_path) == 0
    assert table(tmp_path) == whole
    assert without_seconds(capsys.readouterr().out) == shown
    assert path.read_text().startswith("".join(lines[:3]))
    assert len(identities(tmp_path)) == 8


@pytest.mark.usefixtures("here")
def test_ctrl_c_ends_a_run_that_can_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stop(path: Path, record: Record) -> None:
        append_record(path, record)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(resume, "append_record", stop)
        assert run_tiny(tmp_path) == 130
    assert f"stopped: run again to resume. Episodes so far: {tmp_path}" in capsys.readouterr().out
    assert len(identities(tmp_path)) == 1
    assert run_tiny(tmp_path) == 0
    assert len(identities(tmp_path)) == 8


@pytest.mark.usefixtures("here")
def test_an_episode_that_was_written_twice_counts_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_tiny(tmp_path) == 0
    shown = without_seconds(capsys.readouterr().out)
    path = tmp_path / "records.jsonl"
    first = path.read_text().partition("\n")[0]
    path.write_text(f"{path.read_text()}{first}\n")
    assert run_tiny(tmp_path) == 0
    printed = capsys.readouterr().out
    assert without_seconds(printed) == shown
    assert "8 episodes" in printed
    append_record(path, replace(Record.from_json(first), decode_s=1e6))
    with pytest.raises(SystemExit):
        run_tiny(tmp_path)
    assert "each episode is needed once, got agent " in capsys.readouterr().err


@pytest.mark.usefixtures("here")
def test_only_one_run_writes_to_a_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with locked(tmp_path / ".lock"), pytest.raises(SystemExit):
        run_tiny(tmp_path)
    assert f"another run writes to {tmp_path}: wait for it" in capsys.readouterr().err
    assert run_tiny(tmp_path) == 0


@pytest.mark.usefixtures("here")
def test_a_limit_takes_the_first_tasks_of_each_part_and_more_can_follow(tmp_path: Path) -> None:
    assert run_tiny(tmp_path, "--agents", "blind", "--limit", "1") == 0
    first = {"flash-easy-60s-test-00000", "overview-easy-60s-test-00000"}
    assert {task_id for task_id, _, _ in identities(tmp_path)} == first
    assert run_tiny(tmp_path, "--agents", "blind") == 0
    assert len(identities(tmp_path)) == 4
    assert run_tiny(tmp_path, "--agents", "blind", "--limit", "1") == 0
    assert len(identities(tmp_path)) == 4


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--seed", "-1"), "needed a whole number from 0 on, got '-1'"),
        (("--limit", "0"), "needed a whole number from 1 on, got '0'"),
        (("--workers", "-1"), "needed a whole number from 1 on, got '-1'"),
        (("--at-once", "x"), "needed a whole number from 1 on, got 'x'"),
    ],
)
def test_numbers_that_mean_nothing_are_refused(
    arguments: Sequence[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        run_tiny(tmp_path, *arguments)
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("short", "whole"),
    [
        ([], ["suite"]),
        (["quick-v0", "--limit", "1"], ["suite", "quick-v0", "--limit", "1"]),
        (["--agents", "blind"], ["suite", "--agents", "blind"]),
        (["--limit", "1", "--suite", "quick-v0"], ["suite", "quick-v0", "--limit", "1"]),
        (
            ["--agents", "a", "b", "--tasks", "my.jsonl"],
            ["tasks", "my.jsonl", "--agents", "a", "b"],
        ),
    ],
)
def test_suite_is_the_default_command(short: Sequence[str], whole: Sequence[str]) -> None:
    parser = run._parser()
    assert parser.parse_args(run._with_command(short)) == parser.parse_args(whole)


def test_each_command_has_its_own_help(capsys: pytest.CaptureFixture[str]) -> None:
    told = {}
    for command in ("suite", "tasks"):
        with pytest.raises(SystemExit):
            run.main([command, "--help"])
        told[command] = set(re.findall(r"--[a-z-]+", capsys.readouterr().out))
    assert told["tasks"] - told["suite"] == {"--split", "--grammar", "--preset", "--env"}
    assert told["suite"] <= told["tasks"]


@pytest.mark.usefixtures("here")
def test_failures_are_counted_by_agent_with_the_first_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = "tests.benchmarks.players:Failing"
    assert run_tiny(tmp_path, "--agents", "blind", name, "tests.benchmarks.players:Unready") == 1
    printed = capsys.readouterr().out
    assert (
        f"failed: 3 of {name}, first on flash-easy-60s-test-00000: ZeroDivisionError: no\\x1b[31m "
        "stars. Run again to try again"
    ) in printed
    assert "failed: 4 of tests.benchmarks.players:Unready, first on flash" in printed
    assert printed.count("failed: ") == 2
    assert printed.splitlines()[-1] == f"page with pictures -> {tmp_path / 'report.html'}"
    assert len(identities(tmp_path)) == 5
    assert re.search(r'players.py", line \d+, in act\n +raise ZeroDivisionError', printed)
    assert "all of it: failures.jsonl, and the page" in printed
    assert len(read_failures(tmp_path / "failures.jsonl")) == 7


@pytest.mark.usefixtures("here")
def test_a_failure_is_kept_until_its_episode_is_played(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    name = "tests.benchmarks.players:Failing"
    assert run_tiny(tmp_path, "--agents", name) == 1
    path = tmp_path / "failures.jsonl"
    [first, *more] = read_failures(path)
    assert len(more) == 2
    assert first.traceback.splitlines()[-2:] == ["ZeroDivisionError: no\\x1b[31m", "stars"]
    assert run_tiny(tmp_path, "--agents", "blind") == 0  # which plays none of them
    assert read_failures(path) == [first, *more]
    monkeypatch.setattr("tests.benchmarks.players.Failing.act", RandomAgent.act)
    assert run_tiny(tmp_path, "--agents", name, "--limit", "1") == 0
    later = [one for one in more if not one.task_id.endswith("00000")]
    assert read_failures(path) == later != more
    assert run_tiny(tmp_path, "--agents", name) == 0
    assert not path.exists()


@pytest.mark.usefixtures("here")
def test_a_run_of_which_nothing_came_is_shown_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_tiny(tmp_path, "--agents", "tests.benchmarks.players:Unready") == 1
    printed = capsys.readouterr().out
    assert "0 episodes in" in printed
    assert "failed: 4 of tests.benchmarks.players:Unready" in printed


@pytest.mark.usefixtures("here")
def test_every_record_holds_the_settings_of_the_run(tmp_path: Path) -> None:
    assert run_tiny(tmp_path, "--seed", "3", "--limit", "1") == 0
    for record in read_records(tmp_path / "records.jsonl"):
        assert (record.suite, record.seed, record.version) == ("tiny-v0", 3, __version__)
        assert SMALL.items() <= record.settings.items()
        assert record.agent in TINY.agents


@pytest.mark.usefixtures("here")
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


@pytest.mark.long
@pytest.mark.usefixtures("here")
def test_episodes_on_other_tasks_of_the_same_names_are_not_mixed_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    video = SyntheticTasks(("overview",), "train", 30, "easy", "file")
    path = first_video(video, tmp_path)
    task = VideoQuestion(id="q", video=path.name, question="?", answer="A", options=("x", "y"))
    part = Part(1, {"tasks": str(tmp_path / "my.jsonl")})
    monkeypatch.setitem(SUITES, "own-v0", Suite("own-v0", "a test", (part,), agents=("blind",)))
    # A manifest's version is a hash of its file: held still, so that only the tasks' hash differs.
    still = property(lambda _: "0", lambda _, version: None)
    monkeypatch.setattr("zoomgym.tasks.datasets.ManifestTasks.version", still, raising=False)
    arguments = ["suite", "own-v0", "--out", str(tmp_path / "out"), "--workers", "1"]
    write_manifest(tmp_path / "my.jsonl", [task])
    assert run.main(arguments) == 0
    write_manifest(tmp_path / "my.jsonl", [replace(task, answer="B")])
    with pytest.raises(SystemExit):
        run.main(arguments)
    assert "holds episodes of another run: task set hash " in capsys.readouterr().err


@pytest.mark.usefixtures("here")
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


MY_AGENT = """
class Agent:
    def reset(self, seed):
        pass

    def act(self, observation):
        return '{"answer": "ANSWER"}'
"""


@pytest.mark.long
def test_agents_of_ones_own_are_found_here_and_in_pythonpath(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    for folder in (here, there):
        folder.mkdir()
        (folder / f"in_{folder.name}.py").write_text(MY_AGENT.replace("ANSWER", "A"))
    tasks = SyntheticTasks(("overview",), "train", 30, "easy", "file")
    video = first_video(tasks, here).name
    write_manifest(here / "my.jsonl", [replace(tasks[0], video=video)])
    command = (
        "-m benchmarks.run tasks my.jsonl --env max_pixels=64 "
        "--out out --agents in_here:Agent in_there:Agent --workers 1"
    )
    subprocess.run(
        [sys.executable, *command.split()],
        cwd=here,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(there)])},
        check=True,
    )
    records = read_records(here / "out" / "records.jsonl")
    assert {record.agent for record in records} == {"in_here:Agent", "in_there:Agent"}


@pytest.mark.usefixtures("here")
def test_an_agent_that_has_changed_is_played_again_and_others_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # its age is in seconds: too coarse here
    out, name = tmp_path / "out", "my_own_changing_agent:Agent"

    def played(answer: str, *arguments: str) -> tuple[str, set[str | None]]:
        (tmp_path / "my_own_changing_agent.py").write_text(MY_AGENT.replace("ANSWER", answer))
        monkeypatch.delitem(sys.modules, "my_own_changing_agent", raising=False)
        assert run_tiny(out, "--agents", name, "blind", *arguments) == 0
        records = list(read_records(out / "records.jsonl"))
        assert len(records) == 8
        return capsys.readouterr().out, {one.answer for one in records if one.agent == name}

    said, answers = played("A")
    assert "8 new, 0 kept" in said
    assert answers == {"A"}
    blind = [line for line in (out / "records.jsonl").read_text().splitlines() if '"blind"' in line]
    assert len(blind) == 4
    said, answers = played("A")
    assert "0 new, 8 kept" in said
    said, answers = played("B")
    assert "4 new, 4 kept" in said
    assert f"{name}: its 4 episodes here are of other code" in " ".join(said.split())
    assert answers == {"B"}
    lines = (out / "records.jsonl").read_text().splitlines()
    assert sorted(line for line in lines if '"blind"' in line) == sorted(blind)  # byte by byte
    replaced = list(read_records(out / "replaced.jsonl"))
    assert [(one.agent, one.answer) for one in replaced] == [(name, "A")] * 4
    said, answers = played("B", "--fresh", name)
    assert "4 new, 4 kept" in said
    assert len(list(read_records(out / "replaced.jsonl"))) == 8
    said, answers = played("B", "--fresh")
    assert "8 new, 0 kept" in said


@pytest.mark.usefixtures("here")
def test_episodes_of_unknown_code_are_kept_and_two_codes_do_not_share_a_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_tiny(tmp_path, "--agents", "blind") == 0
    path = tmp_path / "records.jsonl"
    records = list(read_records(path))
    assert {len(record.agent_hash) for record in records} == {12}
    write_records(path, [replace(record, agent_hash="") for record in records])  # as of old
    assert run_tiny(tmp_path, "--agents", "blind") == 0
    assert "0 new, 4 kept" in capsys.readouterr().out
    other = tmp_path / "other.jsonl"
    write_records(other, [replace(records[0], agent_hash="aaaaaaaaaaaa")])
    write_records(path, records[1:])
    with pytest.raises(RecordError, match="need the same code or weights of an agent, got hash "):
        read_run([path, other])
    with pytest.raises(SystemExit):
        run_tiny(tmp_path, "--agents", "blind", "--fresh", "glance")
    assert "--fresh glance: it does not play, add it to --agents" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("glnce", "agent needs one of blind, glance"),
        ("nowhere:Agent", "agent 'nowhere:Agent': needed a module nowhere, got none: start in the"),
        (
            "agents.synthetic.baselines:Nobody",
            "agents.synthetic.baselines has no Nobody: check its name",
        ),
        ("agents.synthetic.baselines:BlndAgent", "has no BlndAgent: did you mean 'BlindAgent'?"),
    ],
)
def test_an_agent_that_does_not_exist_is_refused_at_once(
    tmp_path: Path, name: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        run_tiny(tmp_path, "--agents", name)
    assert message in capsys.readouterr().err


@pytest.mark.usefixtures("here")
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
    assert run.main(["suite", "broken-v0", "--out", str(folder), "--workers", "1"]) == 1
    assert "broken.mp4" in capsys.readouterr().out.replace("\n", "")
    assert len(identities(folder)) == 4


@pytest.mark.usefixtures("here", "short_videos")
def test_progress_says_how_many_videos_are_written_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = list[str]()

    @contextmanager
    def counted(what: str, total: int, done: int = 0) -> Iterator[Callable[[], None]]:
        said.append(f"{what}: {done} of {total}")
        yield lambda: None

    monkeypatch.setattr(resume, "counted", counted)
    encoded = Part(2, {"tasks": "synthetic:overview", **SMALL, "source": "file", "duration_s": 8})
    suite = Suite("encoded-v0", "a test", (encoded,), agents=("blind",))
    monkeypatch.setitem(SUITES, suite.name, suite)
    given = ["suite", "encoded-v0", "--out", str(tmp_path), "--cache-dir", str(tmp_path)]
    assert run.main(given) == 0
    assert run.main([*given, "--fresh"]) == 0
    assert said == ["writing 2 videos, playing episodes: 0 of 2", "playing episodes: 0 of 2"]


def test_every_suite_names_tasks_that_exist() -> None:
    for suite in suites.SUITES.values():
        for part in suite.parts:
            env = suites.make_env(part)
            assert 0 < part.num_tasks <= len(env.tasks)
            num_families = len(FAMILIES) if part.settings["tasks"] == "synthetic" else 1
            num_each = part.num_tasks / num_families  # answers are balanced by fours
            assert num_each == 1 or num_each % 4 == 0 or suite.name == TINY.name


def test_the_default_suite_holds_what_its_table_is_to_show() -> None:
    assert run.DEFAULT == "quick-v1"
    quick = SUITES[run.DEFAULT]
    assert quick.agents == ("blind", "glance", "uniform", "coarse_to_fine", "oracle")
    played = Counter(
        (category, part.settings.get("source", "file"))
        for part in quick.parts
        for tasks in [suites.make_env(part).tasks]
        for category in [tasks[index].category for index in range(part.num_tasks)]
    )
    assert played == {
        (family, source): number
        for family in FAMILIES
        for source, number in (("file", 1), ("scene", 12))
    }


def test_a_suite_that_is_no_default_any_more_stays_what_it_was() -> None:
    old = SUITES["quick-v0"]
    assert old.agents == ("blind", "glance", "random", "uniform", "oracle")
    settings = [{"tasks": f"synthetic:{family}", "split": "test"} for family in FAMILIES]
    assert old.parts == tuple(Part(4, own) for own in settings)


def test_the_standard_suite_has_every_cell() -> None:
    cells = {
        (part.settings["tasks"], part.settings["difficulty"], part.settings["duration_s"])
        for part in SUITES["standard-v0"].parts
    }
    assert len(cells) == len(SUITES["standard-v0"].parts) == 7 * 3 * 3
    assert {part.settings["source"] for part in SUITES["standard-v0"].parts} == {"scene"}
    encoded = SUITES["standard-v0-encoded"].parts
    assert len(encoded) == 7 * 3
    assert {part.settings["source"] for part in encoded} == {"file"}
    for part in (*SUITES["standard-v0"].parts, *encoded):
        assert part.num_tasks == 20


@pytest.mark.slow
def test_workers_do_not_change_a_result(tmp_path: Path) -> None:
    assert run_tiny(tmp_path / "one") == 0
    assert run_tiny(tmp_path / "two", "--workers", "2") == 0
    assert identities(tmp_path / "one") == identities(tmp_path / "two")


NUM_KILLS = 10
PATIENCE_S = 300


RUN_SHORT = """
import sys
from benchmarks import run
from benchmarks.evaluation.suites import SUITES
from tests.benchmarks.players import SHORT
SUITES[SHORT.name] = SHORT
sys.exit(run.main(sys.argv[1:]))
"""


def start_short(folder: Path) -> "subprocess.Popen[str]":
    """Starts a real run, in a session of its own, that writes its videos beside its records."""
    command = [sys.executable, "-c", RUN_SHORT, "suite", "short-v0", "--workers", "2"]
    command += ["--out", str(folder), "--cache-dir", str(folder / "videos")]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )


def num_lines(folder: Path) -> int:
    path = folder / "records.jsonl"
    return path.read_bytes().count(b"\n") if path.exists() else 0


def waited_for(claim: Callable[[], bool]) -> bool:
    """Returns whether a claim becomes true in time."""
    end_s = time.monotonic() + PATIENCE_S
    while not (is_true := claim()) and time.monotonic() < end_s:
        time.sleep(0.005)
    return is_true


def is_gone(session: int) -> bool:
    """Returns whether no process of a session is left."""
    try:
        os.killpg(session, 0)
    except ProcessLookupError:
        return True
    return False


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="there is no kill -9")
def test_a_run_that_is_killed_at_any_moment_and_resumed_gives_the_table_of_one_that_is_not(
    tmp_path: Path,
) -> None:
    started_s = time.monotonic()
    with start_short(tmp_path / "whole") as whole:
        assert waited_for(lambda: num_lines(tmp_path / "whole") > 0)
        start_s = time.monotonic() - started_s
        shown, _ = whole.communicate()
    assert whole.returncode == 0
    rng = random.Random(0)
    killed = tmp_path / "killed"
    for number in range(NUM_KILLS):
        before = num_lines(killed)
        with start_short(killed) as process:
            if number % 3:  # in the thick of it
                wanted = before + rng.randint(1, 2)
                assert waited_for(lambda wanted=wanted: num_lines(killed) >= wanted)
            else:
                time.sleep(rng.uniform(0, start_s))
            assert process.poll() is None
            process.kill()
        assert process.returncode == -signal.SIGKILL
        assert waited_for(lambda session=process.pid: is_gone(session))
        assert num_lines(killed) >= before
    with start_short(killed) as last:
        said, _ = last.communicate()
    assert last.returncode == 0
    assert num_lines(killed) == num_lines(tmp_path / "whole") == 14 * 4
    assert without_seconds(said) == without_seconds(shown)
    assert table(killed) == table(tmp_path / "whole")
