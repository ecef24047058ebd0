"""Do more tools help each other, or are they in each other's way?

A symbol shows for a moment, or tiny, or a voice names it: a zoom, a crop or the transcript tells
it. A small model knows how to call all three. Its last demonstrations call any of those that are
offered, and guess as often, and so does it: which tool to call is for GRPO to teach. That follows
with several sets of tools: on tasks of all three kinds, whose question does not say which it is,
and on tasks of one kind, for which one tool is enough.
"""

from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from matplotlib import rc_context
from matplotlib.figure import Figure

from agents.qwen.model.tiny import save_tiny
from benchmarks.evaluation.metrics import ACCURACY
from benchmarks.figures import CHANCE, STYLE
from benchmarks.studies.drawing import draw_curves, draw_mean
from benchmarks.studies.learning import OVERALL, first_step, made_once, shared_folder
from benchmarks.studies.plan import FULL, QUICK, Cell, Contrast, Results, Study
from benchmarks.studies.pupils import (
    FIRST_OF_COLD_START,
    QUICK_SCHOOL,
    SCHOOL,
    School,
    attend,
    learn,
    play_tests,
    reinforced,
    school_folder,
    show,
)
from benchmarks.studies.small_tasks import in_family
from benchmarks.studies.tool_tasks import (
    EVERY_TOOL,
    SAID,
    UNSAID,
    Handy,
    calls,
    calls_in_vain,
    tool_env,
    tool_tasks,
)
from zoomgym.records import Record
from zoomgym.rules import CROP, TRANSCRIPT, ZOOM
from zoomgym.tasks import NUM_OPTIONS

MAX_TURNS = 4
MIXED = ",".join(UNSAID.values())
EVERY_FAMILY = ",".join((*SAID.values(), *UNSAID.values()))
SETS = ((ZOOM,), (CROP,), (TRANSCRIPT,), (ZOOM, CROP), (ZOOM, TRANSCRIPT), EVERY_TOOL)
"""Sets of tools that some arm is offered: school and cold start show them all."""
ALL, ONE_BY_ONE = "mixed, all", "mixed, one by one"
MIXED_ARMS = {
    "mixed, zoom": (ZOOM,),
    "mixed, zoom and crop": (ZOOM, CROP),
    "mixed, zoom and transcript": (ZOOM, TRANSCRIPT),
    ALL: EVERY_TOOL,
}
TOOL_SCHOOL = replace(SCHOOL, accuracy=0.8)
"""It ends a little earlier than that for zooms, as tasks of six families take longer."""
GOOD = 0.8
"""Accuracy that a training is timed to."""
WIDTH = 5
"""Steps over which that accuracy is measured: 320 episodes, or more."""
STEPS_TOLD = f"steps to {GOOD:g}, or one more than all"
STEPS = first_step(OVERALL, GOOD, WIDTH)


@dataclass(frozen=True, slots=True)
class ToolsAmounts:
    """Amounts of a size. A step of GRPO learns from 64 episodes."""

    school: School
    num_shown: int
    """Demonstrations of the cold start."""
    num_steps: int
    """All steps of GRPO: tools that come one by one share them."""
    num_tasks: int


def single_arm(tool: str, *, has_all: bool) -> str:
    """Returns the name of the arm of tasks of one kind, with its tool alone or with all."""
    return f"only {tool}, {'all' if has_all else 'its tool'}"


SINGLE_ARMS = {
    single_arm(tool, has_all=has_all): (tool, has_all)
    for tool in EVERY_TOOL
    for has_all in (False, True)
}
TRAINED = (*MIXED_ARMS, ONE_BY_ONE, *SINGLE_ARMS)


def before(arm: str) -> str:
    """Returns the name of the arm that plays the tests of another one before GRPO."""
    return f"before, {arm}"


def play(
    cell: Cell, amounts: ToolsAmounts, folder: Path, played: AbstractSet[str]
) -> Iterator[Record]:
    """Yields the tests of a model that is offered the tools of an arm."""
    with tool_tasks():
        model, stages = _started(cell, amounts, folder), _stages(cell.arm.removeprefix(before("")))
        if cell.arm in TRAINED:
            model = reinforced(folder, model, cell.seed, amounts.num_steps, stages)
        yield from play_tests(model, stages[-1], cell, amounts.num_tasks, played)


def _stages(arm: str) -> list[dict[str, Any]]:
    """Returns the environments of GRPO, one after the other; the last is that of tests, too."""
    if arm == ONE_BY_ONE:
        return [_env(MIXED, EVERY_TOOL[: number + 1]) for number in range(len(EVERY_TOOL))]
    if arm in SINGLE_ARMS:
        tool, has_all = SINGLE_ARMS[arm]
        return [_env(SAID[tool], EVERY_TOOL if has_all else (tool,))]
    return [_env(MIXED, MIXED_ARMS[arm])]


def _env(families: str, tools: Sequence[str]) -> dict[str, Any]:
    return tool_env(families, tools, MAX_TURNS)


def _started(cell: Cell, amounts: ToolsAmounts, folder: Path) -> Path:
    """Returns the model that calls any tool, and guesses as often as it calls."""
    school = _schooled(cell, amounts.school, folder)

    def make(place: Path) -> None:
        file, each = place / "shown.jsonl", amounts.num_shown // len(SETS)
        for number, tools in enumerate(SETS):
            first = FIRST_OF_COLD_START + number * each
            own = range(first, first + each)
            show(file, _env(EVERY_FAMILY, tools), Handy(is_careless=True), cell.seed, own)
        learn(school, file, place / "model", cell.seed, num_epochs=2, rate=1e-3)

    return made_once(shared_folder(folder, cell, "start"), make, amounts) / "model"


def _schooled(cell: Cell, school: School, folder: Path) -> Path:
    """Returns the model of a seed that learned to read, and to call all tools."""
    seed, env = cell.seed, _env(EVERY_FAMILY, EVERY_TOOL)

    def make(place: Path) -> None:
        one_frame = tool_env("small_shown", (ZOOM,), 1, num_overview=1)
        save_tiny(place / "start", "mini", seed=seed)
        show(place / "symbols.jsonl", one_frame, Handy(), seed, range(school.num_symbols))
        learn(place / "start", place / "symbols.jsonl", place / "symbols", seed, 3, 3e-3)
        first, last = school.num_symbols, school.num_symbols + school.num_read
        said = _env(",".join(SAID.values()), EVERY_TOOL)
        show(place / "calls.jsonl", said, Handy(), seed, range(first, last), first_turn=1)
        each = school.num_zoomed // len(SETS)
        for number, tools in enumerate(SETS):
            own = range(last + number * each, last + (number + 1) * each)
            show(place / "calls.jsonl", _env(EVERY_FAMILY, tools), Handy(), seed, own)
        attend(place, place / "symbols", place / "calls.jsonl", env, school, seed)

    return made_once(school_folder(folder, cell, "tools"), make, school) / "model"


def draw(results: Results) -> Figure:
    """Returns accuracy and calls in vain by tools, and how training went."""
    with rc_context(STYLE):
        figure = Figure(figsize=(9, 6), layout="constrained")
        (right, steps), (extra, single) = figure.subplots(2, 2)
        mixed = (*MIXED_ARMS, ONE_BY_ONE)
        labels = [_set_of(arm).replace(" and ", "\nand ") for arm in mixed]
        for axes, measure, title in (
            (right, ACCURACY.of, "mixed: accuracy"),
            (extra, calls_in_vain, "mixed: calls in vain"),
        ):
            for number, arm in enumerate(mixed):
                draw_mean(axes, number, results.by_seed(arm, measure), number)
            axes.set_xticks(range(len(mixed)), labels, fontsize=7)
            axes.set_title(title)
            axes.set_ylim(bottom=0)
        right.axhline(1 / NUM_OPTIONS, **CHANCE)
        for number, arm in enumerate((ALL, *list(SINGLE_ARMS)[:2])):
            draw_curves(steps, results, arm, OVERALL, number, arm)
        steps.set_title("accuracy in training")
        steps.set_ylim(0, 1.02)
        steps.legend(fontsize=7, loc="lower right")
        for place, tool in enumerate(EVERY_TOOL):
            for has_all in (False, True):
                values = results.by_seed(single_arm(tool, has_all=has_all), STEPS)
                label = ("all tools" if has_all else "its tool alone") if not place else ""
                draw_mean(single, place + (has_all - 0.5) * 0.3, values, int(has_all), label)
        single.set_xticks(range(len(EVERY_TOOL)), EVERY_TOOL)
        single.set_title(f"one kind of task: steps to an accuracy of {GOOD:g}")
        single.set_ylim(bottom=0)
        single.legend(fontsize=7)
    return figure


def _set_of(arm: str) -> str:
    return arm.removeprefix("mixed, ")


def _disturbances(tool: str, alone: str, among_all: str) -> tuple[Contrast, ...]:
    """Returns in which ways other tools may disturb where one is enough."""
    return (
        Contrast(
            f"Where {tool} is enough, other tools make training take 5 steps longer to {GOOD:g}",
            STEPS_TOLD,
            among_all,
            alone,
            5.0,
        ),
        Contrast(
            f"Where {tool} is enough, other tools cost right answers in the end",
            "accuracy",
            alone,
            among_all,
            0.03,
        ),
        Contrast(
            f"Where {tool} is enough, other tools are still called in the end",
            "calls in vain",
            among_all,
            None,
            0.1,
        ),
    )


STUDY = Study(
    name="tools",
    title="Do more tools help each other, or are they in each other's way?",
    claim="More tools compound: with all of them, tasks of several kinds are answered that fewer "
    "do not answer. And they disturb: where one tool is enough, others cost time in training, "
    "right answers, or calls in vain.",
    source="open question 3 of arXiv 2512.22315",
    refuted_by="compound: all tools that answer hardly more than two do; disturb: tasks of one "
    "kind that are learned as fast, as well, and without calls in vain, whatever else is offered",
    cannot_show="The model knew how to call each tool, and which one a question names: the cold "
    "start unlearns the choice on purpose, so that with more tools it begins with fewer right "
    "answers (see the arms before GRPO). Tools that come one by one begin with a new optimizer "
    "each time. Calls cost turns and nothing else.",
    arms=(*map(before, (ALL, *SINGLE_ARMS)), *TRAINED),
    measures={
        "accuracy": ACCURACY.of,
        **{
            f"accuracy where {tool} tells": in_family(ACCURACY.of, family)
            for tool, family in UNSAID.items()
        },
        "calls": calls,
        **{f"calls, {tool}": partial(calls, tool=tool) for tool in EVERY_TOOL},
        "calls in vain": calls_in_vain,
        "format": lambda record: record.reward_parts.format,
        STEPS_TOLD: STEPS,
    },
    contrasts=(
        *(
            Contrast(
                f"Mixed: all tools answer more than {_set_of(arm)}", "accuracy", ALL, arm, 0.15
            )
            for arm in MIXED_ARMS
            if arm != ALL
        ),
        Contrast(
            "Mixed: where a zoom tells, zoom alone answers more than all tools",
            f"accuracy where {ZOOM} tells",
            "mixed, zoom",
            ALL,
            0.05,
        ),
        Contrast(
            "Mixed: tools that come one by one are learned better than all at once",
            "accuracy",
            ONE_BY_ONE,
            ALL,
            0.03,
        ),
        *(
            contrast
            for tool in EVERY_TOOL
            for contrast in _disturbances(
                tool, single_arm(tool, has_all=False), single_arm(tool, has_all=True)
            )
        ),
    ),
    sizes={
        FULL: ToolsAmounts(TOOL_SCHOOL, 480, num_steps=60, num_tasks=240),
        QUICK: ToolsAmounts(QUICK_SCHOOL, 240, num_steps=6, num_tasks=60),
    },
    play=play,
    draw=draw,
)
