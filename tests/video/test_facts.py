"""Start and end of files, found mostly without decoding, compared with playing the whole file."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from benchmarks.speed.decoding.awkward.clips import play
from zoomgym.errors import VideoError
from zoomgym.video import VideoFile

Clip = Callable[[str], Path]


@pytest.mark.parametrize(
    "name", ["faststart.mp4", "fragments.mp4", "base.mkv", "hevc.mkv", "vp9.webm", "base.ts"]
)
def test_file_that_is_cut_anywhere_ends_with_its_last_whole_frame(
    name: str, clip: Clip, tmp_path: Path
) -> None:
    whole = clip(name).read_bytes()
    path = tmp_path / name
    for part in np.random.default_rng(5).uniform(0.65, 1, 4):
        path.write_bytes(whole[: int(part * len(whole))])
        playback = play(path, (8, 8))
        with VideoFile(path) as video:
            assert video.last_frame_s == playback.time_s(-1)


def test_opening_decodes_the_first_frame_and_the_last_keyframe(
    clip: Clip, monkeypatch: pytest.MonkeyPatch
) -> None:
    from zoomgym.video.decode import Decoder

    num_fed = []
    decode = Decoder._decoded
    monkeypatch.setattr(
        Decoder, "_decoded", lambda *args: (num_fed.append(args[1] is not None), decode(*args))[1]
    )
    with VideoFile(clip("base.mp4")) as video:
        assert (video.duration_s, video.last_frame_s, video.size) == (4.0, 3.96, (96, 160))
    assert sum(num_fed) == 2


def test_file_cut_within_its_first_frame_is_no_video(clip: Clip, tmp_path: Path) -> None:
    whole = clip("faststart.mp4").read_bytes()
    path = tmp_path / "start.mp4"
    path.write_bytes(whole[: whole.index(b"mdat") + 20])
    with pytest.raises(VideoError, match=r"start\.mp4"):
        _ = VideoFile(path).duration_s
