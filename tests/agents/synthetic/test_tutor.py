"""The tutor is right, says why it looks where it looks, and what others did wrong."""

import json
from dataclasses import replace

import pytest

from agents.registry import make_agent
from agents.synthetic.evidence import is_shown, missing_frames
from agents.synthetic.tutor import TutorAgent
from zoomgym import ZoomEnv
from zoomgym.records import Record
from zoomgym.rollout import run_episodes
from zoomgym.rules.timeline import Segment
from zoomgym.tasks.synthetic import FAMILIES
from zoomgym.tasks.synthetic.families import count, flash


def small_env(family: str, **settings: object) -> ZoomEnv:
    given = {"source": "scene", "max_pixels": 1600, "frame_size": (8, 8), "grammar": "video_zoom"}
    return ZoomEnv(f"synthetic:{family}", **{**given, **settings})  # type: ignore[arg-type]


def play(env: ZoomEnv, num_tasks: int) -> list[Record]:
    task_ids = [env.tasks[index].id for index in range(num_tasks)]
    tutor = make_agent("tutor")
    return list(run_episodes(env, tutor, agent_name="tutor", task_ids=task_ids, seed=0))


@pytest.mark.parametrize("family", FAMILIES)
def test_the_tutor_is_always_right(family: str) -> None:
    records = play(small_env(family), 10)
    assert [record.reward_parts.accuracy for record in records] == [1.0] * 10
    assert [record.reward_parts.format for record in records] == [1.0] * 10


@pytest.mark.parametrize(
    ("family", "rules"),
    [
        ("order", {"num_overview": 16, "frame_budget": 80}),  # it may show one of the two symbols
        ("count", {"frames_per_zoom": 8}),  # two zooms for what one zoom shows by default
        ("order", {"duration_s": 3600}),
    ],
)
def test_the_tutor_looks_until_it_has_seen_all(family: str, rules: dict[str, int]) -> None:
    records = play(small_env(family, **rules), 5)
    assert [record.reward_parts.accuracy for record in records] == [1.0] * 5


EXEMPLARS = {
    "flash": [
        "<think>The amber beacon is lit in frames 16 to 19.</think>"
        '<video_zoom>{"segment": [14.27, 19.02], "fps": 2.0}</video_zoom>',
        "<think>I see red circle.</think><answer>C</answer>",
    ],
    "count": [
        "<think>It must be near 25 s.</think>"
        '<video_zoom>{"segment": [25.0, 26.34], "fps": 12.0}</video_zoom>',
        "<think>I see 3.</think><answer>C</answer>",
    ],
    "relay": [
        "<think>The amber beacon is lit in frames 38 to 41.</think>"
        '<video_zoom>{"segment": [35.19, 39.94], "fps": 2.0}</video_zoom>',
        "<think>The blue beacon is lit in frames 12 to 15.</think>"
        '<video_zoom>{"segment": [10.46, 15.22], "fps": 2.0}</video_zoom>',
        "<think>I see cyan ring.</think><answer>D</answer>",
    ],
    "overview": ["<think>I see cyan ring.</think><answer>A</answer>"],
}


@pytest.mark.parametrize("family", EXEMPLARS)
def test_the_tutor_says_why(family: str) -> None:
    [record] = play(small_env(family), 1)
    assert [turn.reply for turn in record.turns] == EXEMPLARS[family]


def zoom(start_s: float, end_s: float, fps: float) -> str:
    call = json.dumps({"segment": [start_s, end_s], "fps": fps})
    return f"<think>There.</think><video_zoom>{call}</video_zoom>"


def correct(family: str, replies: list[str], wrong: str | None, in_words: bool = False) -> str:
    """Returns how the tutor goes on after these replies to the first task of a family."""
    tutor = TutorAgent(in_words=in_words)
    tutor.reset(0)
    env = small_env(family)
    env.reset(seed=0, options={"task_id": env.tasks[0].id})
    for reply in replies:
        env.step(reply)
    return tutor.correct(replace(env.observation, evidence=env.tasks[0].evidence), wrong)


FLASH_ZOOM = (
    " The amber beacon is lit in frames 16 to 19.</think>"
    '<video_zoom>{"segment": [14.27, 19.02], "fps": 2.0}</video_zoom>'
)


@pytest.mark.parametrize(
    ("family", "replies", "said"),
    [
        ("flash", [zoom(2, 10, 1)], f"It is not between 2 and 10 s.{FLASH_ZOOM}"),
        ("flash", [zoom(14, 20, 0.5)], f"0.5 frames a second were too few to see it.{FLASH_ZOOM}"),
        (
            "flash",
            [zoom(20, 10, 1)],
            "That was refused: zoom needs start < end, got [20, 10]: send the earlier time first."
            + FLASH_ZOOM,
        ),
        ("flash", ["</think> <think> what?"], f"That was no reply.{FLASH_ZOOM}"),
        (
            "flash",
            [zoom(14.27, 19.02, 2)],
            "It is not white cross. I see red circle.</think><answer>C</answer>",
        ),
        (
            "count",
            [zoom(24, 28, 2)],
            "2 frames a second were too few to see it. It must be near 25.09 s.</think>"
            '<video_zoom>{"segment": [25.09, 26.34], "fps": 12.0}</video_zoom>',
        ),
        (
            "count",
            [zoom(25, 25.7, 12)],
            "Not all of it is between 25 and 25.7 s. It must be near 25.67 s.</think>"
            '<video_zoom>{"segment": [25.67, 26.34], "fps": 12.0}</video_zoom>',
        ),
        (
            "relay",
            [zoom(36, 40, 4)],
            "I have not seen all of it yet. The blue beacon is lit in frames 12 to 15.</think>"
            '<video_zoom>{"segment": [10.46, 15.22], "fps": 2.0}</video_zoom>',
        ),
        (
            "order",
            [zoom(45, 60, 0.5)],
            "0.5 frames a second were too few to see it all. The amber beacon is lit in frames 48 "
            'to 52.</think><video_zoom>{"segment": [44.7, 50.41], "fps": 2.0}</video_zoom>',
        ),
        (
            "overview",
            [zoom(0, 5, 1)],
            "It is not between 0 and 5 s. I see cyan ring.</think><answer>A</answer>",
        ),
    ],
)
def test_a_correction_says_what_was_wrong(family: str, replies: list[str], said: str) -> None:
    assert correct(family, replies, "white cross") == f"<think>{said}"


def test_what_went_wrong_before_the_last_reply_is_not_said_again() -> None:
    said = correct("flash", [zoom(2, 10, 1), zoom(14.27, 19.02, 2)], None)
    assert said == "<think>I see red circle.</think><answer>C</answer>"


def test_without_a_turn_to_look_the_tutor_guesses() -> None:
    said = correct("flash", [zoom(2, 3, 1)] * 4, None)
    assert said.startswith(
        "<think>It is not between 2 and 3 s. I did not see it, so I guess.</think><answer>"
    )


def test_the_tutor_may_answer_in_words() -> None:
    said = correct("flash", [zoom(14.27, 19.02, 2)], None, in_words=True)
    assert said == "<think>I see red circle.</think><answer>red circle</answer>"


@pytest.mark.parametrize(
    ("question", "times_s", "shown"),
    [
        (flash.QUESTION, [10.4], True),
        (flash.QUESTION, [9.99, 10.5], False),
        (count.QUESTION, [10.4], False),
        (count.QUESTION, [10.01 + k / 12 for k in range(6)], True),
        (count.QUESTION, [10 + k / 12 for k in range(5)], False),
        (
            count.QUESTION,
            [10 + k / 6 for k in range(3)] + [10 + 1 / 12 + k / 6 for k in range(3)],
            True,
        ),
    ],
)
def test_some_questions_need_every_picture(
    question: str, times_s: list[float], shown: bool
) -> None:
    assert is_shown(question, Segment(10.0, 10.5), times_s) == shown


def test_the_pictures_that_were_left_out_are_named() -> None:
    assert missing_frames(Segment(10.0, 10.5), [10.0, 10.25, 11.0]) == [1, 2, 4, 5]
