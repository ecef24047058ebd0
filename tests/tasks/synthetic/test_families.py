"""What each family promises: what hides, what one look tells, and what it does not."""

import tracemalloc
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest

from tests.tasks.synthetic.test_task_set import DURATIONS_S, tasks_of
from zoomgym.rules.question import VideoQuestion
from zoomgym.tasks.synthetic import DIFFICULTIES, FAMILIES, SyntheticTasks
from zoomgym.tasks.synthetic.families import family_of
from zoomgym.tasks.synthetic.families.count import NUM_PULSES
from zoomgym.tasks.synthetic.families.motion import FASTEST, SLOWEST, _speed
from zoomgym.tasks.synthetic.layout import AMBER, FPS
from zoomgym.tasks.synthetic.marks import Board, Sign, Wheel
from zoomgym.tasks.synthetic.plan import Plan, Stretch, pick
from zoomgym.tasks.synthetic.scene import Scene
from zoomgym.tasks.synthetic.symbols import PULSES

AWKWARD_S = (30, 31.3, 60, 100, 127, 168, 600, 36_000)
"""Around 127 s, two events and the pause between them hardly fit between two samples."""


def scene_of(tasks: SyntheticTasks, index: int) -> Scene:
    [family] = tasks.families
    return tasks._puzzle(family, index).scene


def right_option(task: VideoQuestion) -> str:
    return task.options["ABCD".index(task.answer)]


def plan_of(duration_s: float, seed: int = 0) -> Plan:
    rng = np.random.default_rng(seed)
    return Plan(rng, seed, round(duration_s * FPS), DIFFICULTIES["easy"])


@pytest.mark.parametrize("family", ["flash", "count", "order", "motion", "relay", "sparse"])
@pytest.mark.parametrize("duration_s", AWKWARD_S)
@pytest.mark.parametrize("difficulty", DIFFICULTIES)
def test_no_sample_of_the_overview_shows_anything_but_beacons(
    family: str, duration_s: float, difficulty: str
) -> None:
    tasks = tasks_of(family, duration_s=duration_s, difficulty=difficulty)
    samples = plan_of(duration_s).samples
    for index in range(8):
        for plate in scene_of(tasks, index).plates:
            assert not any(plate.first <= sample < plate.end for sample in samples)


@pytest.mark.parametrize("family", ["flash", "count", "order", "motion", "relay"])
@pytest.mark.parametrize("duration_s", AWKWARD_S)
def test_the_overview_shows_every_beacon(family: str, duration_s: float) -> None:
    tasks = tasks_of(family, duration_s=duration_s, difficulty="hard")
    samples = plan_of(duration_s).samples
    for index in range(8):
        scene = scene_of(tasks, index)
        for beacon in scene.beacons:
            assert any(beacon.first <= sample < beacon.end for sample in samples)
            assert 0 <= beacon.first < beacon.end <= scene.num_frames
            assert any(beacon.first < plate.first < beacon.end for plate in scene.plates)
        for one, other in pairwise(sorted(beacon.first for beacon in scene.beacons)):
            assert other - one >= 48


def peak_bytes(family: str, duration_s: float) -> int:
    """Returns the most memory that making, opening and looking at a task takes."""
    tasks = tasks_of(family, duration_s=duration_s, difficulty="hard")
    tracemalloc.start()
    try:
        video = tasks.open_video(tasks[0])
        video.frames_at(np.linspace(0, video.last_frame_s, 64).tolist(), (56, 56))
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("family", FAMILIES)
def test_ten_hours_take_no_more_memory_than_half_a_minute(family: str) -> None:
    peak_bytes(family, 30)  # fills the caches
    assert peak_bytes(family, 36_000) < 1.2 * peak_bytes(family, 30)


def test_the_starts_of_events_are_all_frames_at_which_they_hide() -> None:
    plan = plan_of(60)
    lit: Stretch = (100, 148)
    starts = plan.event_starts(lit, 7)
    listed = [pick(starts, index) for index in range(sum(map(len, starts)))]
    assert listed == [
        start
        for start in range(103, 148 - 3 - 7 + 1)
        if not any(start <= sample < start + 7 for sample in plan.samples)
    ]
    with pytest.raises(IndexError, match=f"the ranges hold {len(listed)} numbers"):
        pick(starts, len(listed))


def pulses_by_train(scene: Scene) -> list[list[Sign]]:
    return [
        [
            plate
            for plate in scene.plates
            if isinstance(plate, Sign) and beacon.first <= plate.first < beacon.end
        ]
        for beacon in scene.beacons
    ]


@pytest.mark.parametrize("duration_s", AWKWARD_S)
def test_pulses_are_seven_of_one_frame_each_within_sixteen_whatever_the_answer(
    duration_s: float,
) -> None:
    tasks = tasks_of("count", duration_s=duration_s, difficulty="hard")
    rights = Counter()
    for index in range(40):
        task = tasks[index]
        trains = pulses_by_train(scene_of(tasks, index))
        for train in trains:
            assert len(train) == NUM_PULSES
            assert {pulse.end - pulse.first for pulse in train} == {1}
            assert len({pulse.left for pulse in train}) == 1
            assert all(b.first - a.first >= 2 for a, b in pairwise(train))
            assert train[-1].end - train[0].first <= 16
        symbols = [pulse.symbol for pulse in trains[0]]
        assert str(symbols.count("red pulse")) == right_option(task)
        assert sorted(task.options) == ["2", "3", "4", "5"]
        [evidence] = task.evidence
        assert evidence == (trains[0][0].first / FPS, trains[0][-1].end / FPS)
        rights[right_option(task)] += 1
    assert set(rights) == {"2", "3", "4", "5"}


def test_both_kinds_of_pulse_are_equally_bright() -> None:
    lumas = [np.dot(pulse.color, (0.299, 0.587, 0.114)) for pulse in PULSES.values()]
    assert abs(lumas[0] - lumas[1]) < 0.1


def test_a_wheel_turns_less_than_half_a_turn_a_frame_in_the_direction_that_is_right() -> None:
    tasks = tasks_of("motion", difficulty="hard")
    for index in range(60):
        task, scene = tasks[index], scene_of(tasks, index)
        wheel = scene.plates[0]
        assert isinstance(wheel, Wheel)
        assert SLOWEST <= abs(wheel.speed) <= FASTEST
        assert right_option(task) == ("clockwise" if wheel.speed > 0 else "counter-clockwise")
        assert sorted(task.options) == ["clockwise", "counter-clockwise"]
        assert task.evidence == (wheel.segment,)


@pytest.mark.parametrize("skip", range(2, 13))
def test_who_skips_frames_sees_a_wheel_turn_either_way_as_often(skip: int) -> None:
    """The best guess from what every skip-th frame shows is right for 53 of 100 at most."""
    plan = plan_of(60)
    turns = np.array([_speed(plan) for _ in range(20_000)])
    one, other = (
        np.histogram(sign * skip * turns % 1, bins=16, range=(0, 1))[0] / len(turns)
        for sign in (1, -1)
    )
    assert np.maximum(one, other).sum() / 2 < 0.53


def test_where_a_wheel_begins_says_nothing_of_its_direction() -> None:
    tasks = tasks_of("motion")
    wheels = [scene_of(tasks, index).plates[0] for index in range(400)]
    phases: dict[bool, list[float]] = {True: [], False: []}
    for wheel in wheels:
        assert isinstance(wheel, Wheel)
        phases[wheel.speed > 0].append(wheel.phase)
    counts = [np.histogram(values, bins=4, range=(0, 1))[0] for values in phases.values()]
    for count in counts:
        assert abs(count - count.sum() / 4).max() < 3.3 * (count.sum() * 3 / 16) ** 0.5


@pytest.mark.parametrize(("difficulty", "num_others"), [("easy", 2), ("medium", 4), ("hard", 6)])
@pytest.mark.parametrize("duration_s", AWKWARD_S)
def test_a_square_names_the_board_and_the_place_of_the_symbol(
    difficulty: str, num_others: int, duration_s: float
) -> None:
    tasks = tasks_of("relay", difficulty=difficulty, duration_s=duration_s)
    for index in range(12):
        task, scene = tasks[index], scene_of(tasks, index)
        square, board, *others = scene.plates
        assert isinstance(square, Board)
        assert isinstance(board, Board)
        [place] = [i for i, tile in enumerate(square.tiles) if tile]
        assert board.tiles[place] == right_option(task)
        assert len(scene.beacons) == len(scene.plates) == 1 + num_others
        assert scene.beacons[0].color == AMBER
        assert len({beacon.color for beacon in scene.beacons}) == 1 + num_others
        for other in (board, *others):
            assert isinstance(other, Board)
            assert sorted(other.tiles) == sorted(task.options)
        assert task.evidence == (square.segment, board.segment)


def test_neither_clip_of_a_relay_says_anything_without_the_other() -> None:
    tasks, num_tasks = tasks_of("relay"), 400
    at_place: Counter[int] = Counter()
    for index in range(num_tasks):
        board = scene_of(tasks, index).plates[1]
        assert isinstance(board, Board)
        at_place[board.tiles.index(right_option(tasks[index]))] += 1
    for place in range(4):
        assert abs(at_place[place] - num_tasks / 4) < 2.6 * (num_tasks * 3 / 16) ** 0.5


@pytest.mark.parametrize("duration_s", AWKWARD_S)
@pytest.mark.parametrize("difficulty", DIFFICULTIES)
def test_a_sparse_event_covers_the_middle_of_its_gap(duration_s: float, difficulty: str) -> None:
    tasks = tasks_of("sparse", duration_s=duration_s, difficulty=difficulty)
    step_s = (duration_s - 1 / FPS) / 63
    for index in range(30):
        task, scene = tasks[index], scene_of(tasks, index)
        [(start_s, end_s)] = task.evidence
        middle_s = (int(start_s / step_s) + 0.5) * step_s
        assert start_s <= middle_s < end_s
        assert middle_s < 62 * step_s
        assert 0.6 * step_s - 1 / FPS < end_s - start_s <= 0.9 * step_s
        gaps = [int(plate.first / FPS / step_s) for plate in scene.plates]
        assert len(set(gaps)) == len(gaps) == 1 + DIFFICULTIES[difficulty].num_decoys
        lit = [(beacon.first, beacon.end) for beacon in scene.beacons]
        assert lit == [(plate.first, plate.end) for plate in scene.plates]


def test_a_question_is_the_same_for_every_task_of_its_family() -> None:
    for family in FAMILIES:
        questions = {tasks_of(family)[index].question for index in range(20)}
        assert len(questions) == (8 if family == "overview" else 1)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_place_of_the_answer_is_no_hint_at_its_text(family: str) -> None:
    """Each option's text is right as often as it is offered would have it: 99.9% intervals."""
    tasks = tasks_of(family)
    offered: Counter[str] = Counter()
    right: Counter[str] = Counter()
    for index in range(400):
        offered.update(tasks[index].options)
        right[right_option(tasks[index])] += 1
    share = 1 / len(tasks[0].options)
    for text, times in offered.items():
        assert abs(right[text] - share * times) < 3.3 * (times * share * (1 - share)) ** 0.5


def test_durations_of_the_suites_are_all_tested() -> None:
    assert {30, 60, 600} <= set(AWKWARD_S) & set(DURATIONS_S)


def test_a_question_tells_its_family_and_whether_every_frame_is_needed() -> None:
    for name in FAMILIES:
        task = SyntheticTasks((name,), "train", 60, "easy", "scene")[0]
        assert family_of(task.question) == name
        assert set(task.options) <= set(FAMILIES[name].answers)
    dense = [name for name, family in FAMILIES.items() if family.needs_every_frame]
    assert dense == ["count", "motion"]
    assert family_of("Which symbol is it?") == ""
