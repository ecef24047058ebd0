"""Heuristics look where pictures change, and never anywhere that the rules refuse."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pytest
from numpy.typing import NDArray

from agents.registry import AGENTS, make_agent
from agents.synthetic.reader import read_option
from tests.agents.test_agents import run, small_env
from zoomgym.agent import is_privileged
from zoomgym.agent.observation import look, observe
from zoomgym.records import Record
from zoomgym.rollout import run_episodes
from zoomgym.rules.episode import Turn, advance, start
from zoomgym.rules.question import VideoQuestion
from zoomgym.rules.rewards import score
from zoomgym.rules.settings import Rules

Zoom = tuple[float, float, int]
HEURISTICS = ("change", "keyframe", "coarse_to_fine")


@dataclass
class Filmed:
    """A video that shows a plain picture at each of some levels, one a second."""

    levels: Sequence[int]
    size = (32, 32)

    def frames_at(self, times_s: Sequence[float], size: tuple[int, int]) -> NDArray[np.uint8]:
        shown = [self.levels[min(int(time_s), len(self.levels) - 1)] for time_s in times_s]
        return np.repeat(np.array(shown, np.uint8), size[0] * size[1] * 3).reshape(-1, *size, 3)


def filmed(agent: str, levels: Sequence[int], **rules: int) -> list[Zoom]:
    """Returns the zooms of an agent on a video, of which the overview shows every picture once."""
    video, player = Filmed(levels), make_agent(agent)
    player.reset(0)
    task = VideoQuestion(id="q", video="v", question="Who is it?", answer="nobody")
    given = {"num_overview": len(levels), "frame_budget": len(levels) + 64, **rules}
    episode = start(task, float(len(levels)), len(levels) - 1.0, Rules(**given), "q@0")  # type: ignore[arg-type]
    overview = look(video, episode.overview_s, 1024)  # type: ignore[arg-type]
    while not episode.is_over:
        clips = [look(video, zoom.times_s, 1024) for zoom in episode.zooms]  # type: ignore[arg-type]
        episode = advance(episode, player.act(observe(episode, overview, clips)))
    assert (episode.answer, score(episode).format) == ("unknown", 1)
    return zooms(episode.turns)


def zooms(turns: Sequence[Turn]) -> list[Zoom]:
    """Returns start, end and number of frames of every zoom."""
    calls = [turn.zoom for turn in turns if turn.zoom]
    return [(round(call.start_s, 3), round(call.end_s, 3), call.num_frames) for call in calls]


def played(agent: str, family: str, num_tasks: int, **settings: object) -> list[Record]:
    env = small_env(f"synthetic:{family}", **settings)
    task_ids = [env.tasks[index].id for index in range(num_tasks)]
    return list(run_episodes(env, make_agent(agent), agent_name=agent, task_ids=task_ids, seed=0))


QUIET = [0, 1, 0, 1, 0]


def test_change_zooms_on_the_largest_changes_one_after_the_other() -> None:
    levels = [*QUIET, 200, 201, 200, 120, *QUIET]
    assert filmed("change", levels) == [
        (3, 6, 16),  # 0 to 200
        (7, 10, 16),  # 120 to 0; 200 to 120 was seen with it
        (5, 8, 16),  # between the two
        (1, 4, 16),  # beside them
    ]


def test_keyframe_spreads_its_budget_over_the_passage_that_changes_bound() -> None:
    levels = [*QUIET, 200, 201, 200, *QUIET]
    assert filmed("keyframe", levels) == [
        (4, 5, 16), (5, 6, 16), (6, 7, 16), (7, 8, 16),
    ]  # fmt: skip


def test_keyframe_gives_a_longer_passage_more_zooms() -> None:
    apart = QUIET + QUIET
    levels = [*apart, 200, *apart, 180, 181, 180, 181, 180, *apart]
    assert filmed("keyframe", levels) == [
        (9, 11, 16), (20, 22, 16), (22, 24, 16), (24, 26, 16),
    ]  # fmt: skip


def test_keyframe_leaves_the_least_of_too_many_passages_out() -> None:
    apart = QUIET + QUIET
    levels = [*apart]
    for level in (250, 200, 150, 240, 230):
        levels += [level, *apart]
    assert [start_s for start_s, _, _ in filmed("keyframe", levels)] == [9, 42, 53, 20]


@pytest.mark.parametrize("agent", HEURISTICS)
@pytest.mark.parametrize("levels", [[7] * 40, list(range(40))])
def test_where_nothing_stands_out_one_looks_between_the_frames(
    agent: str, levels: list[int]
) -> None:
    assert filmed(agent, levels) == [(0.5, 16.5, 16), (16.5, 32.5, 16), (32.5, 38.5, 6)]


def test_coarse_to_fine_looks_at_a_passage_and_then_closely_at_what_is_odd_in_it() -> None:
    levels = [*QUIET, 200, 200, 100, 200, 200, *QUIET]
    assert filmed("coarse_to_fine", levels) == [
        (4, 10, 16),
        (5.708, 7.042, 16),  # every frame of a film before 7 s,
        (7.042, 8.375, 16),  # and after it
    ]


@pytest.mark.parametrize("family", ["flash", "count", "order", "motion"])
def test_coarse_to_fine_follows_a_countdown(family: str) -> None:
    for record in played("coarse_to_fine", family, 1, duration_s=36_000):
        [start, *close] = zooms(record.turns)
        event_s = record.task.evidence[0].start_s
        assert start[0] < event_s
        assert [number for _, _, number in close] == [16, 16]
        assert close[0][0] < event_s < close[0][1]
        assert record.reward_parts.accuracy == 1


@pytest.mark.long
@pytest.mark.parametrize(
    ("agent", "duration_s", "right"),
    [
        ("change", 60, [3, 2, 4, 1, 1, 4]),
        ("keyframe", 60, [4, 3, 4, 4, 4, 4]),
        pytest.param("keyframe", 3600, [3, 0, 3, 2, 1, 4], marks=pytest.mark.slow),
        ("coarse_to_fine", 60, [4, 4, 4, 4, 3, 4]),
        pytest.param("coarse_to_fine", 3600, [4, 4, 4, 4, 1, 4], marks=pytest.mark.slow),
    ],
)
def test_each_family_is_solved_by_those_who_look_well_enough(
    agent: str, duration_s: int, right: list[int]
) -> None:
    families = ("flash", "count", "order", "motion", "relay", "sparse")
    found = [
        sum(run(agent, f"synthetic:{family}", 4, duration_s=duration_s)) for family in families
    ]
    assert found == right


@pytest.mark.parametrize("agent", HEURISTICS)
def test_the_overview_family_is_answered_at_once(agent: str) -> None:
    for record in played(agent, "overview", 3):
        assert (record.reward_parts.accuracy, len(record.turns)) == (1, 1)


@pytest.mark.parametrize("agent", HEURISTICS)
@pytest.mark.parametrize(
    "rules",
    [
        {"num_overview": 1, "frame_budget": 65},
        {"num_overview": 2, "frame_budget": 5},
        {"num_overview": 3, "frame_budget": 3},
        {"max_turns": 1},
        {"max_turns": 2, "frames_per_zoom": 1},
        {"max_turns": 20, "frame_budget": 400, "frames_per_zoom": 64},
        {"max_turns": 9, "frame_budget": 74},
    ],
)
@pytest.mark.parametrize("levels", [[9], [0, 255], [0, 0, 250, 250, 90, 250, 0, 0] * 9])
def test_other_rules_and_tiny_videos_are_no_trouble(
    agent: str, rules: dict[str, int], levels: list[int]
) -> None:
    filmed(agent, levels, **rules)


@pytest.mark.parametrize("agent", HEURISTICS)
def test_without_an_overview_the_first_zoom_is_one(agent: str) -> None:
    levels = [*QUIET, 200, 201, 200, *QUIET]
    first, *others = filmed(agent, levels, num_overview=0)
    assert first == (0, 13, 16)
    assert others
    assert all(start_s < 8 and end_s > 4 for start_s, end_s, _ in others[:1])


@pytest.mark.long
@pytest.mark.parametrize("agent", sorted(AGENTS))
@pytest.mark.parametrize("overview", ["uniform", "random", "change"])
@pytest.mark.parametrize("num_overview", [0, 1, (0, 2, 5)])
def test_every_agent_plays_with_any_overview(
    agent: str, overview: str, num_overview: int | tuple[int, ...]
) -> None:
    given = {"num_overview": num_overview, "overview": overview, "duration_s": 600}
    for family in ("flash", "count"):
        for record in played(agent, family, 2, max_pixels=32 * 32, **given):
            assert record.reward_parts.format == 1
            assert record.answer in set("ABCD")


def test_without_an_overview_heuristics_find_more_than_guesses() -> None:
    for agent, least in (("change", 7), ("coarse_to_fine", 7), ("oracle", 12)):
        records = played(agent, "flash", 12, num_overview=0)
        assert sum(record.reward_parts.accuracy for record in records) >= least, agent


def test_nothing_is_read_where_nothing_was_shown() -> None:
    env = small_env("synthetic:count", num_overview=0)
    env.reset(seed=0)
    assert read_option(replace(env.observation, options=("0", "1", "2", "3"))) is None


def test_a_countdown_is_read_with_any_overview() -> None:
    for num_overview in (64, 48):
        records = played("coarse_to_fine", "flash", 6, num_overview=num_overview, duration_s=3600)
        assert sum(record.reward_parts.accuracy for record in records) == 6, num_overview


@pytest.mark.parametrize("agent", HEURISTICS)
def test_heuristics_are_told_nothing(agent: str) -> None:
    assert not is_privileged(AGENTS[agent]())
