"""What does a bonus for zooming buy?

Half of the tasks show their answer in the overview; the other half need a zoom. A small model that
zooms in half of the episodes of either kind is trained by GRPO with bonuses of several weights. As
a second witness, PPO learns from nothing on the menu of zooms, where every task needs one.
"""

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib import rc_context
from matplotlib.figure import Figure

from agents.registry import make_agent
from agents.sb3.settings import PPOSettings
from agents.sb3.training import train
from benchmarks.evaluation.metrics import ACCURACY
from benchmarks.figures import STYLE
from benchmarks.studies.drawing import draw_curves, draw_line
from benchmarks.studies.learning import made_once, shared_folder
from benchmarks.studies.plan import FULL, QUICK, Cell, Contrast, Measure, Results, Study
from benchmarks.studies.pupils import (
    FIRST_OF_COLD_START,
    QUICK_SCHOOL,
    SCHOOL,
    School,
    learn,
    play_tests,
    reinforced,
    schooled,
    show,
)
from benchmarks.studies.small_tasks import Guide, in_family, small_env, small_tasks
from zoomgym.envs.discrete import ZoomEnvDiscrete
from zoomgym.records import Record
from zoomgym.rollout import run_episodes

WEIGHTS = (0.0, 0.25, 0.5, 1.0)
"""Weights of the bonus; the paper's is 0.5."""
BEFORE = "cold start"
NEEDED, NEEDLESS = "small_flash", "small_shown"
ENV = small_env(f"{NEEDED},{NEEDLESS}", max_turns=3)
PPO_ENV: dict[str, Any] = {
    "tasks": "synthetic:flash",
    "source": "scene",
    "cell_px": 8,
    "max_pixels": 256,
}


@dataclass(frozen=True, slots=True)
class ToolRewardAmounts:
    """Amounts of a size. A step of GRPO learns from 64 episodes."""

    school: School
    num_shown: int
    """Demonstrations of the cold start."""
    num_steps: int
    num_tasks: int
    ppo_steps: int
    """Turns that PPO plays in training."""


def arm_of(learner: str, weight: float) -> str:
    """Returns the name of an arm."""
    return f"{learner}, bonus {weight:g}"


GRPO_ARMS = tuple(arm_of("GRPO", weight) for weight in WEIGHTS)
PPO_ARMS = tuple(arm_of("PPO", weight) for weight in WEIGHTS)


def play(
    cell: Cell, amounts: ToolRewardAmounts, folder: Path, played: AbstractSet[str]
) -> Iterator[Record]:
    """Yields the tests of a learner that was paid a bonus."""
    if cell.arm in PPO_ARMS:
        yield from _play_ppo(cell, amounts, folder, played)
        return
    with small_tasks():
        school = schooled(folder, cell, amounts.school)
        start = _started(cell, amounts, folder, school)
        model = start
        if cell.arm != BEFORE:
            env = {**ENV, "reward_weights": {"tool": _weight_of(cell)}}
            model = reinforced(folder, start, cell.seed, amounts.num_steps, [env])
        yield from play_tests(model, ENV, cell, amounts.num_tasks, played)


def _started(cell: Cell, amounts: ToolRewardAmounts, folder: Path, school: Path) -> Path:
    """Returns the model that zooms in half of the episodes, whatever they need."""

    def make(place: Path) -> None:
        file, half = place / "shown.jsonl", amounts.num_shown // 2
        first = FIRST_OF_COLD_START
        show(file, ENV, Guide(1, habit="zoom"), cell.seed, range(first, first + half))
        show(file, ENV, Guide(habit="answer"), cell.seed, range(first + half, first + 2 * half))
        learn(school, file, place / "model", cell.seed, num_epochs=3, rate=1e-3)

    return made_once(shared_folder(folder, cell, "start"), make, amounts) / "model"


def _play_ppo(
    cell: Cell, amounts: ToolRewardAmounts, folder: Path, played: AbstractSet[str]
) -> Iterator[Record]:
    """Yields the tests of PPO with the bonus of an arm."""

    def make(place: Path) -> None:
        env = {**PPO_ENV, "reward_weights": {"tool": _weight_of(cell)}}
        settings = PPOSettings(
            env=env,
            seed=cell.seed,
            total_timesteps=amounts.ppo_steps,
            eval_every=amounts.ppo_steps,
            eval_episodes=8,
            checkpoint_every=amounts.ppo_steps,
        )
        train(settings, place)

    agent = make_agent(f"ppo:{made_once(folder / 'model', make, amounts)}")
    env = ZoomEnvDiscrete(**PPO_ENV, split="test").zoom_env
    first = cell.seed * amounts.num_tasks
    ids = [env.tasks[first + k].id for k in range(amounts.num_tasks)]
    task_ids = [one for one in ids if one not in played]
    yield from run_episodes(env, agent, agent_name=cell.arm, task_ids=task_ids, seed=cell.seed)


def _weight_of(cell: Cell) -> float:
    return float(cell.arm.rsplit(" ", 1)[1])


def draw(results: Results) -> Figure:
    """Returns zooms by the weight of the bonus, and how they changed in training."""
    with rc_context(STYLE):
        figure = Figure(figsize=(9, 3.4), layout="constrained")
        zooms, steps = figure.subplots(1, 2)
        kinds: tuple[tuple[str, Measure, str], ...] = (
            ("needed", in_family(_zooms, NEEDED), "GRPO"),
            ("needless", in_family(_zooms, NEEDLESS), "GRPO"),
            ("needed", _zooms, "PPO"),
        )
        for number, (kind, measure, learner) in enumerate(kinds):
            points = [
                (weight, results.by_seed(arm_of(learner, weight), measure)) for weight in WEIGHTS
            ]
            draw_line(zooms, points, number, f"{learner}, {kind}")
        zooms.set_xlabel("weight of the bonus")
        zooms.set_title("zooms an episode, after training")
        zooms.set_ylim(bottom=0)
        zooms.legend()
        for number, weight in enumerate(WEIGHTS):
            arm, label = arm_of("GRPO", weight), f"bonus {weight:g}"
            draw_curves(steps, results, arm, f"zooms, {NEEDLESS}", number, label)
        steps.set_title("GRPO: needless zooms an episode")
        steps.set_ylim(bottom=0)
        steps.legend()
    return figure


def _zooms(record: Record) -> float:
    return record.reward_parts.zoom_cost


STUDY = Study(
    name="tool_reward",
    title="What does a bonus for zooming buy?",
    claim="Without a bonus for zooming, zooms die out; too large a bonus buys zooms, not answers.",
    source="arXiv 2512.22315, section 4.3 (experiment 3)",
    refuted_by="zooms that a task needs and that stay without a bonus; or answers that are right "
    "more often with a larger bonus",
    cannot_show="Here a needed zoom pays at once, in right answers. A 7B is often right without a "
    "zoom, so its zooms earn less than they do here.",
    arms=(BEFORE, *GRPO_ARMS, *PPO_ARMS),
    measures={
        "accuracy": ACCURACY.of,
        "needed zooms": in_family(_zooms, NEEDED),
        "needless zooms": in_family(_zooms, NEEDLESS),
        "no needed zoom": in_family(lambda record: float(not _zooms(record)), NEEDED),
        "no needless zoom": in_family(lambda record: float(not _zooms(record)), NEEDLESS),
        "zooms": _zooms,
        "format": lambda record: record.reward_parts.format,
    },
    contrasts=(
        Contrast(
            "Without a bonus, needed zooms die out: more than 0.9 of episodes have none",
            "no needed zoom",
            arm_of("GRPO", 0.0),
            None,
            0.9,
        ),
        Contrast(
            "Without a bonus, needless zooms die out: more than 0.9 of episodes have none",
            "no needless zoom",
            arm_of("GRPO", 0.0),
            None,
            0.9,
        ),
        Contrast(
            "A bonus of 0.5 buys needless zooms",
            "needless zooms",
            arm_of("GRPO", 0.5),
            arm_of("GRPO", 0.0),
            0.1,
        ),
        Contrast(
            "A bonus of 0.5 gives a higher accuracy than none",
            "accuracy",
            arm_of("GRPO", 0.5),
            arm_of("GRPO", 0.0),
            0.02,
        ),
        Contrast(
            "A bonus of 1 buys more needless zooms than 0.5",
            "needless zooms",
            arm_of("GRPO", 1.0),
            arm_of("GRPO", 0.5),
            0.1,
        ),
        Contrast(
            "A bonus of 1 gives a higher accuracy than 0.5",
            "accuracy",
            arm_of("GRPO", 1.0),
            arm_of("GRPO", 0.5),
            0.02,
        ),
        Contrast(
            "From nothing, PPO zooms more with a bonus of 0.5 than without",
            "zooms",
            arm_of("PPO", 0.5),
            arm_of("PPO", 0.0),
            0.1,
        ),
        Contrast(
            "From nothing, PPO is right more often with a bonus of 0.5 than without",
            "accuracy",
            arm_of("PPO", 0.5),
            arm_of("PPO", 0.0),
            0.02,
        ),
    ),
    sizes={
        FULL: ToolRewardAmounts(SCHOOL, 400, num_steps=60, num_tasks=200, ppo_steps=50_000),
        QUICK: ToolRewardAmounts(QUICK_SCHOOL, 160, num_steps=20, num_tasks=60, ppo_steps=6_000),
    },
    play=play,
    draw=draw,
)
