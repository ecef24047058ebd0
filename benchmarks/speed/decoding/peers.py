"""Ways to get frames by time out of a file: ours and its peers, behind one protocol.

Each peer runs in its own process: the libraries bring copies of FFmpeg that must not meet, and
some hang. So nothing is imported here before a peer is opened.
"""

import importlib
import importlib.util
import math
import pickle
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).parents[3]
Frames = NDArray[np.uint8]
"""(N, H, W, 3) RGB."""


class Opened(Protocol):
    """A file that a peer has opened, for frames of one size."""

    def frames_at(self, times_s: Sequence[float]) -> Frames:
        """Returns the frames on screen at times_s, ascending seconds from the first frame."""

    def close(self) -> None:
        """Releases everything."""


class Ours:
    """This package without its store of frames: every call decodes."""

    def __init__(self, path: str, size: tuple[int, int], **settings: Any) -> None:
        from zoomgym.video import FACTS, VideoFile, close_files, set_frame_memory

        set_frame_memory(0)
        close_files()
        FACTS.clear()
        self._size = size
        self._video = VideoFile(path, **settings)

    def frames_at(self, times_s: Sequence[float]) -> Frames:
        return self._video.frames_at(times_s, self._size)

    def close(self) -> None:
        self._video.close()


class VideoZoomer:
    """Decodes as the official code of VideoZoomer: a new decord reader a call, then Pillow.

    Source: zsgvivo/VideoZoomer, commit 5638153, extract_video_clip: eight threads, or one if that
    fails; an index is a time by the average rate.
    """

    def __init__(self, path: str, size: tuple[int, int]) -> None:
        self._path, self._size = path, size

    def frames_at(self, times_s: Sequence[float]) -> Frames:
        decord = importlib.import_module("decord")
        image = importlib.import_module("PIL.Image")
        reader = decord.VideoReader(self._path, ctx=decord.cpu(0), num_threads=8)
        rate, last = reader.get_avg_fps(), len(reader) - 1
        indices = [min(int(time_s * rate), last) for time_s in times_s]
        try:
            frames = reader.get_batch(indices).asnumpy()
        except decord.DECORDError:
            reader = decord.VideoReader(self._path, ctx=decord.cpu(0), num_threads=1)
            frames = reader.get_batch(indices).asnumpy()
        height, width = self._size
        pictures = [
            image.fromarray(frame).resize((width, height), image.Resampling.LANCZOS)
            for frame in np.array(frames)
        ]
        return np.stack([np.asarray(picture) for picture in pictures])

    def close(self) -> None:
        pass


class Decord:
    """decord in its best form: one thread, scaled by FFmpeg, indices from its own timestamps."""

    def __init__(self, path: str, size: tuple[int, int]) -> None:
        decord = importlib.import_module("decord")
        height, width = size
        self._reader = decord.VideoReader(
            path, ctx=decord.cpu(0), width=width, height=height, num_threads=1
        )
        starts_s = self._reader.get_frame_timestamp(np.arange(len(self._reader)))[:, 0]
        self._starts_s = np.sort(starts_s) - starts_s.min()

    def frames_at(self, times_s: Sequence[float]) -> Frames:
        indices = np.searchsorted(self._starts_s, np.array(times_s) + 5e-4, side="right") - 1
        return np.asarray(self._reader.get_batch(indices.clip(0)).asnumpy())

    def close(self) -> None:
        del self._reader


class TorchCodec:
    """torchcodec, scaled inside its decoder."""

    def __init__(self, path: str, size: tuple[int, int], seek_mode: str, num_threads: int) -> None:
        decoders = importlib.import_module("torchcodec.decoders")
        transforms = importlib.import_module("torchcodec.transforms")
        self._decoder = decoders.VideoDecoder(
            path,
            dimension_order="NHWC",
            num_ffmpeg_threads=num_threads,
            seek_mode=seek_mode,
            transforms=[transforms.Resize(size)],
        )

    def frames_at(self, times_s: Sequence[float]) -> Frames:
        facts = self._decoder.metadata
        start_s, end_s = facts.begin_stream_seconds or 0, facts.end_stream_seconds
        asked_s = [min(start_s + time_s, np.nextafter(end_s, 0)) for time_s in times_s]
        return np.asarray(self._decoder.get_frames_played_at(asked_s).data.numpy())

    def close(self) -> None:
        del self._decoder


class OpenCV:
    """OpenCV: a seek by frame number where the next frame is not near, and area scaling."""

    READ_ON = 16
    """Frames up to which reading on is faster than a seek."""

    def __init__(self, path: str, size: tuple[int, int]) -> None:
        self._cv2 = importlib.import_module("cv2")
        self._size = size
        self._capture = self._cv2.VideoCapture(path, self._cv2.CAP_FFMPEG)
        if not self._capture.isOpened():
            raise OSError(f"{path}: OpenCV cannot open it")
        self._next = 0

    def frames_at(self, times_s: Sequence[float]) -> Frames:
        rate = self._capture.get(self._cv2.CAP_PROP_FPS)
        return np.stack([self._frame(int(time_s * rate + 1e-3)) for time_s in times_s])

    def _frame(self, index: int) -> Frames:
        """Returns the frame with this number, by OpenCV's count."""
        if not 0 <= index - self._next < self.READ_ON:
            self._capture.set(self._cv2.CAP_PROP_POS_FRAMES, index)
            self._next = index
        for _ in range(index - self._next):
            self._capture.grab()
        is_read, picture = self._capture.read()
        if not is_read:
            raise OSError(f"OpenCV finds no frame {index}")
        self._next = index + 1
        scaled = self._cv2.resize(picture, self._size[::-1], interpolation=self._cv2.INTER_AREA)
        return np.asarray(self._cv2.cvtColor(scaled, self._cv2.COLOR_BGR2RGB))

    def close(self) -> None:
        self._capture.release()


class Floor:
    """FFmpeg alone: the cost of decoding the packets from the keyframes to the targets.

    Opening a file reads all packets, and the first time a call is made, it finds those that it
    needs: time the second time. Then nothing seeks or reads ahead: one decoder, one thread, the
    same scaler, and every packet is decoded unless `skips` is set.
    """

    def __init__(self, path: str, size: tuple[int, int], skips: bool) -> None:
        import av

        from zoomgym.video import ANY_METADATA, Orientation, Scaler

        self._size, self._skips = size, skips
        self._scaler, self._upright = Scaler(), Orientation()
        self._container = av.open(path, **ANY_METADATA)
        stream = self._container.streams.video[0]
        self._codec: Any = av.CodecContext.create(stream.codec_context.name, "r")
        self._codec.extradata = stream.codec_context.extradata
        self._codec.thread_count = 1
        self._seconds = float(stream.time_base or 1)
        self._packets = [packet for packet in self._container.demux(stream) if packet.size]
        self._plans: dict[tuple[float, ...], list[tuple[list[Any], list[int]]]] = {}

    def frames_at(self, times_s: Sequence[float]) -> Frames:
        runs = self._plans.get(tuple(times_s))
        if runs is None:
            runs = self._plans[tuple(times_s)] = self._plan(times_s)
        pictures = []
        for packets, targets in runs:
            self._codec.flush_buffers()
            for packet in packets:
                if self._skips:
                    is_wanted = packet is None or packet.pts in targets
                    self._codec.skip_frame = "DEFAULT" if is_wanted else "NONREF"
                for frame in self._codec.decode(packet):
                    if frame.pts in targets:
                        picture = self._scaler.picture(frame, self._size, self._upright)
                        pictures.append(picture)
        return np.stack(pictures)

    def _plan(self, times_s: Sequence[float]) -> list[tuple[list[Any], list[int]]]:
        """Returns runs of packets, each from a keyframe to its last target, and their targets."""
        pts = [packet.pts or 0 for packet in self._packets]
        shown = np.sort(np.array(pts))
        ticks = shown[0] + np.floor((np.array(times_s) + 5e-4) / self._seconds)
        runs: dict[int, tuple[int, list[int]]] = {}
        keys = [i for i, packet in enumerate(self._packets) if packet.is_keyframe]
        for target in shown[(np.searchsorted(shown, ticks, side="right") - 1).clip(0)].tolist():
            end = pts.index(target)
            start = max(i for i in keys if i <= end and pts[i] <= target)
            last, targets = runs.get(start, (end, []))
            runs[start] = (max(last, end), [*targets, target])
        return [
            ([*self._packets[start : last + 1], None], targets)
            for start, (last, targets) in runs.items()
        ]

    def close(self) -> None:
        self._container.close()


@dataclass(frozen=True, slots=True)
class Peer:
    """A way to get frames, and what it can be asked."""

    package: str
    open: Callable[[str, tuple[int, int]], Opened]
    is_floor: bool = False
    """Whether it is a lower bound that knows its calls in advance."""
    reopens: bool = False
    """Whether it cannot keep a file open: it is never warm."""


OURS = "ours"
OURS_TWICE = "ours, 2 threads"
PEERS = {
    OURS: Peer("zoomgym", Ours),
    OURS_TWICE: Peer("zoomgym", partial(Ours, num_threads=2)),
    "VideoZoomer's way": Peer("decord", VideoZoomer, reopens=True),
    "decord": Peer("decord", Decord),
    **{
        f"torchcodec {mode}{', 2 threads' * (threads == 2)}": Peer(
            "torchcodec", partial(TorchCodec, seek_mode=mode, num_threads=threads)
        )
        for mode in ("exact", "approximate")
        for threads in (1, 2)
    },
    "OpenCV": Peer("cv2", OpenCV),
    "ffmpeg floor": Peer("av", partial(Floor, skips=False), is_floor=True),
    "ffmpeg floor, skipping": Peer("av", partial(Floor, skips=True), is_floor=True),
}


@dataclass(frozen=True, slots=True)
class FrameCall:
    """One question, and how it is timed."""

    name: str
    how: str
    """cold: opened for this call; warm: on a file that is kept open; again: warm, and asked
    once before without being timed."""
    times_s: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class PeerJob:
    """The work of one process."""

    peer: str
    path: str
    size: tuple[int, int]
    calls: tuple[FrameCall, ...]
    warm_up: str | None = None
    """A file to read first, so that loading libraries is not timed."""


@dataclass(frozen=True, slots=True)
class PeerOutcome:
    """Results of a job, one per call."""

    wall_s: tuple[float, ...]
    cpu_s: tuple[float, ...]
    """Processor time of all threads, which a busy machine hardly changes."""
    errors: tuple[str, ...]
    """Errors by call; empty if it succeeded."""
    frames: tuple[Frames | None, ...]
    """None if it failed."""


def is_installed(name: str) -> bool:
    """Returns whether the peer's package can be imported and works."""
    peer = PEERS[name]
    if importlib.util.find_spec(peer.package) is None:
        return False
    command = [sys.executable, "-c", f"import {peer.package}"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def run_job(job: PeerJob, limit_s: float) -> PeerOutcome:
    """Returns the outcome of a job in its own process, which is killed after limit_s."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "job").write_bytes(pickle.dumps(job))
        command = [sys.executable, "-c", DO_JOB, str(folder)]
        try:
            done = subprocess.run(
                command, cwd=ROOT, capture_output=True, timeout=limit_s, check=False
            )
        except subprocess.TimeoutExpired:
            return _failed(job, f"hangs: stopped after {limit_s:g} s")
        if done.returncode:
            last = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
            return _failed(job, f"ends with {done.returncode}: {last[:200]}")
        outcome: PeerOutcome = pickle.loads((folder / "outcome").read_bytes())
        return outcome


def _failed(job: PeerJob, error: str) -> PeerOutcome:
    count = len(job.calls)
    none = (math.nan,) * count
    return PeerOutcome(none, none, (error,) * count, (None,) * count)


DO_JOB = """
import sys
from pathlib import Path
from benchmarks.speed.decoding.peers import do_job
do_job(Path(sys.argv[1]))
"""


def do_job(folder: Path) -> None:
    """Does the job in a folder, and leaves its outcome there."""
    job: PeerJob = pickle.loads((folder / "job").read_bytes())
    peer = PEERS[job.peer]
    if job.warm_up is not None:
        opened = peer.open(job.warm_up, job.size)
        opened.frames_at([0.1, 1.1])
        opened.close()
    done: list[tuple[float, float, str, Frames | None]] = []
    kept: Opened | None = None
    for call in job.calls:
        try:
            if kept is None and call.how != "cold":
                kept = peer.open(job.path, job.size)
            if kept is not None and call.how == "again":
                kept.frames_at(call.times_s)
            started_s, started_cpu_s = time.perf_counter(), time.process_time()
            asked = peer.open(job.path, job.size) if call.how == "cold" else kept
            assert asked is not None
            shown = asked.frames_at(call.times_s)
            if call.how == "cold":
                asked.close()
            wall_s = time.perf_counter() - started_s
            done.append((wall_s, time.process_time() - started_cpu_s, "", shown))
        except Exception as error:  # noqa: BLE001  strangers' libraries raise what they like
            told = str(error).strip().replace(f"{Path(job.path).parent}/", "")
            done.append((math.nan, math.nan, f"{type(error).__name__}: {told[:200]}", None))
    outcome = PeerOutcome(*zip(*done, strict=True))
    (folder / "outcome").write_bytes(pickle.dumps(outcome))
