import re
from dataclasses import replace
from pathlib import Path

import pytest

from agents.registry import AGENTS, make_agent
from benchmarks.evaluation.failures import FAILURES, failures_of
from benchmarks.evaluation.metrics import missed
from tests.benchmarks.episodes import RIGHT, TASK, WRONG, played, with_evidence, zoom
from zoomgym import ZoomEnv
from zoomgym.records import Record
from zoomgym.rollout import run_episodes
from zoomgym.rules.question import VideoQuestion
from zoomgym.tasks.synthetic.families import count

NEVER, ELSEWHERE, THIN, REDUNDANT, WASTE, NO_ANSWER, MALFORMED, REFUSED, MISREAD = FAILURES
SEEN = zoom(20, 21, 10)
ONLY_OVERVIEW = with_evidence((20.1, 24))
BARE = with_evidence()
TWO = with_evidence((20.1, 20.5), (40.1, 40.5))
PULSES = with_evidence((20, 21), question=count.QUESTION)
"""Twelve pictures, of which one is missed too many."""


@pytest.mark.parametrize(
    ("replies", "task", "failures"),
    [
        ([SEEN, RIGHT], TASK, []),
        ([RIGHT], TASK, [NEVER]),  # a lucky guess
        ([WRONG], TASK, [NEVER]),
        ([zoom(50, 40, 1), RIGHT], TASK, [NEVER, REFUSED]),
        ([RIGHT], BARE, []),
        ([WRONG], BARE, [NEVER]),
        ([zoom(0, 1, 1), WRONG], BARE, []),  # nobody knows why
        ([RIGHT], ONLY_OVERVIEW, []),
        ([WRONG], ONLY_OVERVIEW, [MISREAD]),
        ([SEEN, RIGHT], ONLY_OVERVIEW, [WASTE]),
        ([SEEN, SEEN, RIGHT], ONLY_OVERVIEW, [REDUNDANT, WASTE]),
        ([zoom(30, 31, 8), RIGHT], TASK, [ELSEWHERE]),
        ([zoom(19, 20.2, 10), RIGHT], TASK, []),  # a frame fell on it
        ([zoom(19, 20.2, 2), RIGHT], TASK, [ELSEWHERE]),
        ([zoom(19, 20.3, 1), RIGHT], TASK, [THIN]),  # half of it
        ([zoom(20, 21, 1), WRONG], TASK, [THIN]),
        ([zoom(15, 20.2, 1), zoom(20.2, 25, 0.5), WRONG], TASK, [MISREAD]),  # at 20.2 s
        ([zoom(30, 31, 8), SEEN, RIGHT], TASK, []),  # it recovered
        ([SEEN, RIGHT], TWO, [ELSEWHERE]),
        ([SEEN, zoom(40, 41, 1), RIGHT], TWO, [THIN]),
        ([zoom(40, 41, 1), RIGHT], TWO, [ELSEWHERE, THIN]),
        ([SEEN, WRONG], TASK, [MISREAD]),
        ([zoom(20, 21, 12), RIGHT], PULSES, []),
        ([zoom(20, 21, 6), RIGHT], PULSES, [THIN]),
        ([zoom(20, 20.5, 12), RIGHT], PULSES, [ELSEWHERE]),
        ([zoom(20, 20.5, 6), RIGHT], PULSES, [ELSEWHERE, THIN]),
        ([zoom(20, 20.5, 12), zoom(20.5, 21, 12), WRONG], PULSES, [MISREAD]),
    ],
)
def test_where_an_agent_looked_decides_what_went_wrong(
    replies: list[str], task: VideoQuestion, failures: list[str]
) -> None:
    assert list(failures_of(played(*replies, task=task))) == failures


@pytest.mark.parametrize(
    ("second", "is_redundant"),
    [
        (zoom(30, 32, 8), True),
        (zoom(30, 32, 4), True),  # every second frame of it
        (zoom(30.5, 31.5, 3), True),  # thinner, at new times
        (zoom(30.125, 31, 8), True),  # some of the same times
        (zoom(30.0625, 32, 8), False),  # as dense, in between
        (zoom(30.5, 31, 12), False),  # denser
        (zoom(29, 33, 4), False),  # wider
    ],
)
def test_a_zoom_is_redundant_that_shows_nothing_new(second: str, is_redundant: bool) -> None:
    for task in (TASK, BARE):
        record = played(zoom(30, 32, 8), second, RIGHT, task=task)
        assert (REDUNDANT in failures_of(record)) == is_redundant


def test_pictures_that_nobody_could_see_one_by_one_are_told_as_whole_segments() -> None:
    days = with_evidence((0, 864_000), (5, 6), question=count.QUESTION)
    assert missed(played(WRONG, task=days), []) == []
    apart = with_evidence((0.1, 0.2), (100, 864_000), question=count.QUESTION)
    assert missed(played(WRONG, task=apart), []) == list(apart.evidence)


def test_a_zoom_is_redundant_after_those_before_it_had_shown_the_evidence() -> None:
    elsewhere = zoom(50, 51, 8)
    assert failures_of(played(SEEN, elsewhere, RIGHT)) == (REDUNDANT,)
    assert failures_of(played(elsewhere, SEEN, RIGHT)) == ()
    assert failures_of(played(SEEN, elsewhere, RIGHT, task=BARE)) == ()
    assert failures_of(played(SEEN, zoom(40, 41, 10), RIGHT, task=TWO)) == ()


@pytest.mark.parametrize(
    ("reply", "failures"),
    [
        ("let me see", [MALFORMED]),
        (f"Look: {SEEN}", [MALFORMED]),  # executed all the same
        (f"{SEEN} {RIGHT}", [MALFORMED]),
        ('{"segment": [1, "2"], "fps": 1}', [MALFORMED]),
        ('{"segment": [5, 3], "fps": 1}', [REFUSED]),
        ('{"segment": [5, 1e999], "fps": 1}', [REFUSED]),
        (f'{{"segment": [5, 1{"0" * 400}], "fps": 1}}', [REFUSED]),
        (zoom(70, 80, 1), [REFUSED]),
        (zoom(0, 60, 8), [REFUSED]),
        (zoom(0, 1, 0.1), [REFUSED]),
        (f"Look: {zoom(0, 60, 8)}", [MALFORMED, REFUSED]),
    ],
)
def test_a_reply_is_malformed_or_refused(reply: str, failures: list[str]) -> None:
    last = [RIGHT] if reply.startswith(f"Look: {SEEN}") else [SEEN, RIGHT]
    assert list(failures_of(played(reply, *last))) == failures


def test_an_episode_without_an_answer_ran_out_of_turns() -> None:
    away = zoom(30, 31, 8)
    assert failures_of(played(SEEN, away, max_turns=2)) == (NO_ANSWER,)
    assert failures_of(played(away, SEEN, max_turns=2)) == (ELSEWHERE, NO_ANSWER)
    assert failures_of(played(SEEN, "what?", max_turns=2)) == (NO_ANSWER, MALFORMED)
    assert failures_of(played(SEEN, zoom(5, 3, 1), max_turns=2)) == (NO_ANSWER,)
    assert failures_of(played("a", "b", max_turns=2, task=BARE)) == (NEVER, NO_ANSWER, MALFORMED)


def test_nobody_says_that_an_ungraded_answer_is_wrong() -> None:
    ungraded = replace(played(SEEN, WRONG), grading="ungraded")
    assert failures_of(ungraded) == ()


@pytest.fixture(scope="module")
def episodes() -> list[Record]:
    records = []
    for family in ("flash", "overview", "count", "relay"):
        settings = {"max_pixels": 32 * 32, "frame_size": (8, 8)}
        env = ZoomEnv(f"synthetic:{family}", source="scene", split="test", **settings)  # type: ignore[arg-type]
        task_ids = [env.tasks[index].id for index in range(5)]
        for name in ("blind", "glance", "random", "slow", "once", "oracle"):
            agent = make_agent(name)
            records += run_episodes(env, agent, agent_name=name, task_ids=task_ids, seed=0)
    return records


def kinds_of(episodes: list[Record], agent: str, *families: str) -> set[str]:
    """Returns every failure of an agent on some families."""
    own = [one for one in episodes if one.agent == agent and one.task.category in families]
    assert len(own) == 5 * len(families)
    return {kind for record in own for kind in failures_of(record)}


@pytest.mark.long
def test_agents_that_never_zoom_fail_where_the_overview_hides_the_evidence(
    episodes: list[Record],
) -> None:
    for agent in ("blind", "glance"):
        assert kinds_of(episodes, agent, "flash", "count", "relay") == {NEVER}
    assert kinds_of(episodes, "blind", "overview") == {MISREAD}
    assert kinds_of(episodes, "glance", "overview") == set()


def test_probes_fail_as_they_are_made_to(episodes: list[Record]) -> None:
    assert kinds_of(episodes, "slow", "count") == {THIN}
    assert kinds_of(episodes, "once", "relay") == {ELSEWHERE}
    assert kinds_of(episodes, "once", "flash") == set()


def test_a_random_agent_fails_in_many_ways_and_the_oracle_in_none(episodes: list[Record]) -> None:
    families = ("flash", "overview", "count", "relay")
    assert kinds_of(episodes, "oracle", *families) == set()
    assert kinds_of(episodes, "random", *families) >= {NEVER, ELSEWHERE, THIN, WASTE}


def test_every_wrong_answer_to_a_task_with_evidence_has_a_failure(episodes: list[Record]) -> None:
    assert {"blind", "random", "oracle"} < AGENTS.keys()
    wrong = [record for record in episodes if not record.reward_parts.accuracy]
    assert len(wrong) > 20
    assert all(map(failures_of, wrong))


def test_the_documents_define_every_failure() -> None:
    page = Path(__file__).parents[3] / "docs" / "leaderboard.md"
    assert re.findall(r"^\| `(.+?)` \|", page.read_text(), re.MULTILINE) == list(FAILURES)
