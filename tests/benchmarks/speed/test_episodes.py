"""The measurement of episodes, small: it plays what it says, and every second has one phase."""

import time

import pytest
from rich.console import Console

from benchmarks.speed import episodes as episode_speed
from benchmarks.speed.__main__ import main
from benchmarks.speed.episodes import FUNCTIONS, share_of_phases, time_turns, watched
from benchmarks.speed.stopwatch import OTHER, Stopwatch
from zoomgym.rules.episode import Episode, advance
from zoomgym.rules.grammar import GRAMMARS

pytestmark = pytest.mark.long


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(episode_speed, "NUM_TURNS", 2)
    monkeypatch.setattr(episode_speed, "REPEATS", 1)
    monkeypatch.setattr(episode_speed, "WORKERS", (1,))
    monkeypatch.setattr(episode_speed, "AGENTS", ("blind",))


@pytest.mark.parametrize("grammar", GRAMMARS)
def test_turns_are_played_as_their_names_say(grammar: str) -> None:
    played = []

    def seen(before: Episode, reply: str) -> Episode:
        after = advance(before, reply)
        played.append((len(after.zooms), bool(after.turns[-1].error), after.answer))
        return after

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(episode_speed, "advance", seen)
        assert list(time_turns(grammar)) == ["zoom", "refused zoom", "answer", "no action"]
    zoom, refused, answer, nothing = played[::2]
    assert (zoom, refused) == ((1, False, None), (0, True, None))
    assert (answer, nothing) == ((0, False, "B"), (0, True, None))


def test_jobs_go_round_all_parts_of_a_minute() -> None:
    jobs = episode_speed._jobs("blind", 23)
    assert len({job.task_id for job in jobs}) == 23
    assert {job.part.settings["duration_s"] for job in jobs} == {60}
    assert [job.task_id[-5:] for job in jobs] == ["00000"] * 21 + ["00001"] * 2


def test_every_function_is_timed_and_put_back() -> None:
    before = [vars(owner)[name] for owner, name, _ in FUNCTIONS]
    stopwatch = Stopwatch()
    with watched(stopwatch):
        assert not {vars(owner)[name] for owner, name, _ in FUNCTIONS} & {*before}
        episode_speed._in_one_process(episode_speed._jobs("oracle", 1))()
    assert [vars(owner)[name] for owner, name, _ in FUNCTIONS] == before
    assert stopwatch.cpu_seconds.keys() == {OTHER, *(phase for _, _, phase in FUNCTIONS)}


def test_shares_are_of_all_that_was_played() -> None:
    def play() -> int:
        until_s = time.process_time() + 0.01
        while time.process_time() < until_s:
            pass
        return 0

    assert share_of_phases(play) == {OTHER: 1.0}


def test_an_episode_that_fails_is_told() -> None:
    [job] = episode_speed._jobs("tests.benchmarks.players:Nobody", 1)
    with pytest.raises(RuntimeError, match=r"players:Nobody on .*has no Nobody"):
        episode_speed._in_one_process([job])()


def test_the_command_shows_turns_episodes_and_shares(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("benchmarks.speed.__main__.Console", lambda: Console(width=132))
    assert main(["episodes", "--episodes", "2"]) == 0
    told = capsys.readouterr().out
    for line in (
        "advance, without frames",
        "ZoomEnv, 112 x 112, random replies  │        2 │",
        "runner, 256 x 256, blind, 1 process ",
        "drawing frames ",
        "ZoomEnv 256 ┃ blind ┃",
    ):
        assert line in told, line
