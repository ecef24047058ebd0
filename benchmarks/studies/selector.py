"""Does a learned choice of overview frames still help an agent that can zoom?

The same agents play the same hard tasks with overviews that are spread evenly, picked by how much
changes, and picked by a selector that was trained on other tasks, as in TSPO: by reward from a
frozen reader. `glance` only reads the overview; `coarse_to_fine` also zooms.
"""

from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from matplotlib import rc_context
from matplotlib.figure import Figure

from agents.registry import make_agent
from agents.selector.settings import WEIGHTS, SelectorSettings
from agents.selector.training import train
from benchmarks.evaluation.metrics import ACCURACY
from benchmarks.figures import COLORS, MARKERS, STYLE
from benchmarks.studies.learning import made_once, shared_folder
from benchmarks.studies.plan import FULL, QUICK, Cell, Contrast, Results, Study
from benchmarks.studies.verdicts import over_seeds
from zoomgym import ZoomEnv
from zoomgym.records import Record
from zoomgym.rollout import run_episodes

SELECTORS = ("uniform", "change", "learned")
NUM_FRAMES = (8, 16, 32, 64)
AGENTS = ("coarse_to_fine", "glance")
FAMILIES = ("flash", "order", "sparse")
ENV: dict[str, Any] = {
    "tasks": f"synthetic:{','.join(FAMILIES)}",
    "source": "scene",
    "difficulty": "hard",
    "max_pixels": 112 * 112,
    "frame_size": (8, 8),
}
SCAN_FPS = 4.0
"""Frames a second that the selector scans: so many that no event of hard tasks is missed."""


@dataclass(frozen=True, slots=True)
class SelectorAmounts:
    """SelectorAmounts of a size."""

    num_updates: int
    """Of each selector."""
    num_tasks: int
    """Held-out tasks of each arm and seed."""


def arm_of(selector: str, num_frames: int, agent: str) -> str:
    """Returns the name of an arm."""
    return f"{selector} {num_frames}, {agent}"


ARMS = tuple(
    arm_of(selector, size, agent)
    for agent in AGENTS
    for size in NUM_FRAMES
    for selector in SELECTORS
)


def play(
    cell: Cell, amounts: SelectorAmounts, folder: Path, played: AbstractSet[str]
) -> Iterator[Record]:
    """Yields the episodes of an agent with an overview."""
    how, name = cell.arm.split(", ")
    selector, size = how.split()
    if selector == "learned":
        make = partial(_train, cell.seed, amounts.num_updates)
        place = made_once(shared_folder(folder, cell, "selector"), make, amounts)
        selector = f"learned:{place}"
    env = ZoomEnv(
        **ENV, split="test", overview=selector, num_overview=int(size), frame_budget=int(size) + 64
    )
    first = cell.seed * amounts.num_tasks
    ids = [env.tasks[first + k].id for k in range(amounts.num_tasks)]
    task_ids = [one for one in ids if one not in played]
    agent = make_agent(name)
    yield from run_episodes(env, agent, agent_name=cell.arm, task_ids=task_ids, seed=cell.seed)


def _train(seed: int, num_updates: int, folder: Path) -> None:
    """Trains the selector of a seed."""
    settings = SelectorSettings(
        env={name: ENV[name] for name in ("tasks", "source", "difficulty")},
        num_frames=NUM_FRAMES,
        scan_fps=SCAN_FPS,
        seed=seed,
        num_updates=num_updates,
    )
    assert train(settings, folder).name == WEIGHTS


def _accuracy_in(family: str, record: Record) -> float | None:
    return ACCURACY.of(record) if record.task.category == family else None


def draw(results: Results) -> Figure:
    """Returns accuracy by the number of frames, a panel an agent."""
    with rc_context(STYLE):
        figure = Figure(figsize=(9, 3.4), layout="constrained")
        for axes, agent in zip(figure.subplots(1, len(AGENTS), sharey=True), AGENTS, strict=True):
            for number, selector in enumerate(SELECTORS):
                points = [
                    (size, over_seeds(own))
                    for size in NUM_FRAMES
                    if (own := _accuracies(results, arm_of(selector, size, agent)))
                ]
                if points:
                    axes.errorbar(
                        [size for size, _ in points],
                        [one.mean for _, one in points],
                        yerr=[
                            [one.mean - one.low for _, one in points],
                            [one.high - one.mean for _, one in points],
                        ],
                        color=COLORS[number],
                        marker=MARKERS[number],
                        markersize=4,
                        label=selector,
                    )
            axes.set_title(f"{agent}: accuracy")
            axes.set_xscale("log", base=2)
            axes.set_xticks(NUM_FRAMES, [str(size) for size in NUM_FRAMES])
            axes.set_xlabel("frames of the overview")
            axes.set_ylim(0, 1.02)
        figure.legend(
            *axes.get_legend_handles_labels(), loc="outside lower center", ncols=len(SELECTORS)
        )
    return figure


def _accuracies(results: Results, arm: str) -> Sequence[Sequence[float]]:
    """Returns whether the answers of an arm are right, seed by seed."""
    return [list(own.values()) for own in results.values(arm, ACCURACY.of).values() if own]


STUDY = Study(
    name="selector",
    title="Does a learned overview help an agent that zooms?",
    claim="An overview whose frames are picked by a trained selector adds 2 to 3 points.",
    source="the design trade-off of arXiv 2512.22315 about TSPO-like selection of first frames",
    refuted_by="an agent that zooms and is no better with learned overviews than with even ones",
    cannot_show="The selector is trained for the reader of these symbols, by tasks of the families "
    "it is tested on. On real video, a learned selector has to know what questions are about.",
    arms=ARMS,
    measures={
        "accuracy": ACCURACY.of,
        **{name: partial(_accuracy_in, name) for name in FAMILIES},
        "zooms": lambda record: record.reward_parts.zoom_cost,
    },
    contrasts=(
        *(
            Contrast(
                f"With {size} frames, a learned overview adds 2 points to an agent that zooms",
                "accuracy",
                arm_of("learned", size, "coarse_to_fine"),
                arm_of("uniform", size, "coarse_to_fine"),
                0.02,
            )
            for size in NUM_FRAMES
        ),
        Contrast(
            "With 16 frames, it adds more than picking by change",
            "accuracy",
            arm_of("learned", 16, "coarse_to_fine"),
            arm_of("change", 16, "coarse_to_fine"),
        ),
        Contrast(
            "With 16 learned frames, an agent that zooms is better than one that only glances",
            "accuracy",
            arm_of("learned", 16, "coarse_to_fine"),
            arm_of("learned", 16, "glance"),
        ),
    ),
    sizes={
        FULL: SelectorAmounts(num_updates=100, num_tasks=120),
        QUICK: SelectorAmounts(num_updates=30, num_tasks=30),
    },
    play=play,
    draw=draw,
)
