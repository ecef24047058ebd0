"""Trains a selector: which frames of a scan let a frozen reader answer."""

import json
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from agents.selector.choice import draw, log_probs, policy_loss
from agents.selector.network import SIDE, Selector, count_words
from agents.selector.picker import one_thread, times_of_scan
from agents.selector.settings import WEIGHTS, SelectorSettings, save_settings
from agents.synthetic.reader import choose_option
from zoomgym.agent import Frames, Observation
from zoomgym.rules import Rules, VideoQuestion
from zoomgym.tasks import SYNTHETIC, TaskSet, tasks_of

LOG = "log.jsonl"
TRAINED_ON: dict[str, str] = {"tasks": "synthetic:flash", "source": "scene"}
"""Arguments of ZoomEnv that are used if none are given."""
MOST_NORM = 1.0
"""Largest norm of a gradient."""


class Scan(NamedTuple):
    """A task, and frames of its video."""

    task: VideoQuestion
    duration_s: float
    times_s: NDArray[np.float64]
    images: NDArray[np.uint8]
    """(N, SIDE, SIDE, 3)."""


def train(settings: SelectorSettings, folder: Path) -> Path:
    """Trains a selector and returns the file of its weights in folder, which has to be empty.

    Raises:
        ValueError: a scan has no more frames than an overview, or a reader cannot answer the tasks.
        ZoomGymError: there are no such tasks.
    """
    arguments = {**TRAINED_ON, **settings.env}
    if str(arguments["tasks"]).partition(":")[0] != SYNTHETIC:
        raise ValueError(
            f"the reader reads synthetic video only, got {arguments['tasks']!r}: give "
            "--tasks synthetic:flash"
        )
    tasks = tasks_of(arguments)
    folder.mkdir(parents=True, exist_ok=True)
    save_settings(folder, settings)
    with one_thread(), (folder / LOG).open("w", encoding="utf-8", buffering=1) as log:
        selector = _learn(settings, tasks, log.write)
    part = folder / "part.pt"
    torch.save(selector.state_dict(), part)
    return part.replace(folder / WEIGHTS)


def _learn(settings: SelectorSettings, tasks: TaskSet, write: Callable[[str], object]) -> Selector:
    """Returns a trained selector, having written a line about each update."""
    rng = np.random.default_rng(settings.seed)
    generator = torch.Generator().manual_seed(settings.seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        selector = Selector(settings.hidden)
    optimizer = torch.optim.Adam(selector.parameters(), settings.learning_rate)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1, 0, settings.num_updates)
    started_s = time.process_time()
    bar = tqdm(range(1, settings.num_updates + 1), unit=" updates")
    for update in bar:
        num_frames = int(rng.choice(settings.num_frames))
        scans = [
            scan_task(tasks, index, num_frames, settings.scan_fps)
            for index in rng.choice(len(tasks), settings.batch_size, replace=False).tolist()
        ]
        words = torch.from_numpy(count_words([scan.task.question for scan in scans]))
        scores = selector(torch.from_numpy(np.stack([scan.images for scan in scans])), words)
        drawn = draw(scores, num_frames, settings.group_size, generator)
        rewards = _rewards(scans, drawn)
        loss = policy_loss(log_probs(scores, drawn), rewards)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(selector.parameters(), MOST_NORM)
        optimizer.step()
        schedule.step()
        reward = float(rewards.mean())
        bar.set_postfix(num_frames=num_frames, reward=f"{reward:.2f}")
        row = {
            "update": update,
            "num_frames": num_frames,
            "reward": round(reward, 4),
            "processor_s": round(time.process_time() - started_s, 2),
        }
        write(json.dumps(row) + "\n")
    return selector


def scan_task(tasks: TaskSet, index: int, num_frames: int, scan_fps: float) -> Scan:
    """Returns a task and its scan. Raises ValueError if that leaves nothing to pick."""
    task = tasks[index]
    with closing(tasks.open_video(task)) as video:
        times_s = times_of_scan(video.last_frame_s, num_frames, scan_fps)
        if not times_s:
            raise ValueError(
                f"a scan needs more frames than an overview of {num_frames}, got "
                f"{scan_fps:g} a second for {video.duration_s:g} s: raise scan_fps"
            )
        images = video.frames_at(times_s, (SIDE, SIDE))
        return Scan(task, video.duration_s, np.array(times_s), images)


def _rewards(scans: list[Scan], drawn: Tensor) -> Tensor:
    """Returns how likely the reader answers rightly from the frames of each draw: (B, G)."""
    places = drawn.sort(dim=2).values.numpy()
    return torch.tensor(
        [[reward_of(scan, one) for one in own] for scan, own in zip(scans, places, strict=True)]
    )


def reward_of(scan: Scan, places: NDArray[np.int64]) -> float:
    """Returns how likely the reader answers rightly from these frames: it guesses if it must."""
    task = scan.task
    choice = choose_option(
        Observation(
            episode_key="",
            question=task.question,
            options=task.options,
            rules=Rules(num_overview=len(places), max_turns=1),
            duration_s=scan.duration_s,
            overview=Frames(tuple(scan.times_s[places].tolist()), scan.images[places]),
            clips=(),
            turns=(),
            feedback="",
            frames_left=0,
            turns_left=1,
        )
    )
    return 1 / len(task.options) if choice is None else float(choice == task.answer)
