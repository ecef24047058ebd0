"""The whole recipe on a laptop: a Qwen2.5-VL from random weights learns where to look.

    python -m examples.train_tiny_qwen --out runs/tiny

Demonstrations of a tutor, a cold start on them, the model's own failures and how the tutor corrects
them, a second cold start, and GRPO. Every stage then plays the same held-out tasks twice: greedily,
as it is used, and with sampled replies, as GRPO trains it. What is done already
is not done again: run it again to resume.

A model from random weights has to learn to see and to read first, which a released one can. So the
task is small (`flash` in videos of a minute, 16 frames of one token each), and before the cold
start comes a longer one with overviews of four frames.
"""

import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any

from matplotlib import pyplot
from rich.console import Console
from rich.progress import track
from rich.table import Table

from agents.arguments import add_fields, fields_given, first_paragraph
from agents.qwen.demonstrations import demonstrate, reflect
from agents.qwen.model.policy import QwenAgent
from agents.qwen.model.tiny import save_tiny
from agents.qwen.training.grpo import train_grpo
from agents.qwen.training.settings import GRPOSettings, SFTSettings
from agents.qwen.training.sft import train_sft
from agents.synthetic.baselines import BlindAgent
from agents.synthetic.tutor import TutorAgent
from benchmarks.evaluation.statistics import bootstrap, rate
from benchmarks.page.write import write_report
from zoomgym.agent import Agent
from zoomgym.envs import ZoomEnv
from zoomgym.io.commands import Parser, ends_quietly, whole_number
from zoomgym.records import Record, append_record, drop_cut_line, read_records
from zoomgym.rollout import run_episodes

ENV: Mapping[str, Any] = {
    "tasks": "synthetic:flash",
    "source": "scene",
    "grammar": "video_zoom",
    "difficulty": "medium",
    "duration_s": 721 / 12,  # so that frames of the overview are four seconds apart
    "num_overview": 16,
    "max_turns": 3,
    "max_pixels": 28 * 28,
    "frame_size": (8, 8),
}
SHORT = {**ENV, "num_overview": 4, "frames_per_zoom": 4}
"""Environment in which a model learns to see and to read: few frames to tell apart."""
NUM_ENVS = 64
MAX_TOKENS = 80
"""Longest reply; the tutor's longest has about 60 tokens."""
STAGES = ("blind", "sft", "reflection", "grpo")
COLD_STARTS = ("short", "sft", "reflection")
TEMPERATURE = 0.7
"""Temperature of replies in GRPO. At 1, so small a model slips in too many of them."""
MANNERS = {"greedy": 0.0, "sampled": TEMPERATURE}
"""Manners of playing held-out tasks, and their temperatures."""
RESULTS, SECONDS, CURVES = "results.json", "seconds.json", "curves.svg"

Played = dict[str, list[Record]]
"""The episodes of each stage."""


@dataclass(frozen=True, slots=True)
class Amounts:
    """Amounts of everything: demonstrations, epochs, steps and tests."""

    num_short: int = 1000
    """Demonstrations with short overviews."""
    num_exemplars: int = 150
    """Demonstrations with whole overviews."""
    num_tries: int = 500
    """Tasks on which the student is tried, for its failures."""
    short_epochs: float = 12
    """Most epochs of the first stage: a cold start ends when its validation loss stops falling."""
    sft_epochs: float = 30
    """Most epochs of the cold start."""
    reflection_epochs: float = 12
    """Most epochs of the second cold start."""
    grpo_steps: int = 60
    """Updates by GRPO."""
    num_tests: int = 400
    """Held-out tasks on which each stage is played."""


class Recipe:
    """One seed of the recipe, in a folder of its own.

    Args:
        folder: to write.
        seed: of the weights, the data order and the sampling.
        plan: how much of everything.
        console: to print on.
    """

    def __init__(self, folder: Path, seed: int, plan: Amounts, console: Console) -> None:
        self.folder, self.seed, self.plan, self.console = folder, seed, plan, console
        folder.mkdir(parents=True, exist_ok=True)

    # the recipe ----------------------------------------------------------------------------------

    def train(self) -> None:
        """Runs every stage that has not run."""
        plan, path = self.plan, self.folder
        num_shown = max(plan.num_short, plan.num_exemplars)
        train_ids = _task_ids("train", num_shown + plan.num_tries)
        with self._stage("weights"):
            if not (path / "start" / "model.safetensors").exists():
                save_tiny(path / "start", "mini", seed=self.seed)
        with self._stage("exemplars"):
            self._demonstrate(SHORT, train_ids[: plan.num_short], "short.jsonl")
            self._demonstrate(ENV, train_ids[: plan.num_exemplars], "exemplars.jsonl")
        with self._stage("short overviews"):
            self._sft("start", "short.jsonl", "short", plan.short_epochs)
        with self._stage("cold start"):
            self._sft("short", "exemplars.jsonl", "sft", plan.sft_epochs)
        with self._stage("reflections"):
            self._reflect("sft", train_ids[num_shown:])
        with self._stage("second cold start"):
            self._mix("exemplars.jsonl", "reflections.jsonl", "mixed.jsonl")
            self._sft("sft", "mixed.jsonl", "reflection", plan.reflection_epochs)
        with self._stage("GRPO"):
            if not (path / "grpo" / "model.safetensors").exists():
                train_grpo(self._grpo("reflection", "grpo"), resume=_has_checkpoint(path / "grpo"))

    def _demonstrate(self, env: Mapping[str, Any], task_ids: Sequence[str], name: str) -> None:
        """Collects demonstrations of the tutor."""
        attempts = demonstrate(
            [ZoomEnv(**env)],
            task_ids,
            expert=TutorAgent(in_words=True),
            expert_name="tutor",
            out=self.folder / name,
        )
        self._count(attempts, len(task_ids), name)

    def _reflect(self, student: str, task_ids: Sequence[str]) -> None:
        """Collects what the tutor makes of a student's failures."""
        attempts = reflect(
            [ZoomEnv(**ENV) for _ in range(NUM_ENVS)],
            task_ids,
            student=_student(self.folder / student, 1.0),
            student_name=student,
            expert=TutorAgent(in_words=True),
            expert_name="tutor",
            out=self.folder / "reflections.jsonl",
            seed=self.seed,
        )
        self._count(attempts, len(task_ids), "reflections.jsonl")

    def _mix(self, *names: str) -> None:
        """Writes demonstrations of several files into the last one, as one stage learns them."""
        *sources, out = (self.folder / name for name in names)
        out.write_text("".join(path.read_text(encoding="ascii") for path in sources), "ascii")

    def _sft(self, start: str, name: str, out: str, epochs: float) -> None:
        """Trains on demonstrations until they teach no more."""
        settings = SFTSettings(
            model=str(self.folder / start),
            demonstrations=(self.folder / name,),
            out=self.folder / out,
            num_epochs=epochs,
            batch_size=16,
            micro_batch=16,
            learning_rate=1e-3 if start == "sft" else 3e-3,
            freeze_vision=False,
            validation_share=0.2,
            patience=3,
            save_steps=50 if start == "start" else 25,
            seed=self.seed,
        )
        train_sft(settings, resume=(self.folder / out / "settings.json").exists())

    def _grpo(self, start: str, out: str) -> GRPOSettings:
        """Returns how the policy is trained."""
        return GRPOSettings(
            model=str(self.folder / start),
            out=self.folder / out,
            env=ENV,
            steps=self.plan.grpo_steps,
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
            num_tasks=2000,
            save_steps=50,
            seed=self.seed,
        )

    def _count(self, attempts: Any, total: int, name: str) -> None:
        """Shows progress, and says how many demonstrations were kept."""
        done = list(track(attempts, name, total, console=self.console, transient=True))
        kept = sum(not attempt.reason for attempt in done)
        self.console.print(f"  {name}: {kept} of {total} kept")

    @contextmanager
    def _stage(self, name: str) -> Iterator[None]:
        """Prints a stage, and keeps how long it took, over all times it was resumed."""
        path = self.folder / SECONDS
        seconds = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        self.console.print(f"[bold]{name}[/]")
        started_s = time.perf_counter()
        try:
            yield
        finally:
            taken_s = time.perf_counter() - started_s
            seconds[name] = round(seconds.get(name, 0.0) + taken_s, 1)
            path.write_text(json.dumps(seconds), encoding="utf-8")
            self.console.print(f"  {taken_s:.0f} s")

    # the comparison ------------------------------------------------------------------------------

    def compare(self, manner: str) -> Played:
        """Returns every agent's episodes on the held-out tasks, in their order."""
        path = self.folder / f"{manner}.jsonl"
        task_ids = _task_ids("test", self.plan.num_tests)
        done = {(one.agent, one.task.id): one for one in _read(path)}
        with self._stage(f"held-out tasks, {manner}"):
            for stage in STAGES:
                open_ids = [task_id for task_id in task_ids if (stage, task_id) not in done]
                records = self._play(stage, MANNERS[manner], open_ids)
                for record in track(records, stage, len(open_ids), console=self.console):
                    append_record(path, record)
                    done[stage, record.task.id] = record
        return {stage: [done[stage, task_id] for task_id in task_ids] for stage in STAGES}

    def _play(self, stage: str, temperature: float, task_ids: Sequence[str]) -> Iterator[Record]:
        """Plays the model of a stage."""
        student = partial(_student, self.folder / stage, temperature)
        agent: Agent = BlindAgent() if stage == "blind" else student()
        envs = [ZoomEnv(split="test", **ENV) for _ in range(NUM_ENVS)]
        return run_episodes(envs, agent, agent_name=stage, task_ids=task_ids, seed=self.seed)


def _has_checkpoint(folder: Path) -> bool:
    """Returns whether a run can be resumed."""
    return any(folder.glob("checkpoint-*"))


def _student(folder: Path, temperature: float) -> QwenAgent:
    """Returns a trained model as an agent."""
    return QwenAgent(str(folder), temperature=temperature, max_tokens=MAX_TOKENS)


def _task_ids(split: str, count: int) -> list[str]:
    """Returns the first tasks of a split."""
    tasks = ZoomEnv(split=split, **ENV).tasks
    return [tasks[index].id for index in range(count)]


def _read(path: Path) -> list[Record]:
    """Returns the whole records of a file, if it is there."""
    if not path.exists():
        return []
    drop_cut_line(path)
    return list(read_records(path))


# reports -----------------------------------------------------------------------------------------


def summarize(played: Played) -> dict[str, Any]:
    """Returns the accuracy of each stage, and what each gains on the one before, with intervals.

    Episodes of one task, which several seeds have played, are not taken for independent: a gain is
    of tasks, each over its seeds. So intervals are about other tasks, not about other seeds.
    """
    rows = {}
    for before, stage in zip([None, *STAGES], STAGES, strict=False):
        records = played[stage]
        task_ids = [one.task.id for one in records]
        rows[stage] = {
            "accuracy": asdict(rate([one.reward_parts.accuracy for one in records], task_ids)),
            "zoomed": _mean(one.reward_parts.zoom_cost > 0 for one in records),
            "zooms": _mean(one.reward_parts.zoom_cost for one in records),
            "format": _mean(one.reward_parts.format for one in records),
            "frames": _mean(one.frames_used for one in records),
            "reward": _mean(one.reward for one in records),
        }
        if before is not None:
            gains: dict[str, list[float]] = {}
            for old, new in zip(played[before], records, strict=True):
                gain = new.reward_parts.accuracy - old.reward_parts.accuracy
                gains.setdefault(new.task.id, []).append(gain)
            rows[stage]["gain"] = asdict(bootstrap([fmean(own) for own in gains.values()]))
    return rows


def _pool(runs: Sequence[Played]) -> Played:
    """Returns the episodes of several runs as those of one."""
    return {stage: [record for run in runs for record in run[stage]] for stage in STAGES}


def show(console: Console, title: str, rows: Mapping[str, Any]) -> None:
    """Prints the stages as a table."""
    table = Table("stage", title=title)
    for name in ("accuracy", "gain on the stage before", "zooms", "format"):
        table.add_column(name, justify="right", no_wrap=name != "gain on the stage before")
    for stage, row in rows.items():
        gain = _interval(row["gain"], "+.3f") if "gain" in row else ""
        shares = (f"{row[name]:.2f}" for name in ("zooms", "format"))
        table.add_row(stage, _interval(row["accuracy"], ".3f"), gain, *shares)
    console.print(table)


def draw_curves(path: Path, folders: Sequence[Path]) -> None:
    """Draws how the losses of cold starts fell and how GRPO went: a thin line for each run."""
    figure, (losses, rewards) = pyplot.subplots(1, 2, figsize=(10, 4), layout="constrained")
    for index, folder in enumerate(folders):
        for color, name in enumerate(COLD_STARTS):
            curve = zip(*_validation_losses(folder / name), strict=True)
            losses.plot(*curve, color=f"C{color}", lw=1, marker=".", label="" if index else name)
        lines = (folder / "grpo" / "history.jsonl").read_text(encoding="ascii").splitlines()
        steps = [one for one in map(json.loads, lines) if "zoom/reward" in one]
        for color, name in enumerate(("reward", "zooms", "flat_groups", "refused")):
            values = _smooth([one[f"zoom/{name}"] for one in steps])
            points = [one["step"] for one in steps], values
            rewards.plot(*points, color=f"C{color}", lw=1, label="" if index else name)
    losses.set(xlabel="step", ylabel="validation loss", yscale="log", title="cold starts")
    rewards.set(xlabel="step", title="GRPO, means of 9 steps")
    for axes in (losses, rewards):
        axes.legend(frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.18), ncols=4)
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)


def _validation_losses(folder: Path) -> list[tuple[int, float]]:
    """Returns the steps and losses of a cold start's validations."""
    state = json.loads((folder / "trainer_state.json").read_text(encoding="utf-8"))
    log = [one for one in state["log_history"] if "eval_loss" in one]
    return [(one["step"], round(one["eval_loss"], 4)) for one in log]


def _smooth(values: Sequence[float], width: int = 9) -> list[float]:
    """Returns running means."""
    return [_mean(values[max(0, i - width // 2) : i + width // 2 + 1]) for i in range(len(values))]


def _mean(values: Iterable[float]) -> float:
    """Returns the mean to four digits."""
    return round(fmean(values), 4)


def _interval(estimate: Mapping[str, float], form: str) -> str:
    """Returns a mean with its interval as text."""
    return f"{estimate['mean']:{form}} ({estimate['low']:{form}}..{estimate['high']:{form}})"


@ends_quietly
def main(argv: Sequence[str] | None = None) -> int:
    """Command line."""
    parser = Parser(
        prog="python -m examples.train_tiny_qwen",
        description=first_paragraph(__doc__),
        epilog="Stages that are done are not done again: run it once more to resume.",
    )
    parser.add_argument(
        "--out", type=Path, default=Path("runs/tiny"), help="folder to write; default: runs/tiny"
    )
    parser.add_argument(
        "--seeds", type=whole_number(0), nargs="+", default=[0], help="a run of each; default: 0"
    )
    add_fields(parser, Amounts)
    args = parser.parse_args(argv)
    plan = Amounts(**fields_given(args, Amounts))
    console = Console()
    played: dict[str, list[Played]] = {manner: [] for manner in MANNERS}
    results: dict[str, Any] = {"plan": asdict(plan), "env": ENV, "seeds": {}}
    for seed in args.seeds:
        run = Recipe(args.out / f"seed{seed}", seed, plan, console)
        run.train()
        results["seeds"][seed] = {}
        for manner, runs in played.items():
            runs.append(run.compare(manner))
            rows = summarize(runs[-1])
            show(console, f"seed {seed}, {manner}: {plan.num_tests} held-out tasks", rows)
            results["seeds"][seed][manner] = rows
        seconds = json.loads((run.folder / SECONDS).read_text(encoding="utf-8"))
        results["seeds"][seed]["seconds"] = seconds
        results["seeds"][seed]["validation"] = {
            name: _validation_losses(run.folder / name) for name in COLD_STARTS
        }
    if len(args.seeds) > 1:
        seeds = ", ".join(map(str, args.seeds))
        results["all"] = {manner: summarize(_pool(runs)) for manner, runs in played.items()}
        for manner, rows in results["all"].items():
            show(console, f"seeds {seeds} together, {manner}", rows)
    draw_curves(args.out / CURVES, [args.out / f"seed{seed}" for seed in args.seeds])
    (args.out / RESULTS).write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    records = [record for own in _pool(played["greedy"]).values() for record in own]
    write_report(args.out / "report.html", "train_tiny_qwen", records, cache_dir=None)
    console.print(f"numbers -> {args.out / RESULTS}; page -> {args.out / 'report.html'}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
