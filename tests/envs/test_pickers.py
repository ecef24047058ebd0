"""Overviews of several sizes, and what picks them: built in, or a function of the user."""

import json
import multiprocessing
import pickle
import subprocess
import sys
from collections.abc import Sequence
from contextlib import closing
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from hypothesis import given, settings
from hypothesis import strategies as st

from zoomgym import OverviewError, VideoError, ZoomEnv, ZoomGymError, open_task_set
from zoomgym.envs import PICKERS, Known, ScannedVideo
from zoomgym.envs.discrete import ZoomEnvDiscrete
from zoomgym.rules import overview_times

FLASH = {"tasks": "synthetic:flash", "source": "scene", "frame_size": (16, 16)}
HERE = "tests.envs.test_pickers"
OTHERS = (f"query:{HERE}:brightness", f"{HERE}:first_seconds", f"{HERE}:any_times")
LAST_S = 719 / 12


def brightness(images: np.ndarray, question: str) -> list[float]:
    """Scores frames by how bright they are."""
    assert not images.flags.writeable
    assert "symbol" in question
    return images.mean(axis=(1, 2, 3)).tolist()


def first_seconds(
    video: ScannedVideo, question: str, num_frames: int, np_random: np.random.Generator
) -> Sequence[float]:
    """Picks the first seconds, after a look at three frames."""
    assert video.frames_at((0.0, 1.0, 2.0), (8, 8)).shape == (3, 8, 8, 3)
    return range(num_frames)


def any_times(
    video: ScannedVideo, question: str, num_frames: int, np_random: np.random.Generator
) -> np.ndarray:
    """Picks any times."""
    return np.sort(np_random.uniform(0, video.last_frame_s, num_frames))


def scene(**settings: Any) -> ZoomEnv:
    return ZoomEnv(**{**FLASH, **settings})


def shown(env: ZoomEnv, seed: int = 3) -> tuple[float, ...]:
    env.reset(seed=seed)
    return env.episode.overview_s


# How many ----------------------------------------------------------------------------------------


def test_one_of_several_numbers_is_drawn_an_episode() -> None:
    env = scene(num_overview=[8, 0, 4])
    drawn = []
    for seed in range(40):
        seen, info = env.reset(seed=seed)
        drawn.append(info["frames_used"])
        assert env.episode.overview_s == overview_times(LAST_S, drawn[-1])
        assert seen["overview"].shape == (8, 16, 16, 3)
        assert (seen["overview_t"] >= 0).sum() == drawn[-1]
        assert seen["overview_t"][drawn[-1] :].tolist() == [-1] * (8 - drawn[-1])
        assert not seen["overview"][drawn[-1] :].any()
        assert seen["frames_left"] == 128 - drawn[-1]
        assert env.observation.overview.times_s == env.episode.overview_s
    assert [drawn.count(size) for size in (0, 4, 8)] == [15, 14, 11]


def test_tasks_that_are_played_with_one_seed_get_different_numbers() -> None:
    env = scene(num_overview=(0, 4, 8))
    drawn = []
    for index in range(12):
        _, info = env.reset(seed=0, options={"task_id": env.tasks[index].id})
        drawn.append(info["frames_used"])
    assert set(drawn) == {0, 4, 8}


@pytest.mark.parametrize("overview", [*PICKERS, *OTHERS])
def test_what_is_drawn_or_picked_takes_no_random_number_of_the_environment(overview: str) -> None:
    plain, other = scene(), scene(num_overview=(4, 8), overview=overview)
    for env in (plain, other):
        env.reset(seed=5)
    tasks = [[], []]
    for ids, env in zip(tasks, (plain, other), strict=True):
        ids += [env.reset()[1]["task_id"] for _ in range(3)]
    assert tasks[0] == tasks[1]
    assert plain.np_random.bit_generator.state == other.np_random.bit_generator.state


def test_without_an_overview_a_place_stays_empty() -> None:
    env = scene(num_overview=0)
    seen, info = env.reset(seed=1)
    assert (info["frames_used"], seen["frames_left"]) == (0, 128)
    assert seen["overview"].shape == (1, 16, 16, 3)
    assert seen["overview_t"].tolist() == [-1]
    assert env.observation.overview.images.shape[0] == 0
    seen, *_ = env.step('{"segment": [0, 4], "fps": 4}')
    assert seen["clip_t"][:16].tolist() == [k / 4 for k in range(16)]


def test_spaces_of_the_default_have_no_empty_places() -> None:
    assert scene().observation_space["overview_t"].low.tolist() == [0.0] * 64
    assert scene(num_overview=(8,)).observation_space["overview_t"].low.tolist() == [0.0] * 8
    assert scene(num_overview=(4, 8)).observation_space["overview_t"].low.tolist() == [-1.0] * 8


# Which -------------------------------------------------------------------------------------------


@pytest.mark.long
@settings(max_examples=60)
@given(
    sizes=st.lists(st.integers(0, 70), min_size=1, max_size=4, unique=True),
    overview=st.sampled_from([*PICKERS, *OTHERS]),
    duration_s=st.sampled_from([30, 31.4, 600]),
    seed=st.integers(0, 2**32),
)
def test_any_overview_is_in_the_video_in_order_and_paid_for(
    sizes: list[int], overview: str, duration_s: float, seed: int
) -> None:
    if overview == OTHERS[1]:
        sizes = [min(size, 20) for size in sizes[:1]]  # it picks a frame a second
    env = scene(num_overview=sizes, overview=overview, duration_s=duration_s)
    seen, info = env.reset(seed=seed)
    times_s = env.episode.overview_s
    assert env.observation_space.contains(seen)
    assert len(times_s) in sizes
    assert list(times_s) == sorted(times_s)
    assert all(0 <= time_s <= env.episode.last_frame_s for time_s in times_s)
    assert (info["frames_used"], seen["frames_left"]) == (len(times_s), 128 - len(times_s))
    assert seen["overview_t"][: len(times_s)].tolist() == list(times_s)


def film(path: Path, ticks: Sequence[int]) -> Path:
    """Writes frames of other colors at these hundredths of a second, and returns a manifest."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=100)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        stream.codec_context.time_base = stream.time_base = Fraction(1, 100)
        for index, tick in enumerate(ticks):
            image = np.full((32, 32, 3), 5 * index % 256, np.uint8)
            frame = av.VideoFrame.from_ndarray(image, "rgb24")
            frame.pts, frame.time_base = tick, Fraction(1, 100)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    row = {"id": "q", "video": path.name, "question": "What symbol?", "answer": "1"}
    manifest = path.with_suffix(".jsonl")
    manifest.write_text(json.dumps(row))
    return manifest


@pytest.mark.parametrize("overview", [*PICKERS, OTHERS[0], OTHERS[2]])
@pytest.mark.parametrize("ticks", [[0], [0, 50], [0, 3, 4, 90, 700], [*range(0, 300, 10)]])
def test_any_overview_of_any_video_is_in_it(
    tmp_path: Path, overview: str, ticks: list[int]
) -> None:
    tasks = str(film(tmp_path / "v.mp4", ticks))
    for num_overview in (0, 1, 2, 7, 40):
        env = ZoomEnv(tasks, frame_size=(8, 8), num_overview=num_overview, overview=overview)
        seen, info = env.reset(seed=num_overview)
        times_s = env.episode.overview_s
        assert env.observation_space.contains(seen)
        assert (len(times_s), info["frames_used"]) == (num_overview, num_overview)
        assert list(times_s) == sorted(times_s)
        assert all(0 <= time_s <= env.episode.last_frame_s for time_s in times_s)
        env.close()


def test_random_times_in_a_file_show_different_frames(tmp_path: Path) -> None:
    tasks = str(film(tmp_path / "v.mp4", [*range(0, 300, 10)]))
    for seed in range(10):
        env = ZoomEnv(tasks, frame_size=(8, 8), num_overview=14, overview="random")
        seen, _ = env.reset(seed=seed)
        levels = seen["overview"].mean(axis=(1, 2, 3)).round()
        assert len(set(levels)) == 14  # of thirty, although the last one is told to be short
        env.close()


def test_each_picker_shows_what_it_says() -> None:
    assert shown(scene(num_overview=4)) == overview_times(LAST_S, 4)
    assert shown(scene(num_overview=4, overview=OTHERS[1])) == (0.0, 1.0, 2.0, 3.0)
    assert shown(scene(num_overview=3, overview="random")) == (
        11.32328101117654,
        27.380375579380207,
        39.47722667319901,
    )
    bright = scene(num_overview=3, overview=OTHERS[0])
    times_s = shown(bright)
    every_s = overview_times(LAST_S, 65)
    levels = [
        image.mean() for image in bright.unwrapped._viewing.video.frames_at(every_s, (224, 224))
    ]
    assert every_s[int(np.argmax(levels))] in times_s


def test_by_change_the_overview_of_eight_frames_shows_the_flash() -> None:
    hits = dict.fromkeys(("uniform", "change"), 0)
    for overview in hits:
        env = scene(num_overview=8, overview=overview)
        for index in range(20):
            env.reset(options={"task_id": env.tasks[index].id})
            [event] = env.episode.task.evidence
            hits[overview] += any(map(event.holds, env.episode.overview_s))
    assert hits == {"uniform": 0, "change": 17}


def test_what_is_looked_at_is_counted_and_not_paid_for() -> None:
    for overview, scanned in (("random", 0), ("change", 71), (OTHERS[0], 71), (OTHERS[1], 3)):
        env = scene(num_overview=8, overview=overview)
        _, info = env.reset(seed=3)
        assert (info["frames_scanned"], info["frames_used"]) == (scanned, 8)
        _, _, _, _, info = env.step("")
        assert (info["frames_scanned"], info["frames_used"]) == (scanned, 8)
    assert "frames_scanned" not in scene(num_overview=(4, 8)).reset(seed=3)[1]


def test_a_video_that_fails_in_a_scan_is_skipped(tmp_path: Path) -> None:
    manifest = film(tmp_path / "good.mp4", [*range(0, 300, 10)])
    good = json.loads(manifest.read_text())
    (tmp_path / "bad.mp4").write_bytes((tmp_path / "good.mp4").read_bytes())
    rows = [good, {**good, "id": "bad", "video": "bad.mp4"}]
    manifest.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    given = {"num_overview": 1, "overview": f"{HERE}:fail_on_bad", "frame_size": (8, 8)}
    env = ZoomEnv(str(manifest), on_video_error="skip", **given)
    skipped = 0
    for seed in range(6):
        _, info = env.reset(seed=seed)
        assert (info["task_id"], info["frames_scanned"]) == ("q", 1)
        skipped += info["videos_skipped"]
    assert skipped > 0
    with pytest.raises(VideoError, match="nothing decodes") as caught:
        env.reset(options={"task_id": "bad"})
    assert caught.value.__notes__[0].endswith("picked an overview of bad.mp4")


def test_an_empty_overview_asks_nobody() -> None:
    env = scene(num_overview=0, overview=f"{HERE}:refuse")
    assert shown(env) == ()


def damaged(folder: Path) -> str:
    """Writes a video of 30 s whose middle does not decode, and returns its manifest."""
    tasks = open_task_set("synthetic:flash", duration_s=30, cache_dir=folder)
    with closing(tasks.open_video(tasks[0])) as video:
        content = bytearray(Path(video.path).read_bytes())
    third = len(content) // 3
    content[third : 2 * third] = bytes(third)
    (folder / "hurt.mp4").write_bytes(content)
    row = {"id": "q", "video": "hurt.mp4", "question": "What?", "answer": "1"}
    (folder / "my.jsonl").write_text(json.dumps(row))
    return str(folder / "my.jsonl")


@pytest.mark.long
def test_damaged_frames_that_were_only_looked_at_are_not_counted_as_shown(tmp_path: Path) -> None:
    given = {"num_overview": 1, "frame_size": (16, 16)}
    env = ZoomEnv(damaged(tmp_path), **given, overview=f"{HERE}:look_everywhere")
    _, info = env.reset()
    assert (info["frames_scanned"], info["frames_damaged"]) == (30, 0)
    assert env.small_frames[0].shape == (1, 16, 16, 3)
    _, _, _, _, info = env.step('{"segment": [0, 30], "fps": 0.5}')
    assert 0 < info["frames_damaged"] < 15


def test_a_picker_may_be_given_itself() -> None:
    env = scene(num_overview=2, overview=Middle())
    assert shown(env) == (30.0, 30.0)
    assert env.rules.overview == env.settings["overview"] == "middle"
    assert env.settings["num_overview"] == 2
    with pytest.raises(OverviewError, match="other is the picker of a record"):
        scene(overview=Known("other")).reset(seed=1)


def test_a_learned_picker_is_loaded_from_its_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zoomgym.envs.pickers.LEARNED", f"{HERE}:Learned")
    env = scene(num_overview=3, overview="learned:my/folder")
    assert shown(env) == (9.0, 9.0, 9.0)  # the length of its path
    monkeypatch.setattr("zoomgym.envs.pickers.LEARNED", "no_agents.selector:load_picker")
    message = "'learned:x': needed a module no_agents, got none: .* part of the checkout"
    with pytest.raises(ValueError, match=message):
        scene(overview="learned:x")


class Learned:
    """Picks the second that is the length of its path."""

    def __init__(self, path: str) -> None:
        self.time_s = len(path)

    def __call__(self, video: object, question: str, num_frames: int, rng: object) -> list[int]:
        return [self.time_s] * num_frames


class Middle:
    """Picks the middle of a minute."""

    name = "middle"

    def __call__(self, video: object, question: str, num_frames: int, rng: object) -> list[int]:
        return [30] * num_frames


# The same everywhere -----------------------------------------------------------------------------


@pytest.mark.long
def test_the_same_seed_gives_the_same_overview_in_another_process() -> None:
    every = [
        {**FLASH, "num_overview": (4, 8), "overview": overview} for overview in (*PICKERS, *OTHERS)
    ]
    code = (
        "import json, sys; from zoomgym import ZoomEnv\n"
        "for given in json.loads(sys.argv[1]):\n"
        "    env = ZoomEnv(**given)\n"
        "    print(json.dumps([(env.reset(seed=s), env.episode.overview_s)[1] for s in range(4)]))"
    )
    command = [sys.executable, "-c", code, json.dumps(every)]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    for some, line in zip(every, ran.stdout.splitlines(), strict=True):
        assert json.loads(line) == [list(shown(scene(**some), seed)) for seed in range(4)]


@pytest.mark.long
@pytest.mark.parametrize("overview", [*PICKERS, *OTHERS])
@pytest.mark.parametrize("num_overview", [0, (0, 3)])
@pytest.mark.parametrize("kind", ["ZoomEnv-v0", "ZoomEnvDiscrete-v0"])
@pytest.mark.filterwarnings("ignore:.*For Box action spaces")
def test_gymnasium_finds_nothing_wrong(kind: str, num_overview: Any, overview: str) -> None:
    given = {"tasks": "synthetic:flash", "source": "scene"}
    env = gym.make(kind, **given, num_overview=num_overview, overview=overview)
    check_env(env.unwrapped, skip_render_check=True)


def test_an_environment_is_pickled_with_its_picker() -> None:
    for overview in (*PICKERS, *OTHERS):
        env = scene(num_overview=(2, 5), overview=overview)
        twin = pickle.loads(pickle.dumps(env))
        assert shown(twin) == shown(env)


def test_settings_make_the_same_environment_again() -> None:
    env = scene(num_overview=(2, 5), overview="change")
    again = ZoomEnv(**json.loads(json.dumps(env.settings)))
    assert (again.rules, shown(again)) == (env.rules, shown(env))
    assert "overview" not in scene().settings


@pytest.mark.long
@pytest.mark.parametrize("context", ["fork", "spawn"])
@pytest.mark.parametrize("shared_memory", [True, False])
@pytest.mark.filterwarnings("ignore:.*multi-threaded")
def test_vector_environments_show_what_single_ones_do(context: str, shared_memory: bool) -> None:
    if context not in multiprocessing.get_all_start_methods():
        pytest.skip(f"no {context} here")
    given = {**FLASH, "num_overview": (0, 2, 5), "overview": OTHERS[2]}
    envs = gym.make_vec(
        "zoomgym:ZoomEnv-v0",
        num_envs=2,
        vectorization_mode="async",
        vector_kwargs={"context": context, "shared_memory": shared_memory},
        **given,
    )
    try:
        seen, info = envs.reset(seed=[11, 12])
        for index, seed in enumerate((11, 12)):
            one, own = scene(**given).reset(seed=seed)
            assert seen["overview_t"][index].tolist() == one["overview_t"].tolist()
            assert np.array_equal(seen["overview"][index], one["overview"])
            assert info["frames_used"][index] == own["frames_used"]
    finally:
        envs.close()


@pytest.mark.long
@pytest.mark.parametrize(
    ("source", "num_overview"), [("scene", 0), ("scene", (0, 2, 5)), ("file", (0, 2))]
)
def test_many_discrete_environments_show_what_single_ones_do(
    source: str, num_overview: Any, tmp_path: Path
) -> None:
    given = {"tasks": "synthetic:flash", "source": source, "num_overview": num_overview}
    given |= {"duration_s": 30, "cache_dir": str(tmp_path)}
    envs = gym.make_vec("zoomgym:ZoomEnvDiscrete-v0", num_envs=3, **given)
    seen, _ = envs.reset(seed=[1, 2, 3])
    for index in range(3):
        one, _ = gym.make("zoomgym:ZoomEnvDiscrete-v0", **given).reset(seed=index + 1)
        for name, values in one.items():
            assert np.array_equal(seen[name][index], values), name
    envs.close()


def test_the_menu_has_room_for_the_largest_overview() -> None:
    for num_overview, rows in ((0, 1), (8, 1), ((0, 9), 2), (64, 8)):
        env = ZoomEnvDiscrete("synthetic:flash", source="scene", num_overview=num_overview)
        assert env.form.num_rows == (rows, 8)
        assert env.observation_space["image"].shape == (12 * (rows + 8), 96, 3)
    env = ZoomEnvDiscrete("synthetic:flash", source="scene", num_overview=(2, 9))
    for seed in range(8):
        seen, info = env.reset(seed=seed)
        assert (seen["times"] >= 0).sum() == info["frames_used"]
        assert not seen["image"][24:].any()


def test_threads_show_what_single_environments_do() -> None:
    given = {**FLASH, "num_overview": (0, 2, 5), "overview": "change"}
    envs = gym.make_vec("zoomgym:ZoomVectorEnv-v0", num_envs=3, **given)
    seen, _ = envs.reset(seed=[1, 2, 3])
    for index in range(3):
        one, _ = scene(**given).reset(seed=index + 1)
        assert seen["overview_t"][index].tolist() == one["overview_t"].tolist()
    envs.close()


# What is refused ---------------------------------------------------------------------------------


def refuse(*given: object) -> None:
    raise AssertionError("nobody asks")


def fail(*given: object) -> None:
    raise KeyError("oh")


def fail_on_bad(
    video: ScannedVideo, question: str, num_frames: int, np_random: np.random.Generator
) -> Sequence[float]:
    video.frames_at([0.0], (8, 8))
    if video._video.path.name == "bad.mp4":
        raise VideoError("nothing decodes")
    return [0.0] * num_frames


def look_everywhere(
    video: ScannedVideo, question: str, num_frames: int, np_random: np.random.Generator
) -> Sequence[float]:
    video.frames_at(overview_times(video.last_frame_s, 30), (8, 8))
    return [0.0] * num_frames


def too_few(*given: object) -> list[float]:
    return [0.0]


def unsorted(*given: object) -> list[float]:
    return [3.0, 1.0]


def beyond(*given: object) -> tuple[float, float]:
    return (0.0, 60.0)


def nan(*given: object) -> list[float]:
    return [0.0, float("nan")]


def words(*given: object) -> list[str]:
    return ["0", "1"]


def square(*given: object) -> np.ndarray:
    return np.zeros((2, 2))


def ragged(*given: object) -> list[Any]:
    return [[0.0], [1.0, 2.0]]


def nothing(*given: object) -> None:
    return None


def infinite(images: np.ndarray, question: str) -> np.ndarray:
    return np.full(len(images), np.inf)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("too_few", "too_few needs to return 2 times in seconds, got 1: return as many"),
        ("unsorted", "unsorted on .*: an overview needs times in ascending order"),
        (
            "beyond",
            r"beyond on .*: an overview needs times in seconds from 0 to 59.9167, .* got 60",
        ),
        ("nan", "nan on .*: an overview needs times in seconds from 0 to .*, got nan"),
        ("words", r"words needs to return 2 times in seconds, got <U1 of shape \(2,\): return a"),
        ("square", r"square needs to return 2 times .* got float64 of shape \(2, 2\)"),
        ("ragged", "ragged needs to return 2 times in seconds, got no numbers"),
        ("nothing", "nothing needs to return 2 times in seconds, got None"),
    ],
)
def test_a_picker_that_returns_no_overview_is_named(name: str, message: str) -> None:
    env = scene(num_overview=2, overview=f"{HERE}:{name}")
    with pytest.raises(OverviewError, match=f"{HERE}:{message}"):
        env.reset(seed=1)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("too_few", "needs to return 65 finite scores, one for each frame, got 1"),
        ("nan", "needs to return 65 finite scores, one for each frame, got nan among them"),
        ("infinite", "needs to return 65 finite scores, one for each frame, got inf among them"),
        ("words", "needs to return 65 finite scores, one for each frame, got <U1 of shape"),
        ("nothing", "needs to return 65 finite scores, one for each frame, got None"),
    ],
)
def test_a_scorer_that_returns_no_scores_is_named(name: str, message: str) -> None:
    env = scene(num_overview=2, overview=f"query:{HERE}:{name}")
    with pytest.raises(OverviewError, match=f"query:{HERE}:{name} {message}"):
        env.reset(seed=1)


def test_an_error_of_a_picker_says_whose_it_is() -> None:
    env = scene(num_overview=2, overview=f"{HERE}:fail")
    with pytest.raises(KeyError, match="oh") as caught:
        env.reset(seed=1)
    [note] = caught.value.__notes__
    assert note.startswith(f"raised while {HERE}:fail picked an overview of flash")


@pytest.mark.parametrize(
    ("overview", "message"),
    [
        ("chagne", "overview needs one of uniform, random, change, query:module:function, .*, "
         "got 'chagne': did you mean 'change'"),
        ("query:score", "needs query:module:function, like query:my_module:score, got 'query:sc"),
        ("learned:", "overview needs learned:PATH, got 'learned:': name a folder"),
        ("no_module:pick", "'no_module:pick': needed a module no_module, got none: start in the"),
        (f"{HERE}:pikc", f"overview '{HERE}:pikc': {HERE} has no pikc"),
        (f"{HERE}:HERE", f"overview '{HERE}:HERE': needed a function, got 'tests.envs.test_pick"),
        ("./mine.py:pick", "overview needs module:function, like mine:pick, got './mine.py:pick'"),
        (3, "overview needs one of .* or a picker with a name, got 3"),
        (too_few, "overview needs one of .* or a picker with a name, got <function too_few"),
    ],
)  # fmt: skip
def test_a_name_of_no_picker_is_refused_at_once(overview: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        scene(overview=overview)


@pytest.mark.parametrize("given", [3, (), ((0.0,),), (("x",), 0), ((0.0,), -1), ((0.0,), 1.5)])
def test_a_wrong_overview_in_the_options_of_a_reset_is_refused(given: object) -> None:
    with pytest.raises(ZoomGymError, match="the reset option overview needs to be a pair of times"):
        scene(num_overview=1, overview="random").reset(options={"overview": given})


def test_a_given_overview_is_shown() -> None:
    env = scene(num_overview=(1, 2), overview=Known("code of strangers"))
    env.reset(seed=1, options={"overview": ((1, 2.5), 7)})
    assert (env.episode.overview_s, env.episode.frames_scanned) == ((1.0, 2.5), 7)
