"""A selector: what it looks at, what it is taught, its commands, and the overviews it picks."""

import json
import pickle
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from agents.selector import load_picker
from agents.selector.__main__ import main
from agents.selector.evaluation import evaluate
from agents.selector.network import NUM_WORDS, SIDE, Selector, count_words
from agents.selector.picker import LearnedPicker, times_of_scan
from agents.selector.settings import SETTINGS, WEIGHTS, SelectorSettings, load_settings
from agents.selector.training import LOG, TRAINED_ON, reward_of, scan_task, train
from benchmarks.leaderboard import main as leaderboard
from zoomgym import ZoomEnv
from zoomgym.envs import ScannedVideo
from zoomgym.records import read_records
from zoomgym.rules import overview_times
from zoomgym.tasks import open_task_set

ROOT = Path(__file__).parents[3]
TINY = SelectorSettings(
    env=TRAINED_ON, num_frames=(24, 32), num_updates=3, batch_size=4, group_size=4, hidden=4
)
LAST_S = 719 / 12
"""Time of the last frame of a minute at 12 frames a second."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns the folder of a selector that a few updates have trained."""
    path = tmp_path_factory.mktemp("selector") / "tiny"
    train(TINY, path)
    return path


def scene(**settings: Any) -> ZoomEnv:
    return ZoomEnv("synthetic:flash", source="scene", split="test", max_pixels=1024, **settings)


# what it looks at ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("num_frames", "scan_fps", "num_scanned"),
    [
        (8, 2.0, 121),
        (120, 2.0, 121),
        (121, 2.0, 0),
        (8, 4.0, 241),
        (8, 0.1, 0),
        (8, 100.0, 1024),
        (8, 1e308, 1024),
    ],
)
def test_a_scan_has_so_many_frames_a_second_or_none_if_nothing_is_left_to_pick(
    num_frames: int, scan_fps: float, num_scanned: int
) -> None:
    assert times_of_scan(LAST_S, num_frames, scan_fps) == overview_times(LAST_S, num_scanned)


@pytest.mark.parametrize(
    ("family", "difficulty", "scan_fps", "sees_all"),
    [
        ("flash", "easy", 2.0, True),
        ("flash", "easy", 1.0, False),
        ("flash", "hard", 2.0, False),
        ("flash", "hard", 4.0, True),
        ("sparse", "easy", 2.0, True),
        ("sparse", "easy", 1.0, False),
        ("sparse", "hard", 2.0, True),
    ],
)
def test_a_scan_sees_every_event_if_none_is_shorter_than_its_steps(
    family: str, difficulty: str, scan_fps: float, sees_all: bool
) -> None:
    tasks = open_task_set(
        f"synthetic:{family}", split="test", source="scene", difficulty=difficulty
    )
    times_s = times_of_scan(LAST_S, 8, scan_fps)
    evidence = [tasks[index].evidence[0] for index in range(200)]
    seen = [any(map(segment.holds, times_s)) for segment in evidence]
    step_s = times_s[1] - times_s[0]
    assert (min(one.end_s - one.start_s for one in evidence) >= step_s) == sees_all
    assert all(seen) == sees_all


def test_a_frame_is_judged_with_the_question_in_any_case() -> None:
    one, other, neither = count_words(["Amber, or blue?", "blue or AMBER", ""])
    assert one.sum() == 3
    assert one.shape == (NUM_WORDS,)
    np.testing.assert_array_equal(one, other)
    assert not neither.any()
    torch.manual_seed(0)
    selector = Selector(8)
    torch.nn.init.normal_(selector.score.weight)
    images = torch.randint(0, 256, (2, 9, SIDE, SIDE, 3), dtype=torch.uint8)
    images[1] = images[0]
    scores = selector(images, torch.from_numpy(np.stack([one, neither])))
    assert scores.shape == (2, 9)
    assert not torch.equal(scores[0], scores[1])


# what it is taught --------------------------------------------------------------------------------


def test_the_reward_is_how_likely_the_reader_is_right_from_exactly_these_frames() -> None:
    tasks = open_task_set("synthetic:flash", split="train", source="scene")
    scan = scan_task(tasks, 0, 8, 2.0)
    [segment] = scan.task.evidence
    is_event = np.array([segment.holds(time_s) for time_s in scan.times_s])
    [event], [rest] = np.nonzero(is_event), np.nonzero(~is_event)
    assert reward_of(scan, np.sort([event[0], *rest[:7]])) == 1
    assert reward_of(scan, rest) == 1 / 4
    wrong = next(one for one in "ABCD" if one != scan.task.answer)
    assert reward_of(scan._replace(task=replace(scan.task, answer=wrong)), event) == 0


def test_a_seed_gives_the_same_selector_whatever_was_drawn_before(
    folder: Path, tmp_path: Path
) -> None:
    torch.manual_seed(5)
    before, threads = torch.get_rng_state(), torch.get_num_threads()
    train(TINY, tmp_path / "again")
    train(replace(TINY, seed=1), tmp_path / "other")
    first, again, other = (
        torch.load(one / WEIGHTS) for one in (folder, tmp_path / "again", tmp_path / "other")
    )
    assert first["score.weight"].any()  # it began at zero
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["ask.weight"], other["ask.weight"])
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.get_num_threads() == threads


def test_the_log_has_a_row_for_each_update(folder: Path) -> None:
    rows = [json.loads(line) for line in (folder / LOG).read_text().splitlines()]
    assert [row["update"] for row in rows] == [1, 2, 3]
    assert all(row["num_frames"] in (24, 32) and 0 <= row["reward"] <= 1 for row in rows)
    assert load_settings(folder) == TINY


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"env": {"tasks": "my.jsonl"}}, "reads synthetic video only, got 'my.jsonl'"),
        ({"num_frames": (121,)}, "a scan needs more frames than an overview of 121, got 2 a sec"),
    ],
)
def test_tasks_that_teach_nothing_are_refused(
    changes: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=message):
        train(replace(TINY, **changes), tmp_path / "none")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"group_size": 1}, "group_size needs 2 or more, got 1"),
        ({"num_frames": (8, 0)}, r"num_frames needs numbers from 1 on, got \(8, 0\)"),
        ({"num_frames": ()}, r"num_frames needs numbers from 1 on, got \(\)"),
        ({"scan_fps": 0.0}, "scan_fps needs a number above 0, got 0.0"),
        ({"learning_rate": float("nan")}, "learning_rate needs a number above 0, got nan"),
    ],
)
def test_settings_that_cannot_train_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(TINY, **changes)


@pytest.mark.slow
def test_it_learns_to_show_what_the_reader_needs(tmp_path: Path) -> None:
    settings = SelectorSettings(env=TRAINED_ON, num_frames=(8,), num_updates=60)
    train(settings, tmp_path / "flash")
    uniform, learned = evaluate(
        tmp_path / "flash",
        tmp_path / "test",
        overviews=["uniform", "learned"],
        num_frames=[8],
        agent_name="glance",
        num_episodes=100,
        env={"max_pixels": 1024},
    )
    # uniform frames at this size never fall on the event, so glance guesses: 25 +- 4.3
    assert uniform.num_right < 45
    assert learned.num_right >= 95


# the overviews it picks ---------------------------------------------------------------------------


def test_the_frames_with_the_highest_scores_are_shown_and_the_scan_is_counted(
    folder: Path,
) -> None:
    env = scene(num_overview=5, overview=f"learned:{folder}")
    _, info = env.reset(seed=3)
    assert info["frames_scanned"] == 121
    assert info["frames_used"] == 5
    scanned_s = times_of_scan(LAST_S, 5, 2.0)
    video = env.tasks.open_video(env.episode.task)
    scores = LearnedPicker(str(folder)).score(
        video.frames_at(scanned_s, (SIDE, SIDE)), env.episode.task.question
    )
    assert len({*scores.tolist()}) > 100
    best = sorted(range(121), key=lambda place: -scores[place])[:5]
    assert env.episode.overview_s == tuple(scanned_s[place] for place in sorted(best))


def test_of_equal_scores_earlier_frames_are_shown(folder: Path) -> None:
    picker = LearnedPicker(str(folder))
    torch.nn.init.zeros_(picker._selector.score.weight)
    env = scene(num_overview=5, overview=picker)
    env.reset(seed=3)
    assert env.episode.overview_s == times_of_scan(LAST_S, 5, 2.0)[:5]


def test_an_overview_as_large_as_the_scan_is_uniform(folder: Path) -> None:
    env = scene(num_overview=121, overview=f"learned:{folder}", frame_budget=150)
    _, info = env.reset(seed=3)
    assert info["frames_scanned"] == 0
    assert env.episode.overview_s == overview_times(LAST_S, 121)


def test_an_environment_is_pickled_with_its_selector(folder: Path) -> None:
    env = scene(num_overview=4, overview=f"learned:{folder}")
    again = pickle.loads(pickle.dumps(env))
    env.reset(seed=8)
    again.reset(seed=8)
    assert again.episode.overview_s == env.episode.overview_s


def test_frames_of_any_shape_are_scanned(folder: Path) -> None:
    class Wide:
        duration_s, last_frame_s, size, num_damaged = 6.0, 5.9, (90, 160), 0

        def frames_at(self, times_s: Any, size: tuple[int, int]) -> np.ndarray:
            return np.zeros((len(times_s), *size, 3), np.uint8)

        def close(self) -> None: ...

    scanned = ScannedVideo(Wide())
    times_s = load_picker(str(folder))(scanned, "?", 3, np.random.default_rng(0))
    assert len(times_s) == 3
    assert scanned.frames_scanned == 13


# what is wrong ------------------------------------------------------------------------------------


def test_a_folder_without_a_selector_is_refused(folder: Path, tmp_path: Path) -> None:
    def refused(message: str) -> None:
        with pytest.raises(ValueError, match=message):
            scene(overview=f"learned:{tmp_path}")

    refused("needed the folder of a selector, got none with settings.json: name the --out")
    settings = tmp_path / SETTINGS
    for text in ("{", "[]", "{}", '{"layout": 1}', '{"layout": 1, "num_frames": [], "a": 1}'):
        settings.write_text(text)
        refused("settings.json: needed the settings of a selector, got")
    settings.write_text('{"layout": 2}')
    refused("settings.json: needed a selector of layout 1, got 2: train it again")
    settings.write_text((folder / SETTINGS).read_text())
    refused("selector.pt: needed a selector's weights, got: .*No such file")
    for damaged in (b"", b"no weights", (folder / WEIGHTS).read_bytes()[:2000]):
        (tmp_path / WEIGHTS).write_bytes(damaged)
        refused("selector.pt: needed a selector's weights, got: ")
    torch.save([1, 2], tmp_path / WEIGHTS)
    refused("selector.pt: needed a selector's weights, got: ")
    torch.save(Selector(5).state_dict(), tmp_path / WEIGHTS)
    refused("selector.pt: needed a selector's weights, got: .*size mismatch")
    for row in ('"hidden": 1000000000000', '"hidden": 2.5', '"hidden": "4"', '"scan_fps": null'):
        settings.write_text(f'{{"layout": 1, "num_frames": [8], {row}}}')
        refused("needed (a selector's weights|the settings of a selector), got")


def test_without_torch_an_environment_says_what_to_install(folder: Path) -> None:
    code = f"""
import sys
sys.modules["torch"] = None
from zoomgym import ZoomEnv
try:
    ZoomEnv("synthetic:flash", overview="learned:{folder}")
except ValueError as error:
    print(error)
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert run.stdout.startswith(f"overview learned:{folder}: needed the package torch (extra `qw")


# the commands -------------------------------------------------------------------------------------


def test_commands_train_a_selector_and_play_what_is_ordinary_records(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    sizes = ["--num-updates", "1", "--batch-size", "1", "--group-size", "2", "--hidden", "4"]
    train_it = ["train", "--tasks", "synthetic:sparse", "--num-frames", "4", "--out", str(out)]
    assert main([*train_it, *sizes, "--env", "difficulty=hard"]) == 0
    assert load_settings(out).num_frames == (4,)
    assert load_settings(out).env["difficulty"] == "hard"
    few = ["--num-frames", "4", "--episodes", "3", "--env", "max_pixels=1024"]
    assert main(["evaluate", str(out), *few]) == 0
    for overview, num_scanned in (("uniform", 0), ("change", 67), ("learned", 121)):
        path = out / "test" / f"{overview}-4.jsonl"
        records = list(read_records(path))
        assert [record.task.id for record in records] == [
            f"sparse-hard-60s-test-{index:05d}" for index in range(3)
        ]
        assert {record.frames_scanned for record in records} == {num_scanned}
        assert {record.rules.max_turns for record in records} == {1}
        assert leaderboard([str(path)]) == 0
    assert "learned 4: " in capsys.readouterr().out

    for given, message in (
        (["evaluate", str(out), *few], "uniform-4.jsonl exists: choose another --out"),
        ([*train_it, *sizes], "is not empty: choose another folder"),
        (["evaluate", str(tmp_path)], "needed the folder of a selector, got none"),
        (["train", "--out", str(tmp_path / "no"), "--env", "max_turns=3"], "needs an object of"),
    ):
        with pytest.raises(SystemExit):
            main(given)
        assert message in capsys.readouterr().err
