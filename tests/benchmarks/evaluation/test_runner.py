"""Every agent is played in its way, with the same records, and no failure costs another episode."""

import os
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from multiprocessing import active_children
from pathlib import Path
from typing import Any

import pytest

from benchmarks.evaluation.crashes import Failure
from benchmarks.evaluation.runner import (
    HOPELESS,
    NUM_HOPELESS,
    NUM_IN_BATCH,
    Busy,
    Environments,
    Job,
    _take,
    play_all,
    play_one,
)
from benchmarks.evaluation.suites import Part
from tests.benchmarks.players import Gated, Local
from tests.grading.judges import chats, fails, judging, meets
from zoomgym import ZoomEnv
from zoomgym.records import Record
from zoomgym.tasks import Scene, set_drawn_memory
from zoomgym.tasks.synthetic.drawn import DRAWN
from zoomgym.video import charge, clip, forget_frames
from zoomgym.video import file as video_file

FLASH = Part(6, {"tasks": "synthetic:flash", "split": "test", "source": "scene", "max_pixels": 256})
RELAY = replace(FLASH, settings={**FLASH.settings, "tasks": "synthetic:relay"})
PLAYERS = "tests.benchmarks.players:"
STARRED = {0, 1, 4}
"""Tasks of FLASH with a star among their options."""
ALONE = {"Ending": [4, 0, 2], "Cancelled": [4, 0, 2], "Unready": [2, 3], "Boasting": [2]}
"""Agents that fail in a process, beside one that does not, and the tasks they get."""


def flash(index: int) -> str:
    return f"flash-easy-60s-test-{index:05d}"


def jobs_of(agent: str, indices: Sequence[int] = range(6), part: Part = FLASH) -> list[Job]:
    family = part.settings["tasks"].partition(":")[2]
    ids = [f"{family}-easy-60s-test-{index:05d}" for index in indices]
    return [Job("tiny-v0", part, task_id, agent, 5, None) for task_id in ids]


Came = dict[str, Record | Failure]
"""What came of each task, without what depends on agent and machine."""


def played_by_each(jobs: Sequence[Job], at_once: int | None = None) -> dict[str, Came]:
    """Returns what came of the tasks of each agent."""
    came: dict[str, Came] = {job.agent: {} for job in jobs}
    for outcome in play_all(jobs, workers=1, at_once=at_once):
        if isinstance(outcome, Record):
            alike = replace(outcome, agent="", agent_s=0.0, decode_s=0.0)
            came[outcome.agent][outcome.task.id] = alike
        else:
            came[outcome.agent][outcome.task_id] = outcome
    return came


def played(jobs: Sequence[Job], at_once: int | None = None) -> Came:
    """Returns what came of the tasks of one agent."""
    [came] = played_by_each(jobs, at_once).values()
    return came


@pytest.fixture(scope="module")
def side_by_side() -> dict[str, Came]:
    """What comes of agents without a model, and of some that fail, in one process."""
    jobs = [*jobs_of("random"), *jobs_of("random", [0], RELAY), *jobs_of(f"{PLAYERS}Failing")]
    for kind, indices in ALONE.items():
        jobs += jobs_of(PLAYERS + kind, indices)
    return played_by_each(jobs)


@pytest.fixture(scope="module")
def in_a_process(side_by_side: dict[str, Came]) -> Came:
    """What the agent `random` does, which has no model."""
    return side_by_side["random"]


def test_a_record_holds_suite_seed_and_settings(
    in_a_process: Came,
) -> None:
    record = in_a_process[flash(2)]
    assert isinstance(record, Record)
    assert (record.suite, record.seed) == ("tiny-v0", 5)
    assert FLASH.settings.items() <= record.settings.items()
    assert record.settings == ZoomEnv(**FLASH.settings).settings


def test_an_agent_that_waits_is_asked_on_threads(
    in_a_process: Came,
) -> None:
    came = played(jobs_of(f"{PLAYERS}Served"))  # which waits for three at once
    assert len(came) == 6
    assert came.items() <= in_a_process.items()


def test_an_agent_that_replies_to_many_is_asked_in_batches_across_parts(
    in_a_process: Came,
) -> None:
    Local.sizes.clear()
    name = f"{PLAYERS}Local"
    assert played([*jobs_of(name), *jobs_of(name, [0], RELAY)]) == in_a_process
    assert Local.sizes[0] == 7 < NUM_IN_BATCH
    Local.sizes.clear()
    played(jobs_of(name), at_once=2)
    assert max(Local.sizes) == 2


def test_a_served_model_is_asked_by_threads_and_a_refusal_costs_one_episode(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    answer = chats('{"answer": "B"}')
    at_once = meets(3, answer)
    with judging(at_once, at_once, at_once, fails(400), answer, answer) as server:
        came = list(
            play_all(jobs_of(f"chat:m@{server.url}?max_concurrent=3"), workers=1, at_once=None)
        )
        assert server.most_open == 3
    records = [outcome for outcome in came if isinstance(outcome, Record)]
    assert [(record.answer, record.usage["requests"]) for record in records] == [("B", 1)] * 5
    [failure] = [outcome for outcome in came if isinstance(outcome, Failure)]
    assert "needed a reply, got status 400" in failure.reason


def test_an_endpoint_that_fails_every_episode_is_given_up_after_the_first_ten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with judging(fails(400)) as server:
        came = list(
            play_all(jobs_of(f"chat:m@{server.url}", [*range(6)] * 5), workers=1, at_once=1)
        )
        assert NUM_HOPELESS <= len(server.requests) <= NUM_HOPELESS + 1  # one may be under way
    assert len(came) == 30
    reasons = [outcome.reason for outcome in came if isinstance(outcome, Failure)]
    assert all("got status 400" in reason for reason in reasons[:NUM_HOPELESS])
    assert reasons.count(HOPELESS) == 30 - len(server.requests)


def test_an_endpoint_that_replied_once_is_not_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with judging(fails(400), chats('{"answer": "B"}'), fails(400)) as server:
        jobs = jobs_of(f"chat:m@{server.url}", [*range(6)] * 3)
        came = list(play_all(jobs, workers=1, at_once=1))
        assert len(server.requests) == 18
    assert [isinstance(outcome, Record) for outcome in came].count(True) == 1


@pytest.mark.parametrize("kind", ["Failing", "FailingShared", "FailingBatch"])
def test_an_episode_that_fails_costs_no_other(
    kind: str, side_by_side: dict[str, Came], in_a_process: Came
) -> None:
    came = side_by_side.get(PLAYERS + kind) or played(jobs_of(PLAYERS + kind))
    for index in range(6):
        outcome = came[flash(index)]
        if index in STARRED:
            reason = "ZeroDivisionError: no\\x1b[31m stars"
            assert outcome == Failure(PLAYERS + kind, flash(index), reason)
        else:
            assert outcome == in_a_process[flash(index)]


@pytest.mark.parametrize("lane", ["", "Shared", "Batch"])
@pytest.mark.parametrize(
    ("kind", "end"), [("Ending", "SystemExit"), ("Cancelled", "CancelledError")]
)
def test_an_agent_that_ends_in_no_error_costs_no_other_episode(
    kind: str, end: str, lane: str, side_by_side: dict[str, Came], in_a_process: Came
) -> None:
    name = PLAYERS + kind + lane
    came = side_by_side.get(name) or played(jobs_of(name, [4, 0, 2]))
    assert came == {
        flash(4): Failure(name, flash(4), f"{end}: enough"),
        flash(0): Failure(name, flash(0), f"{end}: enough"),
        flash(2): in_a_process[flash(2)],
    }


@pytest.mark.long
def test_ctrl_c_ends_a_run_but_not_from_within_a_thread_or_another_process() -> None:
    for kind in ("Interrupted", "InterruptedShared"):
        failure = Failure(PLAYERS + kind, flash(4), "KeyboardInterrupt: enough")
        assert played(jobs_of(PLAYERS + kind, [4])) == {flash(4): failure}
    with pytest.raises(KeyboardInterrupt):
        played(jobs_of(f"{PLAYERS}InterruptedBatch", [4]))


INTERRUPTED = """
from benchmarks.evaluation.runner import play_all
from tests.benchmarks.evaluation.test_runner import jobs_of

if __name__ == "__main__":
    outcomes = play_all(jobs_of("tests.benchmarks.players:Showing"), workers=1, at_once=None)
    next(outcomes)
    outcomes.close()
"""


@pytest.mark.long
def test_a_run_that_is_stopped_leaves_no_warning_of_python(tmp_path: Path) -> None:
    script = tmp_path / "stopped.py"
    script.write_text(INTERRUPTED)
    run = subprocess.run(
        [sys.executable, script],
        capture_output=True, text=True, check=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
    )  # fmt: skip
    assert run.stderr == ""


def test_an_error_that_cannot_be_shown_is_named() -> None:
    name = f"{PLAYERS}MuteShared"
    assert played(jobs_of(name, [4])) == {flash(4): Failure(name, flash(4), "MuteError:")}


@pytest.mark.parametrize("kind", ["Threaded", "Local"])
def test_an_environment_that_breaks_costs_only_its_episode(
    kind: str, monkeypatch: pytest.MonkeyPatch, in_a_process: Came
) -> None:
    fork, close, forks = ZoomEnv.fork, ZoomEnv.close, list[ZoomEnv]()

    def breaks(env: ZoomEnv) -> ZoomEnv:
        forks.append(env)
        if len(forks) == 2:
            raise OSError("no fork")
        return fork(env)

    def closes(env: ZoomEnv) -> None:
        close(env)
        if env.episode.task.id == flash(3):
            raise OSError("no close")

    monkeypatch.setattr(ZoomEnv, "fork", breaks)
    monkeypatch.setattr(ZoomEnv, "close", closes)
    name = PLAYERS + kind
    assert played(jobs_of(name, [0, 1, 2, 3])) == {
        flash(0): in_a_process[flash(0)],
        flash(1): Failure(name, flash(1), "OSError: no fork"),
        flash(2): in_a_process[flash(2)],
        flash(3): Failure(name, flash(3), "OSError: no close"),
    }


@pytest.mark.parametrize("kind", ["Unready", "UnreadyBatch"])
def test_an_agent_that_cannot_be_reset_fails_in_each_of_its_episodes(
    kind: str, side_by_side: dict[str, Came]
) -> None:
    came = side_by_side.get(PLAYERS + kind) or played(jobs_of(PLAYERS + kind, [2, 3]))
    reason = "OSError: no weights"
    assert came == {flash(index): Failure(PLAYERS + kind, flash(index), reason) for index in (2, 3)}


@pytest.mark.long
def test_a_process_that_dies_costs_only_its_episode(
    in_a_process: Came,
) -> None:
    came = played(jobs_of(f"{PLAYERS}Dying", [2, 4, 3]))
    reason = "its process ended with exit code 7"
    assert came == {
        flash(2): in_a_process[flash(2)],
        flash(4): Failure(f"{PLAYERS}Dying", flash(4), reason),
        flash(3): in_a_process[flash(3)],
    }


@pytest.mark.long
def test_a_process_that_dies_leaves_the_other_agents_of_its_video_to_a_new_one(
    in_a_process: Came,
) -> None:
    name = f"{PLAYERS}Dying"
    jobs = [*jobs_of(name, [4]), *jobs_of("random", [4])]
    failure, record = play_all(jobs, workers=1, at_once=None)
    assert failure == Failure(name, flash(4), "its process ended with exit code 7")
    assert isinstance(record, Record)
    assert replace(record, agent="", agent_s=0.0, decode_s=0.0) == in_a_process[flash(4)]


def test_all_agents_play_a_video_before_the_next_one() -> None:
    agents = ("blind", "random", "glance")
    jobs = [job for name in agents for job in jobs_of(name, [0, 1])]
    outcomes = [one for one in play_all(jobs, workers=1, at_once=None) if isinstance(one, Record)]
    assert [(one.task.id, one.agent) for one in outcomes] == [
        (flash(index), name) for index in (0, 1) for name in agents
    ]


def test_a_free_process_takes_the_next_video_or_helps_where_the_file_is_written() -> None:
    def busy(jobs: str, is_shared: bool) -> Busy:
        return Busy(None, "job", deque(jobs), is_shared)  # type: ignore[arg-type]

    playing: Any = {1: busy("abcdefgh", False), 2: busy("12345", True), 3: busy("xy", True)}
    videos: Any = deque([deque("new")])
    assert _take(videos, playing) == (deque("new"), False)
    assert _take(videos, playing) == (deque("345"), True)
    assert [_take(videos, playing) for _ in range(3)] == [
        (deque("2"), True),
        (deque("y"), True),
        (deque("1"), True),
    ]
    assert _take(videos, playing) == (deque("x"), True)
    assert _take(videos, playing) is None
    assert playing[1].following == deque("abcdefgh")


def slowly(do: Callable[..., Any], calls: list[object]) -> Callable[..., Any]:
    """Returns a function that takes 3 s more, by the clock of costs."""

    def done(*args: Any) -> Any:
        calls.append(args)
        charge(3.0)
        return do(*args)

    return done


def test_what_is_shown_to_many_agents_is_drawn_once_and_counts_for_each(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls = list[object]()
    monkeypatch.setattr(time, "perf_counter", lambda: 7.0)
    monkeypatch.setattr(Scene, "draw", slowly(Scene.draw, calls))
    set_drawn_memory(2**20)
    try:
        [job] = jobs_of("blind", [2])
        outcomes = [
            play_one(replace(job, agent=name), {}, Environments()) for name in ("blind", "glance")
        ]
        assert DRAWN.weight == 64 * 256 * 3
    finally:
        set_drawn_memory(0)
    assert DRAWN.weight == 0
    assert [one.decode_s for one in outcomes if isinstance(one, Record)] == [3.0, 3.0]
    assert len(calls) == 1


@pytest.mark.usefixtures("short_videos")
def test_what_is_decoded_for_many_agents_is_decoded_once_and_counts_for_each(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    decoded, measured = list[object](), list[object]()
    monkeypatch.setattr(time, "perf_counter", lambda: 7.0)
    monkeypatch.setattr(video_file, "decode_clip", slowly(clip.decode_clip, decoded))
    monkeypatch.setattr(video_file, "measure", slowly(video_file.measure, measured))
    forget_frames()
    settings = {**FLASH.settings, "source": "file", "duration_s": 8}
    job = Job("tiny-v0", Part(1, settings), "flash-easy-8s-test-00002", "blind", 5, tmp_path)
    outcomes = [
        play_one(replace(job, agent=name), {}, Environments()) for name in ("blind", "glance")
    ]
    assert [one.decode_s for one in outcomes if isinstance(one, Record)] == [6.0, 6.0]
    assert (len(decoded), len(measured)) == (1, 1)


def test_what_cannot_be_read_again_is_no_record(side_by_side: dict[str, Came]) -> None:
    outcome = side_by_side[f"{PLAYERS}Boasting"][flash(2)]
    assert isinstance(outcome, Failure)
    assert "needed what JSON can hold, got: Out of range float values" in outcome.reason


def test_a_part_that_cannot_be_opened_fails_and_stops_nothing(tmp_path: Path) -> None:
    name = f"{PLAYERS}Local"
    lost = replace(jobs_of(name, [0])[0], part=Part(1, {"tasks": str(tmp_path / "lost.jsonl")}))
    came = play_all([lost, *jobs_of(name, [2])], workers=1, at_once=None)
    first, second = came
    assert isinstance(first, Failure)
    assert "lost.jsonl" in first.reason
    assert isinstance(second, Record)


@pytest.mark.long
def test_closing_ends_what_still_plays() -> None:
    outcomes = play_all(jobs_of("random"), workers=1, at_once=None)
    assert isinstance(next(outcomes), Record)
    assert len(active_children()) == 1
    outcomes.close()
    assert active_children() == []


def test_closing_leaves_what_threads_have_not_begun() -> None:
    Gated.begun.clear()
    Gated.gate.clear()
    outcomes = play_all(jobs_of(f"{PLAYERS}Gated", [2] * 40), workers=1, at_once=None)
    assert isinstance(next(outcomes), Record)
    outcomes.close()
    Gated.gate.set()
    for thread in threading.enumerate():
        if thread.name.startswith(f"{PLAYERS}Gated"):
            thread.join()
    assert 1 <= len(Gated.begun) <= Gated.NUM_FREE + 1
