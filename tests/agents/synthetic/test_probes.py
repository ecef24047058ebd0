"""Probes look where they are told to, exactly as badly as they say."""

from itertools import product

import pytest

from agents.synthetic.probes import HalfAgent, OnceAgent, SlowAgent
from zoomgym import ZoomEnv
from zoomgym.agent import Agent
from zoomgym.records import Record
from zoomgym.rollout import run_episodes
from zoomgym.tasks.synthetic import FAMILIES
from zoomgym.tasks.synthetic.drawn import DrawnVideo
from zoomgym.tasks.synthetic.layout import FPS
from zoomgym.tasks.synthetic.marks import Sign

NUM_TASKS = 4


def played(agent: Agent, family: str, **settings: object) -> list[Record]:
    given = {"split": "test", "source": "scene", "max_pixels": 32 * 32, "frame_size": (8, 8)}
    env = ZoomEnv(f"synthetic:{family}", **{**given, **settings})  # type: ignore[arg-type]
    task_ids = [env.tasks[index].id for index in range(NUM_TASKS)]
    return list(run_episodes(env, agent, agent_name="probe", task_ids=task_ids, seed=0))


@pytest.mark.parametrize("family", FAMILIES)
def test_once_zooms_once_on_the_first_evidence_with_all_the_frames_of_a_zoom(family: str) -> None:
    for record in played(OnceAgent(), family):
        [zoom] = [turn.zoom for turn in record.turns if turn.zoom]
        assert (zoom.segment, zoom.num_frames) == (record.task.evidence[0], 16)
        assert len(record.turns) == 2


@pytest.mark.parametrize(
    ("family", "duration_s", "num_frames"),
    [
        ("flash", 60, [2]),
        ("count", 60, [2]),
        ("order", 60, [2, 2]),
        ("motion", 60, [2]),
        ("relay", 60, [2, 2]),
        ("overview", 60, [12]),  # two symbols of 6 s
        ("overview", 600, [16]),
    ],
)
def test_slow_sees_two_frames_of_what_is_brief_and_one_a_second_of_the_rest(
    family: str, duration_s: int, num_frames: list[int]
) -> None:
    for record in played(SlowAgent(), family, duration_s=duration_s):
        zooms = [turn.zoom for turn in record.turns if turn.zoom]
        assert [zoom.segment for zoom in zooms] == list(record.task.evidence)
        assert [zoom.num_frames for zoom in zooms] == num_frames


@pytest.mark.parametrize("family", ["count", "motion"])
def test_half_sees_exactly_every_second_frame(family: str) -> None:
    for record in played(HalfAgent(), family):
        [evidence] = record.task.evidence
        first, end = (round(time_s * FPS) for time_s in evidence)
        [zoom] = [turn.zoom for turn in record.turns if turn.zoom]
        frames = [int(time_s * FPS + 1e-6) for time_s in zoom.times_s]
        assert frames == list(range(first, end - (end - first) % 2, 2))


def chance(number: int, seen: dict[int, str], num_pulses: int) -> float:
    """Returns the share of all trains with so many red pulses that show what was seen."""
    trains = [
        train
        for train in product(("red pulse", "blue pulse"), repeat=num_pulses)
        if train.count("red pulse") == number
    ]
    return sum(all(train[i] == name for i, name in seen.items()) for train in trains) / len(trains)


def test_half_answers_the_number_that_is_most_likely_after_what_it_saw() -> None:
    env = ZoomEnv("synthetic:count", split="test", source="scene")
    for record in played(HalfAgent(), "count"):
        video = env.tasks.open_video(record.task)
        assert isinstance(video, DrawnVideo)
        [zoom] = [turn.zoom for turn in record.turns if turn.zoom]
        shown = {int(time_s * FPS + 1e-6) for time_s in zoom.times_s}
        pulses = [plate for plate in video._scene.plates if isinstance(plate, Sign)]
        seen = {i: pulse.symbol for i, pulse in enumerate(pulses) if pulse.first in shown}
        assert 1 <= len(seen) < len(pulses)
        chances = [chance(int(option), seen, len(pulses)) for option in record.task.options]
        answered = chances[ord(record.answer or "") - ord("A")]
        assert answered == pytest.approx(max(chances))


def test_probes_are_told_the_evidence_as_the_oracle_is() -> None:
    assert all(probe.privileged for probe in (OnceAgent, SlowAgent, HalfAgent))
