"""The same work in another commit and in this one, by turns: medians, and how many times faster.

The other commit is checked out beside this one, and runs in the same Python. Work is timed in
processor seconds, of all threads and processes, and by the wall clock.
"""

import json
import os
import statistics
import subprocess
import sys
import time
from argparse import ArgumentTypeError
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console

from benchmarks.speed.tables import number_table
from zoomgym.io import brief, replaced

ROOT = Path(__file__).parents[2]
SHOWN_CHARS = 2000
"""Characters that are shown of the output of work that failed."""

STEPS = """
import gymnasium, numpy, zoomgym
env = gymnasium.make("ZoomEnvDiscrete-v0", tasks="synthetic:flash", source="scene",
                     cell_px=8, max_pixels=256, disable_env_checker=True)
rng = numpy.random.default_rng(0)
def play(num_steps, actions):
    chosen = []
    env.reset(seed=0)
    for k in range(num_steps):
        masks = None if actions else env.unwrapped.action_masks()
        chosen.append(actions[k] if actions else int(rng.choice(numpy.flatnonzero(masks))))
        _, _, terminated, truncated, _ = env.step(chosen[-1])
        if terminated or truncated:
            env.reset()
    return chosen
actions = play(1000, [])
def work():
    play(1000, actions)
"""
VECTOR = """
import gymnasium, numpy, zoomgym
envs = gymnasium.make_vec("zoomgym:ZoomEnvDiscrete-v0", num_envs=8, tasks="synthetic:flash",
                          source="scene", cell_px=8, max_pixels=256)
rng = numpy.random.default_rng(0)
turns = numpy.arange(8)
actions = [numpy.where((turns + k) % 5 < 4, rng.integers(0, 58, 8), 105) for k in range(125)]
def work():  # each plays four zooms of 4 to 16 frames, an answer, and is reset
    envs.reset(seed=0)
    for action in actions:
        envs.step(action)
work()
"""
EPISODES = """
from zoomgym import ZoomEnv
env = ZoomEnv("synthetic", source="scene", **SETTINGS)
env.action_space.seed(0)
env.reset(seed=0)
def work():
    for _ in range(40):
        env.reset()
        while not env.step(env.action_space.sample())[2]:
            pass
"""
TIMED = """
import time
wall_s, cpu_s = time.perf_counter(), time.process_time()
work()
print([time.perf_counter() - wall_s, time.process_time() - cpu_s])
"""
GRPO_ENV = {
    "tasks": "synthetic:flash",
    "source": "scene",
    "grammar": "video_zoom",
    "difficulty": "medium",
    "duration_s": 721 / 12,
    "num_overview": 16,
    "max_turns": 3,
    "max_pixels": 784,
    "frame_size": [8, 8],
}
"""The environment of examples/train_tiny_qwen.py."""


@dataclass(frozen=True, slots=True)
class Seconds:
    """What some work took."""

    wall: float
    cpu: float
    """Processor seconds of all threads and processes."""


@dataclass(frozen=True, slots=True)
class Work:
    """Work that every commit can do."""

    about: str
    measure: Callable[[Path, Path], Seconds]
    """Does it with the code in one folder, and files in another, which is empty."""


def compare(console: Console, rev: str, names: Sequence[str], repeats: int, *, out: Path) -> None:
    """Does work by turns in a commit and here; prints medians and ratios, and writes all to out.

    Work that fails, as a commit may not know it, is left out, and what it printed is shown.
    """
    taken: dict[str, dict[str, list[Seconds]]] = {}
    with _checked_out(rev) as other:
        for name in names:
            try:
                taken[name] = _by_turns(console, name, {"before": other, "now": ROOT}, repeats)
            except RuntimeError as error:
                console.print(f"{name} is left out: {error}", style="red", markup=False)
            _write(out, rev, taken)
    _show(console, rev, taken)


def _by_turns(
    console: Console, name: str, codes: Mapping[str, Path], repeats: int
) -> dict[str, list[Seconds]]:
    """Returns what some work took with each code. Raises RuntimeError if it fails."""
    taken: dict[str, list[Seconds]] = {side: [] for side in codes}
    for turn in range(repeats):
        for side, code in codes.items():
            console.print(f"{name}: {turn + 1} of {repeats}, {side}", style="dim")
            with TemporaryDirectory(prefix="zoomgym-") as folder:
                taken[side].append(WORK[name].measure(code, Path(folder)))
    return taken


def _write(out: Path, rev: str, taken: Mapping[str, Mapping[str, Sequence[Seconds]]]) -> None:
    """Writes what was measured so far to out, as JSON."""
    rows = {
        name: {side: [[s.wall, s.cpu] for s in runs] for side, runs in sides.items()}
        for name, sides in taken.items()
    }
    out.parent.mkdir(parents=True, exist_ok=True)
    with replaced(out) as file:
        file.write(json.dumps({"before": rev, "wall_and_cpu_s": rows}, indent=1).encode())


def _show(console: Console, rev: str, taken: Mapping[str, Mapping[str, Sequence[Seconds]]]) -> None:
    """Prints medians, and how many times faster it is now."""
    numbers = ("before, cpu s", "now", "ratio", "before, wall s", "now", "ratio")
    table = number_table(f"{rev} and now (medians)", ("work", "times"), numbers)
    for name, sides in taken.items():
        cells = []
        for clock in ("cpu", "wall"):
            before, now = (
                statistics.median(getattr(seconds, clock) for seconds in sides[side])
                for side in ("before", "now")
            )
            cells += [f"{before:.2f}", f"{now:.2f}", f"{before / now:.2f}"]
        table.add_row(WORK[name].about, str(len(sides["now"])), *cells)
    console.print(table)


@contextmanager
def _checked_out(rev: str) -> Iterator[Path]:
    """Yields a folder with the files of a commit."""
    with TemporaryDirectory(prefix="zoomgym-") as name:
        folder = Path(name) / "code"
        _git("worktree", "add", "--detach", str(folder), rev).check_returncode()
        try:
            yield folder
        finally:
            _git("worktree", "remove", "--force", str(folder))


def commit(text: str) -> str:
    """Returns text if it names a commit of this repository. Raises ArgumentTypeError."""
    if _git(
        "rev-parse", "--verify", "--quiet", "--end-of-options", f"{text}^{{commit}}"
    ).returncode:
        raise ArgumentTypeError(
            f"needed a commit of this repository, got {brief(text)}: "
            "run it in a clone, and name a commit as git does"
        )
    return text


def _git(*args: str) -> subprocess.CompletedProcess[str]:
    """Runs git in this repository."""
    return subprocess.run(["git", "-C", str(ROOT), *args], capture_output=True, text=True)


def _timed_code(code: str) -> Callable[[Path, Path], Seconds]:
    """Returns what times the function `work` of a program, without what comes before it."""

    def measure(root: Path, folder: Path) -> Seconds:
        printed, _ = _run(root, folder, "-c", code + TIMED)
        return Seconds(*json.loads(printed.splitlines()[-1]))

    return measure


def _timed_command(line: str) -> Callable[[Path, Path], Seconds]:
    """Returns what times `python -m` and a line; `{folder}` in it is the folder for files."""

    def measure(root: Path, folder: Path) -> Seconds:
        args = (word.format(folder=folder) for word in line.split())
        return _run(root, folder, "-m", *args)[1]

    return measure


def _measure_grpo(root: Path, folder: Path) -> Seconds:
    """Times five steps of GRPO, with new weights, in either layout of `agents.qwen`."""
    is_new = (root / "agents/qwen/training").is_dir()
    tiny, grpo = ("model.tiny", "training.grpo") if is_new else ("tiny", "train_grpo")
    _run(root, folder, "-m", f"agents.qwen.{tiny}", str(folder / "start"), "--size", "mini")
    settings = {
        "model": folder / "start",
        "out": folder / "grpo",
        "env": json.dumps(GRPO_ENV),
        "steps": 5,
        "group-size": 8,
        "tasks-per-generation": 8,
        "tasks-per-update": 8,
        "micro-batch": 16,
        "rows": 64,
        "max-tokens": 80,
        "kl": 0,
        "entropy": 0,
        **({"num-threads": 1} if is_new else {}),  # older ones obey OMP_NUM_THREADS
    }
    flags = [part for name, value in settings.items() for part in (f"--{name}", str(value))]
    return _run(root, folder, "-m", f"agents.qwen.{grpo}", *flags)[1]


def _run(root: Path, folder: Path, *args: str) -> tuple[str, Seconds]:
    """Runs Python with the code in root; returns what it printed, and what it took.

    Raises:
        RuntimeError: it failed.
    """
    env = {**os.environ, "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"}
    with (folder / "printed").open("w+") as printed:
        started_s = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, *args], cwd=root, env=env, stdout=printed, stderr=subprocess.STDOUT
        )
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        seconds = Seconds(time.perf_counter() - started_s, used.ru_utime + used.ru_stime)
        printed.seek(0)
        text = printed.read()
    if process.returncode:
        raise RuntimeError(f"{root}: python {' '.join(args)[:200]} failed: {text[-SHOWN_CHARS:]}")
    return text, seconds


def _episodes(settings: str) -> Callable[[Path, Path], Seconds]:
    return _timed_code(f"SETTINGS = {settings}\n{EPISODES}")


WORK: Mapping[str, Work] = {
    "steps": Work("1,000 steps of ZoomEnvDiscrete, flash, cells of 8", _timed_code(STEPS)),
    "vector": Work("1,000 steps of 8 of them, make_vec", _timed_code(VECTOR)),
    "env": Work("40 episodes of ZoomEnv, 112 x 112", _episodes("{}")),
    "env-112": Work("the same, max_pixels 112 x 112", _episodes("{'max_pixels': 12544}")),
    "runner": Work(
        "standard-v0, 5 tasks a cell, 8 agents, 1 process",
        _timed_command(
            "benchmarks.run --suite standard-v0 --limit 5 --workers 1 --out {folder}/out "
            "--cache-dir {folder}/cache "
            "--agents blind glance random uniform change keyframe coarse_to_fine oracle"
        ),
    ),
    "demo": Work(
        "the demo, from an empty cache",
        _timed_command("benchmarks.run --out {folder}/out --cache-dir {folder}/cache"),
    ),
    "ppo": Work(
        "2,000 steps of MaskablePPO",
        _timed_command(
            "agents.sb3 train --tasks synthetic:flash --env cell_px=8 max_pixels=256 "
            "--weights grounding=0.5 --total-timesteps 2000 --out {folder}/out"
        ),
    ),
    "grpo": Work("5 steps of GRPO, mini, 8 tasks x 8 rollouts", _measure_grpo),
    "tests": Work("the tests", _timed_command("pytest -q -n 2 --dist loadfile")),
}
"""What `compare` measures, by name."""
