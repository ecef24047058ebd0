"""What do reflections add to exemplars in a cold start?

The overview leaves open on which side of one frame the answer is: a first zoom finds it in half of
the tasks, and a second one, on the other side, in the rest. A small model learns from exemplars
(the expert is told where the answer is, and looks there at once), or from as many exemplars and
reflections (the expert corrects what another model got wrong), or has no cold start but school.
GRPO follows from each.
"""

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from matplotlib import rc_context
from matplotlib.figure import Figure

from agents.qwen.demonstrations import Attempt, demonstrate, reflect
from agents.qwen.model.policy import QwenAgent
from benchmarks.evaluation.metrics import ACCURACY
from benchmarks.figures import STYLE
from benchmarks.studies.drawing import draw_line, draw_mean
from benchmarks.studies.learning import (
    NotLearnedError,
    folder_of_arm,
    made_once,
    shared_folder,
)
from benchmarks.studies.plan import FULL, GPU, QUICK, Cell, Contrast, Results, Study
from benchmarks.studies.pupils import (
    FIRST_OF_COLD_START,
    FIRST_OF_REFLECTIONS,
    GPU_SCHOOL,
    MAX_TOKENS,
    NUM_ENVS,
    QUICK_SCHOOL,
    SCHOOL,
    TEMPERATURE,
    School,
    learn,
    play_tests,
    reinforced,
    schooled,
)
from benchmarks.studies.small_tasks import LED, Guide, ids_of, small_env, small_tasks
from zoomgym import ZoomEnv
from zoomgym.records import Record

MAX_TURNS = 4
SHARES = {"none": None, "0": 0.0, "0.25": 0.25, "0.5": 0.5, "1": 1.0}
"""Shares of reflections among the demonstrations; without a cold start there are none."""
NONE, EXEMPLARS, BOTH = "none", "0", "0.5"
MOST_MISREAD = 20
"""Exemplars that the expert gets wrong at most, which are left out: it reads pictures, too."""
MOST_TRIED = 2000
"""Tasks on which the student is tried at most, for its failures."""
REINFORCED = (NONE, EXEMPLARS, BOTH)


@dataclass(frozen=True, slots=True)
class ColdStartAmounts:
    """Amounts of a size. A step of GRPO learns from 64 episodes."""

    school: School
    num_demonstrations: int
    num_epochs: int
    """In which they are learned."""
    num_steps: int
    num_tasks: int
    families: str = "small_beside"

    @property
    def env(self) -> dict[str, Any]:
        """Arguments of the environment."""
        return small_env(self.families, MAX_TURNS, self.school.num_gaps)


def arm_of(share: str, stage: str) -> str:
    """Returns the name of an arm: `SFT` or `GRPO`, and the share of reflections."""
    return f"{stage}, {share}"


def arm_with_at_most(num_zooms: int) -> str:
    """Returns the name of the arm whose tests allow so many zooms."""
    name = arm_of(BOTH, "GRPO")
    return f"{name}, at most {num_zooms}" if num_zooms < MAX_TURNS - 1 else name


LIMITED = {arm_with_at_most(most): most for most in range(MAX_TURNS - 1)}
"""Arms whose tests allow fewer zooms than their training did, and how many."""
ARMS = (
    *(arm_of(share, "SFT") for share in SHARES),
    *(arm_of(share, "GRPO") for share in REINFORCED),
    *LIMITED,
)


def play(
    cell: Cell, amounts: ColdStartAmounts, folder: Path, played: AbstractSet[str]
) -> Iterator[Record]:
    """Yields the tests of a model after a cold start, or after GRPO from there."""
    stage, share, *_ = cell.arm.split(", ")
    most = LIMITED.get(cell.arm, MAX_TURNS - 1)
    with small_tasks():
        model = _started(cell, amounts, folder, share)
        if stage == "GRPO":
            own = folder_of_arm(folder, cell, arm_of(share, stage))
            pace, env = amounts.school.pace, amounts.env
            model = reinforced(own, model, cell.seed, amounts.num_steps, [env], pace)
        tests = {**amounts.env, "max_turns": most + 1}
        yield from play_tests(model, tests, cell, amounts.num_tasks, played)


def _started(cell: Cell, amounts: ColdStartAmounts, folder: Path, share: str) -> Path:
    """Returns the model after a cold start with a share of reflections."""
    school, of_reflections = schooled(folder, cell, amounts.school), SHARES[share]
    if of_reflections is None:
        return school
    num_reflections = round(amounts.num_demonstrations * of_reflections)
    num_exemplars = amounts.num_demonstrations - num_reflections

    def make(place: Path) -> None:
        parts = []
        if num_exemplars:
            parts.append(_exemplars(place, amounts.env, cell.seed, num_exemplars))
        if num_reflections:
            student = _started(cell, amounts, folder, EXEMPLARS)
            parts.append(_reflections(place, amounts.env, cell.seed, num_reflections, student))
        mixed = place / "mixed.jsonl"
        mixed.write_text("".join(part.read_text("ascii") for part in parts), "ascii")
        rate = 1e-3 * amounts.school.pace
        learn(school, mixed, place / "model", cell.seed, amounts.num_epochs, rate)

    return made_once(shared_folder(folder, cell, f"start-{share}"), make, amounts) / "model"


def _exemplars(place: Path, env: Mapping[str, Any], seed: int, count: int) -> Path:
    """Returns a file of so many episodes of the expert alone."""
    out = place / "exemplars.jsonl"
    ids = ids_of(env, FIRST_OF_COLD_START, count + MOST_MISREAD)
    attempts = demonstrate(
        [ZoomEnv(**env)], ids, expert=Guide(), expert_name="guide", out=out, seed=seed
    )
    _keep(attempts, count, out)
    return out


def _keep(attempts: Iterator[Attempt], count: int, out: Path) -> None:
    """Plays attempts until so many are worth learning. Raises NotLearnedError if too few are."""
    kept = sum(1 for _ in islice((one for one in attempts if not one.reason), count))
    if kept < count:
        raise NotLearnedError(f"{out} needed {count} demonstrations, got {kept}")


def _reflections(place: Path, env: Mapping[str, Any], seed: int, count: int, student: Path) -> Path:
    """Returns a file of so many failures of a model, corrected by the expert."""
    out = place / "reflections.jsonl"
    tries = reflect(
        [ZoomEnv(**env) for _ in range(NUM_ENVS)],
        ids_of(env, FIRST_OF_REFLECTIONS, MOST_TRIED),
        student=QwenAgent(str(student), temperature=TEMPERATURE, max_tokens=MAX_TOKENS),
        student_name="student",
        expert=Guide(),
        expert_name="guide",
        out=out,
        seed=seed,
    )
    _keep(tries, count, out)
    return out


def draw(results: Results) -> Figure:
    """Returns accuracy and zooms by the cold start, before and after GRPO, and by the share."""
    with rc_context(STYLE):
        figure = Figure(figsize=(12, 6), layout="constrained")
        (right, zooms, by_most), (by_share, zooms_by_share, empty) = figure.subplots(2, 3)
        empty.axis("off")
        for axes, measure, title in (
            (right, ACCURACY.of, "accuracy"),
            (zooms, _zooms, "zooms an episode"),
        ):
            for number, stage in enumerate(("SFT", "GRPO")):
                for place, share in enumerate(REINFORCED):
                    own = results.by_seed(arm_of(share, stage), measure)
                    label = "" if place else stage
                    draw_mean(axes, place + (number - 0.5) * 0.3, own, number, label)
            axes.set_xticks(range(3), ["no cold start", "exemplars", "and reflections"])
            axes.set_title(title)
            axes.set_ylim(bottom=0)
        empty.legend(*right.get_legend_handles_labels(), loc="center")
        limits = [(k, results.by_seed(arm_with_at_most(k), ACCURACY.of)) for k in range(MAX_TURNS)]
        draw_line(by_most, limits, number=1)
        by_most.set_xticks(range(MAX_TURNS))
        by_most.set_xlabel("most zooms in tests")
        by_most.set_title("accuracy: reflections, GRPO")
        by_most.set_ylim(bottom=0)
        shares = [(name, share) for name, share in SHARES.items() if share is not None]
        for axes, measure, title in (
            (by_share, ACCURACY.of, "accuracy after SFT"),
            (zooms_by_share, _zooms, "zooms an episode after SFT"),
        ):
            points = [
                (share, results.by_seed(arm_of(name, "SFT"), measure)) for name, share in shares
            ]
            draw_line(axes, points, number=0)
            axes.set_xlabel("share of reflections")
            axes.set_title(title)
            axes.set_ylim(bottom=0)
    return figure


def _zooms(record: Record) -> float:
    return record.reward_parts.zoom_cost


STUDY = Study(
    name="cold_start",
    title="What do reflections add to exemplars in a cold start?",
    claim="Exemplars and reflections are better than exemplars, and these better than no cold "
    "start, in zooms and in right answers; without reflections, zooms settle near one.",
    source="arXiv 2512.22315, section 4.3 (experiment 2), figure 5 and table 3",
    refuted_by="reflections that leave zooms or accuracy as they are, before or after GRPO; "
    "exemplars that are no better than none; or, without reflections, episodes of several zooms",
    cannot_show="The expert looks at the right place at once, as it is told; the paper's expert, a "
    "larger model, also looks in vain. The model has 0.4 million weights. "
    "Tests with fewer zooms also ask it to answer sooner than it has learned to.",
    arms=ARMS,
    measures={
        "accuracy": ACCURACY.of,
        "zooms": _zooms,
        "exactly one zoom": lambda record: float(_zooms(record) == 1),
        "format": lambda record: record.reward_parts.format,
        "no answer": lambda record: float(record.episode.answer is None),
    },
    contrasts=(
        Contrast(
            "Before GRPO, reflections add right answers",
            "accuracy",
            arm_of(BOTH, "SFT"),
            arm_of(EXEMPLARS, "SFT"),
            0.03,
        ),
        Contrast(
            "Before GRPO, reflections add zooms",
            "zooms",
            arm_of(BOTH, "SFT"),
            arm_of(EXEMPLARS, "SFT"),
            0.1,
        ),
        Contrast(
            "After GRPO, reflections add right answers",
            "accuracy",
            arm_of(BOTH, "GRPO"),
            arm_of(EXEMPLARS, "GRPO"),
            0.03,
        ),
        Contrast(
            "After GRPO, reflections add zooms",
            "zooms",
            arm_of(BOTH, "GRPO"),
            arm_of(EXEMPLARS, "GRPO"),
            0.1,
        ),
        Contrast(
            "After GRPO, exemplars are better than no cold start",
            "accuracy",
            arm_of(EXEMPLARS, "GRPO"),
            arm_of(NONE, "GRPO"),
            0.03,
        ),
        Contrast(
            "Without reflections, GRPO ends with exactly one zoom in more than 0.9 of episodes",
            "exactly one zoom",
            arm_of(EXEMPLARS, "GRPO"),
            None,
            0.9,
        ),
        Contrast(
            "GRPO adds right answers to exemplars and reflections",
            "accuracy",
            arm_of(BOTH, "GRPO"),
            arm_of(BOTH, "SFT"),
            0.03,
        ),
        *(
            Contrast(
                f"After GRPO, tests with at most {most} are better than with {most - 1}",
                "accuracy",
                arm_with_at_most(most),
                arm_with_at_most(most - 1),
                0.03,
            )
            for most in range(1, MAX_TURNS)
        ),
    ),
    sizes={
        FULL: ColdStartAmounts(SCHOOL, 480, num_epochs=8, num_steps=40, num_tasks=240),
        QUICK: ColdStartAmounts(QUICK_SCHOOL, 96, num_epochs=8, num_steps=8, num_tasks=60),
        GPU: ColdStartAmounts(
            GPU_SCHOOL,
            240,  # most tasks are led, so the student seldom fails
            num_epochs=8,
            num_steps=160,
            num_tasks=240,
            families=f"{LED},small_beside",
        ),
    },
    play=play,
    draw=draw,
)
