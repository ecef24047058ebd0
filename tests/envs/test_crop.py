"""Crops in environments: the pixels of the video itself, in every face of an environment."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from PIL import Image

from benchmarks.page.episodes import thumbnails
from tests.envs.beside import KINDS, played
from zoomgym import ZoomEnv
from zoomgym.conversation import images_of, to_messages
from zoomgym.errors import RecordError, VideoError
from zoomgym.records import Record, replay
from zoomgym.rollout import run_episodes
from zoomgym.video import native_size
from zoomgym.video.scale import cropped

BOTH = ("zoom", "crop")
LOOK = '{"crop": [0.25, 0.5, 0.75, 1.0], "at": 12.5}'
ZOOM = '{"segment": [4, 6], "fps": 2}'
MAX_PIXELS = 1600
GIVEN = {"tools": BOTH, "max_pixels": MAX_PIXELS, "num_overview": 4, "frame_budget": 16}


class Script:
    """Plays replies one after the other."""

    def __init__(self, *replies: str) -> None:
        self._replies = replies

    def reset(self, seed: int) -> None:
        """Does nothing."""

    def act(self, observation: Any) -> str:
        return self._replies[len(observation.turns)]


def env_of(**given: Any) -> ZoomEnv:
    return ZoomEnv("synthetic:flash", **{"source": "scene", **GIVEN, **given})


@pytest.mark.parametrize(
    "box", [(0.25, 0.5, 0.75, 1.0), (0.0, 0.0, 0.01, 0.999), (0.5, 0.5, 0.5001, 0.6)]
)
def test_a_part_has_all_pixels_that_are_in_it_in_part(box: tuple[float, ...]) -> None:
    picture = np.random.default_rng(0).integers(0, 255, (40, 60, 3), np.uint8)
    left, top, right, bottom = box
    rows = range(int(top * 40), int(np.ceil(bottom * 40)))
    columns = range(int(left * 60), int(np.ceil(right * 60)))
    assert (cropped(picture, box, 10_000) == picture[np.ix_(rows, columns)]).all()  # type: ignore[arg-type]


def test_a_part_is_shrunk_only_if_it_has_too_many_pixels() -> None:
    picture = np.random.default_rng(0).integers(0, 255, (40, 60, 3), np.uint8)
    small = cropped(picture, (0, 0, 0.5, 1.0), 300)
    expected = Image.fromarray(picture[:, :30]).resize((15, 20), Image.Resampling.LANCZOS)
    assert (small == np.asarray(expected)).all()


@pytest.mark.parametrize("source", ["scene", "file"])
def test_a_crop_is_cut_from_the_video_at_its_own_size(
    source: str, short_videos: None, tmp_path: Path
) -> None:
    look = '{"crop": [0.25, 0.5, 0.5, 0.75], "at": 5.5}'
    with env_of(source=source, duration_s=8, cache_dir=tmp_path) as env:
        env.reset(seed=1)
        env.step(look)
        task = env.episode.task
        overview, [clip] = env.observation.overview, env.observation.clips
        video = env.tasks.open_video(task)
        height, width = video.size
        whole = video.frames_at([5.5], video.size)[0]
        video.close()
    part = whole[height // 2 : height * 3 // 4, width // 4 : width // 2]
    size = native_size(part.shape[:2], MAX_PIXELS)
    expected = Image.fromarray(part).resize(size[::-1], Image.Resampling.LANCZOS)
    assert (clip.images == np.asarray(expected)).all()
    assert (clip.times_s, clip.images.shape) == ((5.5,), (1, 40, 40, 3))
    assert overview.images.shape[1:3] == (40, 40)  # so the part is seen four times as large


def test_agents_are_shown_a_crop_like_a_clip() -> None:
    with env_of() as env:
        env.reset(seed=0)
        for reply in (ZOOM, LOOK, ZOOM):
            env.step(reply)
        messages, clips = to_messages(env.observation), env.observation.clips
    assert [len(clip.times_s) for clip in clips] == [4, 1, 4]
    assert messages[5]["content"][1] == {"type": "text", "text": "<frame0_time12.50s>"}
    assert [len(images_of([messages[index]])) for index in (1, 3, 5, 7)] == [4, 4, 1, 4]
    assert (images_of([messages[5]])[0] == clips[1].images[0]).all()


@pytest.mark.parametrize("max_pixels", [None, MAX_PIXELS])
def test_the_dict_observation_holds_crops_among_the_clips(max_pixels: int | None) -> None:
    with env_of(max_pixels=max_pixels, frame_size=(20, 20)) as env:
        env.reset(seed=0)
        for reply in (ZOOM, LOOK, ZOOM):
            seen = env.step(reply)[0]
        clips = env.observation.clips
        assert seen in env.observation_space
    assert seen["clip_t"][:10].tolist() == [4, 4.5, 5, 5.5, 12.5, 4, 4.5, 5, 5.5, -1]
    assert seen["clip_call"][:10].tolist() == [0] * 4 + [1] + [2] * 4 + [-1]
    assert (seen["clip"][0] == seen["clip"][5]).all()
    shown, crop = seen["clip"][4].astype(int), clips[1].images[0]
    expected = np.asarray(Image.fromarray(crop).resize((20, 20), Image.Resampling.HAMMING))
    if crop.shape[0] == crop.shape[1]:  # a square one has no bars
        assert abs(shown - expected).max() <= 1  # letterbox sums exactly, Pillow rounds in between


@pytest.mark.parametrize("max_pixels", [None, MAX_PIXELS])
def test_crops_keep_their_place_where_scenes_are_drawn_later(max_pixels: int | None) -> None:
    envs = [env_of(max_pixels=max_pixels, frame_size=(20, 20)) for _ in range(2)]
    envs[1].draws_later = True
    for env in envs:
        env.begin(seed=0)
        for reply in (ZOOM, LOOK, ZOOM):
            env.play(reply)
    (overview, clip), (later_overview, later_clip) = (env.small_frames for env in envs)
    assert (later_overview == overview).all()
    assert (later_clip == clip).all()
    [env.close() for env in envs]


def test_an_environment_with_crops_passes_the_checker_and_is_pickled() -> None:
    with env_of(frame_size=(8, 8)) as env:
        check_env(env, skip_render_check=True)
        env.reset(seed=0)
        env.step(LOOK)
        twin = pickle.loads(pickle.dumps(env))
        after, same = env.step(ZOOM)[0], twin.step(ZOOM)[0]
        assert all(np.array_equal(after[name], same[name]) for name in after)


def test_sampled_replies_are_well_formed_and_crop_too() -> None:
    with env_of(frame_size=(0, 0)) as env:
        env.reset(seed=0)
        env.action_space.seed(0)
        samples = [env.action_space.sample() for _ in range(60)]
        for reply in samples:
            if env.episode.is_over:
                env.reset()
            env.step(reply)
            assert env.episode.turns[-1].is_well_formed
    assert 5 < sum("crop" in reply for reply in samples) < 40


SMALL = {**GIVEN, "source": "scene", "frame_size": (8, 8), "max_pixels": None}


@pytest.mark.long
@pytest.mark.parametrize("kind", KINDS)
def test_vectors_show_what_single_environments_do(kind: str) -> None:
    replies = [(ZOOM, LOOK, ZOOM), (LOOK, ZOOM, LOOK), ('{"crop": 5}', ZOOM, LOOK)]
    for (seen, *_), alone in played(kind, env_of, replies, **SMALL):
        for index, (one, *_) in enumerate(alone):
            assert (seen["clip"][index] == one["clip"]).all()
            assert (seen["clip_t"][index] == one["clip_t"]).all()
            assert seen["feedback"][index] == one["feedback"]


def test_forks_share_what_was_shown_and_go_on_apart() -> None:
    with env_of(frame_size=(8, 8)) as env:
        env.reset(seed=0)
        env.step(LOOK)
        twin = env.fork()
        env.step(ZOOM)
        twin.step('{"crop": [0, 0, 0.5, 0.5], "at": 1}')
        assert [len(clip.times_s) for clip in env.observation.clips] == [1, 4]
        assert [clip.times_s for clip in twin.observation.clips] == [(12.5,), (1.0,)]
        assert twin.observation.clips[0].images is env.observation.clips[0].images


def record_of(*replies: str) -> Record:
    with env_of(frame_size=(0, 0)) as env:
        tasks = [env.tasks[0].id]
        [record] = run_episodes(env, Script(*replies), agent_name="s", task_ids=tasks, seed=0)
    return record


def test_a_record_with_crops_is_read_replayed_and_pictured() -> None:
    record = record_of(ZOOM, LOOK, '{"answer": "A"}')
    line = record.to_json()
    assert '"crop": {"left": 0.25, "top": 0.5, "right": 0.75, "bottom": 1.0, "at_s": 12.5}' in line
    again = Record.from_json(line)
    assert again == record
    assert replay(again).clip_s == (4.0, 4.5, 5.0, 5.5, 12.5)
    overview, clip, crop = thumbnails(record, None, with_overview=True)
    assert [len(own) for own in (overview, clip, crop)] == [4, 4, 1]
    assert '"crop": {' not in record_of(ZOOM, '{"answer": "A"}').to_json()


@pytest.mark.parametrize(
    ("was", "now"),
    [
        ('"right": 0.75', '"right": 7.5'),
        ('"left": 0.25', '"left": "0.25"'),
        ('"at_s": 12.5', '"at_s": 1e9'),
        ('"frames_used": 9', '"frames_used": 8'),
    ],
)
def test_a_record_with_an_impossible_crop_is_refused(was: str, now: str) -> None:
    line = record_of(ZOOM, LOOK, '{"answer": "A"}').to_json()
    assert was in line
    with pytest.raises(RecordError):
        Record.from_json(line.replace(was, now))


def test_a_crop_that_does_not_decode_ends_like_a_zoom(monkeypatch: pytest.MonkeyPatch) -> None:
    with env_of(on_video_error="skip", frame_size=(8, 8)) as env:
        env.reset(seed=0)

        def fail(*_: object) -> None:
            raise VideoError("a.mp4: nothing decodes")

        monkeypatch.setattr(type(env.viewing.video), "frames_at", fail)
        _, reward, terminated, truncated, info = env.step(LOOK)
    assert (reward, terminated, truncated, info["end_reason"]) == (0.0, False, True, "video_error")
