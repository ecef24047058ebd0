"""A small model that goes to school, and then learns from demonstrations and by GRPO on a CPU.

A model from random weights has to learn to see, to read and to write before it can learn where to
look, which a released model can. So it first goes to school on small tasks, until it reads clips,
writes zooms and finds the gap that a lit beacon leads to. What it learns after that is what a study
is about.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from statistics import fmean
from typing import Any

from agents.qwen.demonstrations import Demonstration
from agents.qwen.model.policy import QwenAgent
from agents.qwen.model.tiny import save_tiny
from agents.qwen.training.grpo import train_grpo
from agents.qwen.training.settings import GRPOSettings, SFTSettings
from agents.qwen.training.sft import train_sft
from agents.threads import use_threads
from benchmarks.studies.learning import NotLearnedError, made_once, write_curve
from benchmarks.studies.plan import Cell
from benchmarks.studies.small_tasks import LED, NUM_GAPS, Guide, ids_of, small_env
from zoomgym import ZoomEnv
from zoomgym.agent import Agent
from zoomgym.records import Record
from zoomgym.rollout import run_episodes

NUM_ENVS = 64
ROUNDS = "rounds.jsonl"
"""File of a school: how many answers were right after each round."""
NUM_THREADS = 1
"""Threads of PyTorch. Several cells are played at once, and with one thread each the order of sums
does not depend on the number of cores."""
TEMPERATURE = 1.0
"""Temperature of replies in training and in tests. The likeliest reply of a model that hesitates
between the right place and those beside it is the right one, and so tells nothing of learning."""
MAX_TOKENS = 60
"""Longest reply, with room: the longest that is taught has 45 tokens."""


@dataclass(frozen=True, slots=True)
class School:
    """Lessons before a study: how many demonstrations of each kind, and when they end."""

    num_symbols: int = 800
    """Answers about one frame, which shows a symbol."""
    num_read: int = 600
    """Answers about zooms on the right gap, or about the overview alone."""
    num_zoomed: int = 1200
    """Whole episodes, with zooms on the right gap."""
    accuracy: float = 0.85
    """School ends when so many answers are right, in tests between its rounds."""
    most_rounds: int = 24
    ends_anyway: bool = False
    """Whether it also ends after the last round if fewer are."""
    num_tests: int = 120
    model: str = "mini"
    """Size of the model, as in `agents.qwen.model.tiny`."""
    num_gaps: int = NUM_GAPS
    """Gaps in every video."""
    pace: float = 1.0
    """Factor of all learning rates, here and in what follows: larger models take smaller ones."""


SCHOOL = School()
"""The same for all studies of zooms alone, which share its models, by seed."""
QUICK_SCHOOL = replace(SCHOOL, accuracy=0.7, most_rounds=8, ends_anyway=True)
"""It ends earlier, for sizes that decide nothing but have to end soon on any machine."""
GPU_SCHOOL = School(1200, 1600, 3200, model="medium", num_gaps=63, pace=0.1)
"""For overviews of 64 frames. It was not played at full size: pace and numbers are guesses."""
FIRST_OF_TESTS, FIRST_OF_COLD_START, FIRST_OF_REFLECTIONS = 6_000, 7_000, 8_000
"""Indices of the first training tasks of each, behind those of school. Seeds share them; their
tests are their own."""


def schooled(folder: Path, cell: Cell, school: School) -> Path:
    """Returns the folder of the model of a seed that went to school; all studies share it."""
    seed = cell.seed

    def make(place: Path) -> None:
        save_tiny(place / "start", school.model, seed=seed)
        one_frame = small_env("small_shown", 1, school.num_gaps, num_overview=1)
        show(place / "symbols.jsonl", one_frame, Guide(), seed, range(school.num_symbols))
        rate = 3e-3 * school.pace
        learn(place / "start", place / "symbols.jsonl", place / "symbols", seed, 3, rate)
        read = range(school.num_symbols, school.num_symbols + school.num_read)
        zoomed = range(read.stop, read.stop + school.num_zoomed)
        file, env = place / "zooms.jsonl", small_env(LED, 2, school.num_gaps)
        all_kinds = small_env(f"{LED},small_shown", 2, school.num_gaps)
        show(file, all_kinds, Guide(), seed, read, first_turn=1)
        show(file, env, Guide(), seed, zoomed)
        attend(place, place / "symbols", file, env, school, seed)

    return made_once(school_folder(folder, cell), make, school) / "model"


def school_folder(folder: Path, cell: Cell, name: str = "") -> Path:
    """Returns the folder of the school of a seed, which all studies share.

    Args:
        folder: of the cell.
        cell: of any study.
        name: of the school, where it is not that of `schooled`.
    """
    return folder.parents[3] / "schools" / cell.size / name / str(cell.seed)


def attend(
    place: Path, start: Path, file: Path, env: Mapping[str, Any], school: School, seed: int
) -> None:
    """Trains a model on demonstrations, round by round, until school ends; writes `model`.

    Args:
        place: folder to write.
        start: folder of the model before.
        file: of demonstrations.
        env: arguments of the environment of the tests between rounds.
        school: that it attends.
        seed: of the order of demonstrations, and of tests.

    Raises:
        NotLearnedError: it is not good enough after the last round.
    """
    tests, model = ids_of(env, FIRST_OF_TESTS, school.num_tests), start
    for number in range(school.most_rounds):
        before, model = model, place / f"round{number + 1}"
        learn(before, file, model, seed, 1, 2e-3 * school.pace, schedule="constant_with_warmup")
        records = _play(model, env, tests, "pupil", seed)
        accuracy = fmean(one.reward_parts.accuracy for one in records)
        with (place / ROUNDS).open("a", encoding="ascii") as lines:
            lines.write(f"{json.dumps({'round': number + 1, 'accuracy': round(accuracy, 4)})}\n")
        if accuracy >= school.accuracy:
            break
    if accuracy < school.accuracy and not school.ends_anyway:
        raise NotLearnedError(
            f"the school of seed {seed} needed {school.accuracy:g} of answers right within "
            f"{school.most_rounds} rounds, got {accuracy:.2f} in the last"
        )
    model.rename(place / "model")


def show(
    file: Path,
    env: Mapping[str, Any],
    expert: Agent,
    seed: int,
    indices: range,
    first_turn: int = 0,
) -> None:
    """Adds to a file what an expert does on tasks, right or wrong."""
    file.parent.mkdir(parents=True, exist_ok=True)
    ids = ids_of(env, indices.start, len(indices))
    with file.open("a", encoding="ascii") as lines:
        for record in run_episodes(
            ZoomEnv(**env), expert, agent_name="guide", task_ids=ids, seed=seed
        ):
            first = min(first_turn, len(record.turns) - 1)
            lines.write(f"{Demonstration(record, first).to_json()}\n")


def learn(
    start: Path,
    file: Path,
    out: Path,
    seed: int,
    num_epochs: float,
    rate: float,
    schedule: str = "cosine",
) -> None:
    """Trains a model on a file of demonstrations."""
    settings = SFTSettings(
        model=str(start),
        demonstrations=(file,),
        out=out,
        num_epochs=num_epochs,
        batch_size=8,
        micro_batch=8,
        learning_rate=rate,
        schedule=schedule,
        freeze_vision=False,
        save_steps=100_000,
        seed=seed,
        num_threads=NUM_THREADS,
    )
    train_sft(settings)


def reinforced(
    folder: Path,
    start: Path,
    seed: int,
    num_steps: int,
    stages: Sequence[Mapping[str, Any]],
    pace: float = 1.0,
) -> Path:
    """Returns the folder of a model after GRPO, which is trained once for a cell.

    Args:
        folder: of the cell; how training went is written there.
        start: folder of the model before.
        seed: of the sampling and the order of tasks.
        num_steps: of all stages together.
        stages: arguments of the environment, one after the other.
        pace: factor of the learning rate.
    """

    def make(place: Path) -> None:
        models = [start, *(place / f"stage{number + 1}" for number in range(len(stages)))]
        for number, (before, after) in enumerate(pairwise(models)):
            own_seed = seed + 1000 * number  # so that stages do not begin with the same tasks
            reinforce(before, after, stages[number], own_seed, num_steps // len(stages), pace)
        write_curve(folder, [model / "episodes" for model in models[1:]])
        models[-1].rename(place / "model")

    return made_once(folder / "trained", make, (num_steps, stages, pace)) / "model"


def reinforce(
    start: Path, out: Path, env: Mapping[str, Any], seed: int, num_steps: int, pace: float
) -> None:
    """Trains a model by GRPO without KL: a step learns from 64 episodes.

    It plays up to as many again, for groups whose rewards are equal.
    """
    settings: dict[str, Any] = {
        "model": str(start),
        "out": out,
        "env": env,
        "steps": num_steps,
        "learning_rate": 3e-4 * pace,
        "warmup_steps": 2,
        "temperature": TEMPERATURE,
        "group_size": 8,
        "tasks_per_generation": 8,
        "tasks_per_update": 8,
        "micro_batch": 32,
        "rows": 64,
        "max_tokens": MAX_TOKENS,
        "max_redraws": 1,
        "kl": 0.0,
        "entropy": 0.0,
        "num_tasks": 4000,
        "save_steps": 100_000,
        "seed": seed,
        "num_threads": NUM_THREADS,
    }
    train_grpo(GRPOSettings(**settings))


def play_tests(
    model: Path,
    env: Mapping[str, Any],
    cell: Cell,
    num_tasks: int,
    played: Iterable[str],
) -> Iterator[Record]:
    """Yields the episodes of a model on held-out tasks of the seed."""
    done = set(played)
    wanted = ids_of(env, cell.seed * num_tasks, num_tasks, "test")
    task_ids = [one for one in wanted if one not in done]
    yield from _play(model, {**env, "split": "test"}, task_ids, cell.arm, cell.seed)


def _play(
    model: Path, env: Mapping[str, Any], task_ids: Sequence[str], name: str, seed: int
) -> Iterator[Record]:
    use_threads(NUM_THREADS)
    agent = QwenAgent(str(model), temperature=TEMPERATURE, max_tokens=MAX_TOKENS)
    envs = [ZoomEnv(**env) for _ in range(NUM_ENVS)]
    yield from run_episodes(envs, agent, agent_name=name, task_ids=task_ids, seed=seed)
