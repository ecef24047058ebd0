"""Do reflections help beyond video, where an agent only reads?

Nothing is shown, and the transcript of a tape is the only tool. The expert knows each tape and asks
for the right second at once; a student cannot know it, so its first question often misses, and the
voice tells where to ask next. What to do then is what reflections teach: an exemplar never misses.

A cold start on exemplars makes a student. It is trained once more, on exemplars and as many
further demonstrations in both arms: more exemplars, or the expert's corrections of the student's
failures. GRPO follows from both.
"""

from collections.abc import Callable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from matplotlib import rc_context
from matplotlib.figure import Figure

from agents.qwen.demonstrations import demonstrate, reflect
from agents.qwen.model.policy import QwenAgent
from agents.qwen.model.tiny import save_tiny
from agents.qwen.training.grpo import train_grpo
from agents.qwen.training.settings import GRPOSettings, SFTSettings
from agents.qwen.training.sft import train_sft
from agents.threads import use_threads
from benchmarks.evaluation.metrics import ACCURACY, num_calls
from benchmarks.figures import STYLE
from benchmarks.studies.drawing import draw_mean
from benchmarks.studies.learning import made_once, shared_folder
from benchmarks.studies.plan import FULL, QUICK, Cell, Contrast, Results, Study
from benchmarks.studies.tapes import FAMILY, NAMED, TapeTutor, tapes
from zoomgym import ZoomEnv
from zoomgym.records import Record
from zoomgym.rollout import run_episodes
from zoomgym.rules import TRANSCRIPT

EXEMPLARS, REFLECTIONS = "exemplars", "exemplars + reflections"
SOURCES = (EXEMPLARS, REFLECTIONS)
SFT, GRPO = "SFT", "GRPO"
STAGES = (SFT, GRPO)
ENV: Mapping[str, Any] = {
    "tasks": f"synthetic:{FAMILY}",
    "source": "scene",
    "duration_s": 30,
    "num_overview": 0,
    "tools": (TRANSCRIPT,),
    "max_turns": 4,
    "frame_size": (8, 8),
}
NUM_ENVS = 64
MAX_TOKENS = 48
"""Longest reply; the tutor's longest has about 40 tokens."""
TEMPERATURE = 0.7
"""Temperature of the student whose failures are corrected, and of GRPO."""
NUM_THREADS = 1
MOST_TRIED = 5
"""Tasks on which a student is tried, for each reflection that is wanted."""


@dataclass(frozen=True, slots=True)
class ReflectionAmounts:
    """Amounts of everything, of a size."""

    num_exemplars: int
    """Exemplars of the first cold start."""
    num_again: int
    """How many of these the second one takes again."""
    num_more: int
    """How many reflections, or further exemplars, it takes at most."""
    first_epochs: float
    second_epochs: float
    num_updates: int
    """Updates by GRPO."""
    num_tests: int
    """Held-out tasks of each arm and seed."""


def arm_of(source: str, stage: str) -> str:
    """Returns the name of an arm."""
    return f"{source}, {stage}"


ARMS = tuple(arm_of(source, stage) for stage in STAGES for source in SOURCES)


# Training -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Lessons:
    """Trains the models of a seed, each once, in folders that all arms share."""

    folder: Path
    """Folder of the cell."""
    cell: Cell
    amounts: ReflectionAmounts

    def model(self, source: str, stage: str) -> Path:
        """Returns the folder of the model of an arm."""
        name = f"{SOURCES.index(source)}-{stage}"
        if stage == GRPO:
            return self._once(name, partial(self._reinforce, self.model(source, SFT)))
        return self._once(name, partial(self._teach_more, source))

    def _once(self, name: str, make: Callable[[Path], object]) -> Path:
        return made_once(shared_folder(self.folder, self.cell, name), make, self.amounts)

    def _teach(self, folder: Path) -> None:
        """Makes the student: random weights, and a cold start on exemplars."""
        folder.mkdir()
        save_tiny(folder / "start", "mini", seed=self.cell.seed)
        exemplars = folder / "exemplars.jsonl"
        self._demonstrate(exemplars, 0, self.amounts.num_exemplars)
        epochs = self.amounts.first_epochs
        self._sft(folder / "start", exemplars, folder / "model", epochs, 3e-3)

    def _reflect(self, folder: Path) -> None:
        """Collects what the tutor makes of the student's failures."""
        num_more = self.amounts.num_more
        first = self.amounts.num_exemplars + num_more
        attempts = reflect(
            [ZoomEnv(**ENV) for _ in range(NUM_ENVS)],
            self._train_ids(first, MOST_TRIED * num_more),
            student=_agent(self._once("student", self._teach) / "model", TEMPERATURE),
            student_name="student",
            expert=TapeTutor(),
            expert_name="tutor",
            out=folder / "more.jsonl",
            seed=self.cell.seed,
        )
        kept = (one for one in attempts if not one.reason)
        for _ in islice(kept, num_more):
            pass

    def _teach_more(self, source: str, folder: Path) -> None:
        """Trains the student on some exemplars again, and on as many more of either kind."""
        folder.mkdir()
        student = self._once("student", self._teach)
        more = self._once("reflections", self._reflect) / "more.jsonl"
        if source == EXEMPLARS:
            num_more = len(_lines(more))  # a student that is seldom wrong leaves fewer reflections
            more = folder / "more.jsonl"
            self._demonstrate(more, self.amounts.num_exemplars, num_more)
        again = _lines(student / "exemplars.jsonl")[: self.amounts.num_again]
        mixed = folder / "mixed.jsonl"
        mixed.write_text("".join([*again, *_lines(more)]), "ascii")
        self._sft(student / "model", mixed, folder / "model", self.amounts.second_epochs, 2e-3)

    def _train_ids(self, first: int, count: int) -> list[str]:
        """Returns the ids of some of the tasks for demonstrations of the seed.

        Seeds five apart share them at full size; GRPO plays tasks of them all.
        """
        own = self.amounts.num_exemplars + (1 + MOST_TRIED) * self.amounts.num_more
        return _task_ids("train", self.cell.seed * own + first, count)

    def _demonstrate(self, out: Path, first: int, count: int) -> None:
        """Collects exemplars on tasks for training."""
        attempts = demonstrate(
            [ZoomEnv(**ENV)],
            self._train_ids(first, count),
            expert=TapeTutor(),
            expert_name="tutor",
            out=out,
        )
        if rejected := [one for one in attempts if one.reason]:
            raise ValueError(f"{out}: needed an expert that is never wrong, got {rejected[0]}")

    def _sft(self, start: Path, file: Path, out: Path, epochs: float, rate: float) -> None:
        """Trains on demonstrations."""
        settings = SFTSettings(
            model=str(start),
            demonstrations=(file,),
            out=out,
            num_epochs=epochs,
            batch_size=16,
            micro_batch=16,
            learning_rate=rate,
            freeze_vision=False,
            num_threads=NUM_THREADS,
            seed=self.cell.seed,
        )
        train_sft(settings)

    def _reinforce(self, start: Path, folder: Path) -> None:
        """Trains by reward."""
        settings = GRPOSettings(
            model=str(start / "model"),
            out=folder / "model",
            env=ENV,
            steps=self.amounts.num_updates,
            learning_rate=2e-4,
            warmup_steps=5,
            temperature=TEMPERATURE,
            group_size=8,
            tasks_per_generation=8,
            tasks_per_update=8,
            micro_batch=16,
            rows=64,
            max_tokens=MAX_TOKENS,
            max_redraws=3,
            kl=0.0,
            entropy=0.0,
            num_threads=NUM_THREADS,
            seed=self.cell.seed,
        )
        train_grpo(settings)


def play(
    cell: Cell, amounts: ReflectionAmounts, folder: Path, played: AbstractSet[str]
) -> Iterator[Record]:
    """Yields the episodes of a trained model, which replies greedily."""
    source, stage = cell.arm.split(", ")
    use_threads(NUM_THREADS)
    with tapes():
        model = Lessons(folder, cell, amounts).model(source, stage) / "model"
        ids = _task_ids("test", cell.seed * amounts.num_tests, amounts.num_tests)
        task_ids = [one for one in ids if one not in played]
        envs = [ZoomEnv(split="test", **ENV) for _ in range(NUM_ENVS)]
        agent = _agent(model, 0.0)
        yield from run_episodes(envs, agent, agent_name=cell.arm, task_ids=task_ids, seed=cell.seed)


def _task_ids(split: str, first: int, count: int) -> list[str]:
    """Returns the ids of some tasks of a split; after its last comes its first."""
    tasks = ZoomEnv(split=split, **ENV).tasks
    return [tasks[(first + k) % len(tasks)].id for k in range(count)]


def _lines(path: Path) -> list[str]:
    """Returns the lines of a file of demonstrations."""
    return path.read_text("ascii").splitlines(keepends=True)


def _agent(folder: Path, temperature: float) -> QwenAgent:
    """Returns a trained model as an agent."""
    return QwenAgent(str(folder), temperature=temperature, max_tokens=MAX_TOKENS)


# Measures -----------------------------------------------------------------------------------------


def _calls(record: Record) -> float:
    return float(num_calls(record))


def _finds_at_once(record: Record) -> float:
    """Returns whether the first reply's call was told the symbol."""
    return float(NAMED in record.turns[0].told)


def _asked_s(record: Record) -> float | None:
    """Returns the seconds of the longest stretch that was asked for; None without a call."""
    calls = [turn.transcript for turn in record.turns if turn.transcript]
    return max((one.end_s - one.start_s for one in calls), default=None)


MEASURES = {
    "accuracy": ACCURACY.of,
    "calls": _calls,
    "exactly one call": lambda record: float(num_calls(record) == 1),
    "found at once": _finds_at_once,
    "format": lambda record: record.reward_parts.format,
    "longest stretch, s": _asked_s,
}


# The picture --------------------------------------------------------------------------------------


def draw(results: Results) -> Figure:
    """Returns accuracy and calls by arm: means with intervals, and a dot for each seed."""
    with rc_context(STYLE):
        figure = Figure(figsize=(9, 3.4), layout="constrained")
        left, right = figure.subplots(1, 2)
        for axes, name in ((left, "accuracy"), (right, "calls")):
            for number, source in enumerate(SOURCES):
                for place, stage in enumerate(STAGES):
                    own = results.by_seed(arm_of(source, stage), MEASURES[name])
                    label = "" if place or axes is right else source
                    draw_mean(axes, place + 0.3 * number, own, number, label)
            axes.set_title(name)
            axes.set_xticks([0.15, 1.15], [f"after {stage}" for stage in STAGES])
            axes.set_ylim(bottom=0)
        left.set_ylim(0, 1.02)
        figure.legend(loc="outside lower center", ncols=len(SOURCES))
    return figure


def _between_sources(says: str, measure: str, stage: str, more_than: float) -> Contrast:
    return Contrast(says, measure, arm_of(REFLECTIONS, stage), arm_of(EXEMPLARS, stage), more_than)


def _between_stages(says: str, measure: str, source: str) -> Contrast:
    return Contrast(says, measure, arm_of(source, GRPO), arm_of(source, SFT))


STUDY = Study(
    name="reflection_elsewhere",
    title="Do reflections help where an agent only reads?",
    claim="An expert's corrections of a student's failures give more calls and a higher accuracy "
    "than as many more exemplars; without them, calls settle near one an episode.",
    source="cold start with exemplars and reflections of arXiv 2512.22315, and its next check: "
    "whether reflections help beyond video",
    refuted_by="accuracy that reflections do not raise, after SFT or after GRPO; or, without them, "
    "episodes of several calls",
    cannot_show="The expert knows what a student cannot know, so exemplars have one call each, and "
    "only reflections show a second. Experts that search themselves show it in exemplars, too. A "
    "7B that has learned to search elsewhere may not need to be shown.",
    arms=ARMS,
    measures=MEASURES,
    contrasts=(
        _between_sources("After SFT, reflections give a higher accuracy", "accuracy", SFT, 0.05),
        _between_sources("After SFT, reflections give more calls", "calls", SFT, 0.1),
        _between_sources("After GRPO, reflections give a higher accuracy", "accuracy", GRPO, 0.05),
        _between_sources("After GRPO, reflections give more calls", "calls", GRPO, 0.1),
        Contrast(
            "Without reflections, GRPO ends with exactly one call in more than 0.9 of episodes",
            "exactly one call",
            arm_of(EXEMPLARS, GRPO),
            more_than=0.9,
        ),
        _between_stages("Without reflections, GRPO raises accuracy", "accuracy", EXEMPLARS),
        _between_stages("With reflections, GRPO raises accuracy", "accuracy", REFLECTIONS),
        _between_stages("Without reflections, GRPO raises calls", "calls", EXEMPLARS),
        _between_stages("With reflections, GRPO raises calls", "calls", REFLECTIONS),
    ),
    sizes={
        FULL: ReflectionAmounts(
            num_exemplars=800,
            num_again=400,
            num_more=200,
            first_epochs=8,
            second_epochs=4,
            num_updates=40,
            num_tests=200,
        ),
        QUICK: ReflectionAmounts(
            num_exemplars=200,
            num_again=50,
            num_more=20,
            first_epochs=4,
            second_epochs=1,
            num_updates=2,
            num_tests=24,
        ),
    },
    play=play,
    draw=draw,
)
