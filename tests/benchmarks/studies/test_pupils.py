"""Small tasks can be solved by one zoom on the right gap, and an expert knows which."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agents.qwen.demonstrations.demonstration import verify
from benchmarks.studies import pupils
from benchmarks.studies.__main__ import main
from benchmarks.studies.drawing import smooth
from benchmarks.studies.learning import NotLearnedError, first_step, read_curve, write_curve
from benchmarks.studies.plan import GPU, QUICK, Cell, OfTraining, Results
from benchmarks.studies.pupils import School, attend
from benchmarks.studies.running import find_study
from benchmarks.studies.small_tasks import (
    ANYWHERE,
    GAP,
    NUM_GAPS,
    SMALL,
    Guide,
    first_zoom_on_evidence,
    ids_of,
    in_family,
    small_env,
    small_tasks,
)
from zoomgym import ZoomEnv
from zoomgym.agent import Agent
from zoomgym.records import Record, append_record
from zoomgym.rollout import run_episodes, to_record
from zoomgym.tasks import FAMILIES, FPS

TRAINS = pytest.mark.filterwarnings(
    "ignore:.is_gradient_checkpointing.:FutureWarning"  # peft asks for it by the old name
)
TINY = School(num_symbols=8, num_read=8, num_zoomed=8, accuracy=0, most_rounds=1, num_tests=4)
GAP_S = GAP / FPS


@pytest.fixture(autouse=True)
def _small() -> Iterator[None]:
    with small_tasks():
        yield


def play(families: str, agent: Agent, count: int, max_turns: int = 2) -> list[Record]:
    env = small_env(families, max_turns)
    ids = ids_of(env, 0, count)
    return list(run_episodes(ZoomEnv(**env), agent, agent_name="guide", task_ids=ids, seed=0))


def gap_of(time_s: float) -> int:
    return int(time_s // GAP_S)


def test_families_are_added_only_while_they_are_played() -> None:
    others = {name: family for name, family in FAMILIES.items() if name not in SMALL}
    with small_tasks():
        assert dict(FAMILIES) == others | SMALL
    assert dict(FAMILIES) == others | SMALL  # the fixture still plays them
    for name in SMALL:
        del FAMILIES[name]
    with pytest.raises(KeyError), small_tasks():
        raise KeyError
    assert dict(FAMILIES) == others
    FAMILIES.update(SMALL)  # the fixture takes them away


@pytest.mark.parametrize("family", SMALL)
def test_one_zoom_on_the_gap_with_the_evidence_is_enough(family: str) -> None:
    for record in play(family, Guide(), 40):
        assert verify(record) == ""
        assert len(record.episode.zooms) == (family != "small_shown")
        assert first_zoom_on_evidence(record) == float(family != "small_shown")


@pytest.mark.parametrize("family", ["small_flash", "small_order", "small_sparse", "small_beside"])
def test_all_evidence_of_a_task_lies_in_one_gap(family: str) -> None:
    gaps = set()
    for record in play(family, Guide(), 60):
        own = {gap_of(edge) for one in record.task.evidence for edge in one}
        assert len(own) == 1
        gaps |= own
    assert gaps == set(range(NUM_GAPS))


def test_an_overview_shows_the_beacon_that_leads_to_a_gap_and_none_that_does_not() -> None:
    for family, is_led in (("small_flash", True), ("small_order", True), ("small_sparse", False)):
        env = ZoomEnv(**small_env(family, 2))
        for task_id in ids_of(small_env(family, 2), 0, 20):
            env.reset(options={"task_id": task_id})
            pictures = env.observation.overview.images
            lit = [index for index, one in enumerate(pictures) if one[2, 14, 0] > 200]  # amber
            gap = gap_of(env.episode.task.evidence[0].start_s)
            assert lit == ([gap] if is_led else [])


def test_a_beacon_between_two_gaps_leaves_open_in_which_of_them_the_symbol_is() -> None:
    env, places = ZoomEnv(**small_env("small_beside", 2)), set[tuple[int, int]]()
    for task_id in ids_of(small_env("small_beside", 2), 0, 120):
        env.reset(options={"task_id": task_id})
        pictures = env.observation.overview.images
        [lit] = [index for index, one in enumerate(pictures) if one[2, 14, 0] > 200]  # amber
        [segment] = env.episode.task.evidence
        places.add((lit, gap_of(segment.start_s) - lit))
    assert places == {(lit, side) for lit in range(1, NUM_GAPS) for side in (-1, 0)}


def test_an_expert_with_an_error_is_off_by_as_much_at_most_and_to_either_side() -> None:
    off = set()
    for record in play("small_flash", Guide(1), 60):
        [zoom] = record.episode.zooms
        off.add(gap_of(zoom.segment.start_s) - gap_of(record.task.evidence[0].start_s))
    assert off == {-1, 0, 1}


def test_where_nothing_leads_an_expert_with_an_error_looks_anywhere() -> None:
    sparse = play("small_sparse", Guide(1), 60)
    anywhere = play("small_flash", Guide(ANYWHERE), 60)
    for records in (sparse, anywhere):
        starts = {gap_of(one.episode.zooms[0].segment.start_s) for one in records}
        assert starts == set(range(NUM_GAPS))


def test_habits_come_before_what_the_overview_shows() -> None:
    assert {len(one.episode.zooms) for one in play("small_shown", Guide(habit="zoom"), 5)} == {1}
    answers = play("small_flash", Guide(habit="answer"), 5)
    assert {len(one.turns) for one in answers} == {1}
    blind = play("small_flash", Guide(habit="blind"), 40)
    right = sum(one.reward_parts.accuracy for one in blind)
    assert {len(one.episode.zooms) for one in blind} == {1}
    assert 2 <= right <= 18  # a guess among four: ten, and three standard deviations
    assert all("I see" in one.turns[-1].reply for one in blind)


def test_a_first_zoom_counts_if_a_frame_of_it_shows_evidence() -> None:
    env = ZoomEnv(**small_env("small_flash", 2))
    for segment, fps, shows in (((0.0, 80.0), 0.05, 0.0), ((0.0, 10.0), 0.4, None)):
        found = set()
        for task_id in ids_of(small_env("small_flash", 2), 0, 40):
            env.reset(options={"task_id": task_id})
            call = json.dumps({"segment": segment, "fps": fps})
            env.step(f"<think>All.</think><video_zoom>{call}</video_zoom>")
            env.step("<think>I guess.</think><answer>A</answer>")
            record = to_record(env, agent_name="wide", seed=0, agent_s=0.0)
            first = gap_of(record.task.evidence[0].start_s) == 0
            found.add(first_zoom_on_evidence(record) == (float(first) if shows is None else shows))
        assert found == {True}


def test_an_expert_corrects_a_zoom_that_missed() -> None:
    env = ZoomEnv(**small_env("small_flash", 4))
    [task_id, *_] = ids_of(small_env("small_flash", 4), 0, 1)
    env.reset(options={"task_id": task_id})
    guide, right = Guide(), gap_of(env.episode.task.evidence[0].start_s)
    guide.reset(0)
    start_s = GAP_S * ((right + 3) % NUM_GAPS)
    env.step(
        "<think>I look there.</think><video_zoom>"
        f'{{"segment": [{start_s}, {start_s + GAP_S}], "fps": 0.4}}</video_zoom>'
    )
    seen = replace(env.observation, evidence=env.episode.task.evidence)
    reply = guide.correct(seen, seen.options[0])
    assert reply == (
        "<think>It is not there. I look on.</think><video_zoom>"
        f'{{"segment": [{right * GAP_S}, {(right + 1) * GAP_S}], "fps": 0.4}}</video_zoom>'
    )


def test_a_measure_of_a_family_leaves_out_the_others() -> None:
    [flash, shown] = play("small_flash,small_shown", Guide(), 2)
    measure = in_family(lambda record: record.reward_parts.zoom_cost, "small_flash")
    assert (measure(flash), measure(shown)) == (1.0, None)


def test_a_curve_tells_the_episodes_of_every_step(tmp_path: Path) -> None:
    records = play("small_flash,small_shown", Guide(), 4)
    stages = [tmp_path / "first", tmp_path / "second"]
    for stage, own in zip(stages, (records[:2], records[2:3]), strict=True):
        stage.mkdir()
        for record in own:
            append_record(stage / "000000.jsonl", record)
    assert read_curve(tmp_path) == []
    write_curve(tmp_path, stages)
    flash = {"accuracy, small_flash": 1.0, "zooms, small_flash": 1.0}
    shown = {"accuracy, small_shown": 1.0, "zooms, small_shown": 0.0}
    assert read_curve(tmp_path) == [{"step": 1}, {"step": 2, "accuracy": 1.0, **flash}]
    write_curve(tmp_path, stages[:1])
    assert read_curve(tmp_path) == [{"step": 1, "accuracy": 1.0, **flash, **shown}]


def test_a_training_is_good_at_the_first_step_whose_mean_with_those_before_is() -> None:
    soon = first_step("accuracy", 0.5, width=2).measure
    for_good = first_step("accuracy", 0.5, width=2, lasts=True).measure
    curve = [
        {"step": k, "accuracy": one} for k, one in enumerate((0.7, 0.6, 0.0, 0.6, 0.5, 0.7), 1)
    ]
    assert (soon(curve), for_good(curve)) == (2.0, 5.0)  # (.6 + .5) / 2
    assert (soon(curve[2:4]), for_good(curve[:4])) == (5.0, 5.0)  # never: one more than there were
    later = [{"step": 1}, *({**one, "step": one["step"] + 1} for one in curve)]
    assert (soon(later), for_good(later)) == (3.0, 6.0)  # a stage that is not measured counts
    assert soon([{"step": 1, "zooms": 1.0}]) is None


def test_a_measure_of_training_is_one_value_for_every_seed_that_has_a_curve() -> None:
    curves = {("a", 0): [{"x": 0.25}], ("a", 1): [{"y": 1.0}], ("b", 0): [{"x": 0.5}]}
    results = Results({("a", 0): [], ("a", 1): [], ("b", 0): []}, curves)
    last = OfTraining(lambda curve: curve[-1].get("x"))
    assert results.values("a", last) == {0: {"": 0.25}}
    assert results.by_seed("b", last) == [[0.5]]


def test_smoothed_values_are_means_of_those_around() -> None:
    nan = float("nan")
    assert smooth([1.0, 2.0, nan, 5.0], width=3) == pytest.approx([1.5, 1.5, nan, 5.0], nan_ok=True)


def shortened(amounts: Any, school: School) -> Any:
    """Returns amounts of a size that take seconds."""
    counts = {
        "num_steps": 3,
        "num_format_steps": 1,
        "num_tasks": 4,
        "num_demonstrations": 8,
        "num_shown": 8,
        "ppo_steps": 100,
    }
    known = {key: value for key, value in counts.items() if hasattr(amounts, key)}
    return replace(amounts, school=school, **known)


@pytest.mark.slow
@TRAINS
@pytest.mark.parametrize("name", ["where", "cold_start", "tool_reward", "no_cold_start", "tools"])
def test_every_arm_of_a_study_with_pupils_plays_its_tests(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pupils, "MAX_TOKENS", 8)  # models that learned little do not stop
    study = find_study(name)
    amounts = shortened(study.sizes[QUICK], TINY)
    tasks = set()
    for arm in study.arms:
        cell = Cell(name, QUICK, arm, 0)
        folder = tmp_path / name / QUICK / arm / "0"
        [*records] = study.play(cell, amounts, folder, set())
        assert [one.agent for one in records] == [arm] * 4
        assert all("-test-" in one.task.id for one in records)
        if not arm.startswith(("PPO", "only", "before, only")):  # which play task sets of their own
            tasks |= {one.task.id for one in records}
    assert len(tasks) == 4
    [*rest] = study.play(cell, amounts, folder, {one.task.id for one in records[:3]})
    assert [one.turns for one in rest] == [records[3].turns]


@pytest.mark.slow
@TRAINS
@pytest.mark.parametrize(("name", "arm"), [("where", "GRPO"), ("cold_start", "GRPO, 0")])
def test_the_size_for_a_gpu_is_played_with_64_frames(name: str, arm: str, tmp_path: Path) -> None:
    study = find_study(name)
    full_school = study.sizes[GPU].school
    assert (full_school.model, full_school.num_gaps) == ("medium", 63)
    school = replace(TINY, model="tiny", num_gaps=full_school.num_gaps, pace=full_school.pace)
    amounts = replace(shortened(study.sizes[GPU], school), num_steps=1)
    cell = Cell(name, GPU, arm, 0)
    [*records] = study.play(cell, amounts, tmp_path / name / GPU / arm / "0", set())
    assert [len(one.episode.overview_s) for one in records] == [64] * 4
    assert len({one.task.category for one in records}) == 3


@pytest.mark.parametrize(
    ("accuracy", "ends_anyway", "rounds"), [(0.5, False, 2), (0.9, True, 3), (0.9, False, None)]
)
def test_school_ends_at_its_target_or_after_all_rounds_if_it_may(
    accuracy: float,
    ends_anyway: bool,
    rounds: int | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    [right], [wrong] = (
        play("small_flash", Guide(), 1),
        play("small_flash", Guide(habit="answer"), 1),
    )
    wrong = replace(wrong, reward_parts=replace(wrong.reward_parts, accuracy=0.0))
    tests = iter([[wrong] * 4, [right, right, wrong, wrong], [right, right, right, wrong]])
    monkeypatch.setattr(pupils, "learn", lambda _start, _file, out, *_, **__: out.mkdir())
    monkeypatch.setattr(pupils, "_play", lambda *_: next(tests))
    school = replace(TINY, accuracy=accuracy, most_rounds=3, ends_anyway=ends_anyway)
    env = small_env("small_flash", 2)
    if rounds is None:
        with pytest.raises(NotLearnedError, match=r"seed 0 needed 0\.9 .* 3 rounds, got 0\.75"):
            attend(tmp_path, tmp_path, tmp_path / "shown.jsonl", env, school, 0)
    else:
        attend(tmp_path, tmp_path, tmp_path / "shown.jsonl", env, school, 0)
        assert (tmp_path / "model").is_dir()
        assert not (tmp_path / f"round{rounds}").exists()  # it is the model
    told = [json.loads(line) for line in (tmp_path / pupils.ROUNDS).read_text().splitlines()]
    assert [one["accuracy"] for one in told] == [0.0, 0.5, 0.75][: rounds or 3]


@pytest.mark.parametrize("name", ["where", "cold_start", "tool_reward", "no_cold_start", "tools"])
def test_school_and_its_tests_share_no_task_with_the_cold_starts_that_follow(name: str) -> None:
    for amounts in find_study(name).sizes.values():
        school = amounts.school
        last = school.num_symbols + school.num_read + school.num_zoomed
        assert last <= pupils.FIRST_OF_TESTS
        assert pupils.FIRST_OF_TESTS + school.num_tests <= pupils.FIRST_OF_COLD_START
        shown = getattr(amounts, "num_shown", getattr(amounts, "num_demonstrations", 0))
        assert pupils.FIRST_OF_COLD_START + shown <= pupils.FIRST_OF_REFLECTIONS


def test_a_size_that_a_study_lacks_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["density", "where", "--gpu"])
    assert "needs studies with the size gpu, got density" in capsys.readouterr().err
