"""Tapes tell where to ask; their tutor knows it, and says what others did wrong."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from agents.qwen.demonstrations import read_demonstrations, reflect
from benchmarks.studies.plan import QUICK, Cell
from benchmarks.studies.reflection_elsewhere import (
    ENV,
    EXEMPLARS,
    MEASURES,
    REFLECTIONS,
    SFT,
    ReflectionAmounts,
    arm_of,
    play,
)
from benchmarks.studies.tapes import SHAPES, TapeTutor, place_in, tapes
from zoomgym import ZoomEnv
from zoomgym.agent import Agent, Observation
from zoomgym.records import Record
from zoomgym.rollout import run_episodes
from zoomgym.tasks import TOOL_FAMILIES

NUM_TASKS = 30


@pytest.fixture
def _on_tapes() -> Iterator[None]:
    with tapes():
        yield


class Missing:
    """Asks one second too late so many times, and then answers what is no option."""

    def __init__(self, num_calls: int = 1) -> None:
        self.num_calls = num_calls

    def reset(self, seed: int) -> None:
        """Nothing is random."""

    def act(self, observation: Observation) -> str:
        if len(observation.turns) == self.num_calls:
            return '{"answer": "nothing"}'
        place_s = place_in(observation.question) + 1
        return f'{{"transcript": [{place_s}, {place_s + 1}]}}'


class Mishearing(Missing):
    """Asks for the right second, and answers with another option than was named."""

    def act(self, observation: Observation) -> str:
        if not observation.turns:
            return TapeTutor().act(observation)
        [turn] = observation.turns
        return f'{{"answer": "{next(one for one in observation.options if one not in turn.told)}"}}'


def task_ids(env: ZoomEnv) -> list[str]:
    return [env.tasks[index].id for index in range(NUM_TASKS)]


def played(agent: Agent) -> list[Record]:
    env = ZoomEnv(**ENV)
    return list(run_episodes(env, agent, agent_name="", task_ids=task_ids(env), seed=0))


def answer_to(record: Record) -> str:
    return record.task.options["ABCD".index(record.task.answer)]


def measured(record: Record) -> dict[str, float | None]:
    return {name: measure(record) for name, measure in MEASURES.items()}


def test_families_are_as_they_were_once_tapes_are_played() -> None:
    before = dict(TOOL_FAMILIES)
    with tapes():
        assert set(TOOL_FAMILIES) - set(before) == {"tapes"}
    assert dict(TOOL_FAMILIES) == before


@pytest.mark.usefixtures("_on_tapes")
def test_the_tutor_asks_for_the_right_second_and_says_what_it_hears() -> None:
    for record in played(TapeTutor()):
        place_s, right = place_in(record.task.question), answer_to(record)
        assert right in SHAPES
        assert [turn.reply for turn in record.turns] == [
            f'<think>It is at {place_s}.</think>{{"transcript": [{place_s}, {place_s + 1}]}}',
            f'<think>The symbol is {right}.</think>{{"answer": "{right}"}}',
        ]
        told = f"[{place_s:.1f}, {place_s + 1:.1f}] The symbol is {right}."
        assert record.turns[0].told == told
        assert measured(record) == {
            "accuracy": 1.0,
            "calls": 1.0,
            "exactly one call": 1.0,
            "found at once": 1.0,
            "format": 1.0,
            "longest stretch, s": 1.0,
        }


@pytest.mark.usefixtures("_on_tapes")
def test_elsewhere_on_a_tape_a_voice_tells_where_to_ask() -> None:
    for record in played(Missing(2)):
        place_s = place_in(record.task.question)
        told = f"[{place_s + 1:.1f}, 30.0] It is at {place_s}."
        assert [turn.told for turn in record.turns] == [told, told, ""]
        assert measured(record) == {
            "accuracy": 0.0,
            "calls": 2.0,
            "exactly one call": 0.0,
            "found at once": 0.0,
            "format": 1.0,
            "longest stretch, s": 1.0,
        }


@pytest.mark.usefixtures("_on_tapes")
def test_questions_do_not_tell_the_second_but_are_near_it() -> None:
    away = [
        place_in(record.task.question) - int(record.task.question.split()[-2])
        for record in played(Missing())
    ]
    assert {one: away.count(one) for one in sorted(set(away))} == {-1: 8, 0: 7, 1: 15}


@pytest.mark.usefixtures("_on_tapes")
@pytest.mark.parametrize(
    ("student", "corrected"),
    [
        (
            Missing(),
            [
                '<think>Not there. It is at {place}.</think>{{"transcript": [{place}, {after}]}}',
                '<think>The symbol is {right}.</think>{{"answer": "{right}"}}',
            ],
        ),
        (
            Mishearing(),
            ['<think>It is not {wrong}. The symbol is {right}.</think>{{"answer": "{right}"}}'],
        ),
    ],
    ids=["missed", "misheard"],
)
def test_the_tutor_corrects_what_a_student_missed(
    student: Agent, corrected: list[str], tmp_path: Path
) -> None:
    env, wrong = ZoomEnv(**ENV), {one.task.id: one.answer for one in played(student)}
    made = reflect(
        [env],
        task_ids(env),
        student=student,
        student_name="student",
        expert=TapeTutor(),
        expert_name="tutor",
        out=tmp_path / "reflections.jsonl",
    )
    assert [one.reason for one in made] == [""] * NUM_TASKS
    for one in read_demonstrations(tmp_path / "reflections.jsonl"):
        place_s = place_in(one.record.task.question)
        names = {
            "place": place_s,
            "after": place_s + 1,
            "right": answer_to(one.record),
            "wrong": wrong[one.record.task.id],
        }
        assert one.first_turn == 1
        replies = [turn.reply for turn in one.record.turns[1:]]
        assert replies == [reply.format(**names) for reply in corrected]


@pytest.mark.usefixtures("_on_tapes")
def test_the_tutor_repeats_a_call_that_was_refused(tmp_path: Path) -> None:
    env = ZoomEnv(**ENV)
    env.reset(seed=0, options={"task_id": env.tasks[0].id})
    env.step("Where?")
    place_s = place_in(env.observation.question)
    assert TapeTutor().act(env.observation) == (
        f"<think>That was refused. It is at {place_s}.</think>"
        f'{{"transcript": [{place_s}, {place_s + 1}]}}'
    )


@pytest.mark.usefixtures("_on_tapes")
def test_the_tutor_does_not_guess_but_takes_over_one_turn_earlier(tmp_path: Path) -> None:
    env = ZoomEnv(**ENV)
    made = reflect(
        [env],
        task_ids(env),
        student=Missing(3),
        student_name="student",
        expert=TapeTutor(),
        expert_name="tutor",
        out=tmp_path / "reflections.jsonl",
    )
    assert [one.reason for one in made] == [""] * NUM_TASKS
    assert {one.first_turn for one in read_demonstrations(tmp_path / "reflections.jsonl")} == {2}
    env.reset(seed=0, options={"task_id": env.tasks[0].id})
    for _ in range(3):
        env.step('{"transcript": [1, 2]}')
    assert TapeTutor().act(env.observation) == '<think>Not there.</think>{"answer": "unknown"}'


@pytest.mark.slow
def test_both_arms_learn_as_many_demonstrations_from_the_same_student(tmp_path: Path) -> None:
    amounts = ReflectionAmounts(
        num_exemplars=32,
        num_again=8,
        num_more=4,
        first_epochs=1,
        second_epochs=1,
        num_updates=1,
        num_tests=2,
    )
    tested = {}
    for arm in (arm_of(EXEMPLARS, SFT), arm_of(REFLECTIONS, SFT)):
        folder = tmp_path / arm / "0"
        records = list(play(Cell("", QUICK, arm, 0), amounts, folder, set()))
        tested[arm] = {record.task.id for record in records}
    shared = tmp_path / "shared"
    assert sorted(one.name for one in shared.iterdir() if one.is_dir()) == [
        "0-SFT-0",
        "1-SFT-0",
        "reflections-0",
        "student-0",
    ]
    exemplars, mixed = (
        list(read_demonstrations(shared / name / "mixed.jsonl")) for name in ("0-SFT-0", "1-SFT-0")
    )
    assert len(exemplars) == len(mixed) == 12
    assert [one.record.agent for one in mixed] == ["tutor"] * 8 + ["student > tutor"] * 4
    assert {one.record.agent for one in exemplars} == {"tutor"}
    ids = [one.record.task.id for one in (*exemplars, *mixed[8:])]
    assert len(set(ids)) == len(ids)
    first, second = tested.values()
    assert first == second
    assert len(first) == 2
