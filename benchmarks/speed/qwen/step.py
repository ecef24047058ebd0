"""Measures one step of GRPO: seconds and memory by phase, with KV reuse and by TRL."""

import resource
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from transformers import ProgressCallback, TrainerCallback
from transformers.trainer_utils import SaveStrategy
from trl import GRPOTrainer

from agents.qwen.model.loading import load_model, load_processor
from agents.qwen.model.tiny import save_tiny
from agents.qwen.training.grpo import make_trainer, trl_config
from agents.qwen.training.settings import GRPOSettings
from benchmarks.speed.decoding.measure import fresh
from benchmarks.speed.qwen.episodes import OURS, STOCK, Load, make_env, title_of, weights_go
from benchmarks.speed.qwen.stock import StockTrainer, ending_ids
from benchmarks.speed.stopwatch import Stopwatch
from benchmarks.speed.tables import number_table

PHASES = ("generation", "reference", "scoring", "learning")
"""Playing; log-probs of the reference model; rewards, and pictures made ready once more; forward
and backward passes with the update of the weights."""
STEPS = 2
"""Only the last is measured: the first sets things up."""


@dataclass(frozen=True, slots=True)
class Step:
    """How a step is taken."""

    load: Load
    micro_batch: int = 1
    gradient_checkpointing: bool = False


def measure_step(step: Step, say: Callable[[str], None] = print) -> dict[str, Any]:
    """Takes a step on each side, each in its own process, and returns all numbers."""
    rows: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "model"
        fresh(_save_model, model, step.load)
        say(f"{step.load.name}: a model of random weights is made")
        for side in (OURS, STOCK):
            rows[side] = fresh(take_step, step, side, model, Path(folder) / side)
            say(f"{step.load.name}: {side} {sum(rows[side]['seconds'].values()):.2f} s")
    _, dtype = weights_go()
    return {"step": {**asdict(step), "load": step.load.row(dtype)}, "sides": rows}


def take_step(step: Step, side: str, model: Path, out: Path) -> dict[str, Any]:
    """Takes a step of one side, with a model in a folder, and returns its numbers."""
    load = step.load
    settings = GRPOSettings(
        model=str(model),
        out=out,
        steps=STEPS,
        group_size=load.group_size,
        tasks_per_generation=1,
        tasks_per_update=1,
        micro_batch=step.micro_batch,
        rows=load.group_size,
        max_tokens=load.num_tokens,
        max_redraws=0,
        gradient_checkpointing=step.gradient_checkpointing,
        attention=load.attention,
        dtype="auto",  # as they were saved
        keep_records=False,
    )
    trainer = (_our_trainer if side == OURS else _stock_trainer)(settings, load)
    trainer.args.save_strategy = SaveStrategy.NO
    trainer.pop_callback(ProgressCallback)
    stopwatch = Stopwatch()
    last = _watch(trainer, stopwatch)
    trainer.train()
    return {
        **last,
        "tokens_per_s": load.num_sampled / last["seconds"]["generation"],
        "peak_resident_bytes": _peak_resident_bytes(),
    }


def print_step(console: Console, measured: Mapping[str, Any]) -> None:
    """Prints the phases of both sides."""
    step, sides = measured["step"], measured["sides"]
    title = f"{title_of(step['load'])}, micro-batches of {step['micro_batch']}"
    table = number_table(title, ("",), [name for side in sides for name in (f"{side}, s", "GB")])
    for phase in PHASES:
        cells = [(row["seconds"][phase], row["peak_bytes"].get(phase)) for row in sides.values()]
        table.add_row(phase, *(text for cell in cells for text in _texts(*cell)))
    totals = [(sum(row["seconds"].values()), _peak_bytes(row)) for row in sides.values()]
    table.add_row("step", *(text for cell in totals for text in _texts(*cell)))
    console.print(table)
    for side, row in sides.items():
        console.print(f"{side}: {row['tokens_per_s']:.1f} tokens sampled a second")
    ours, stock = (sides[side]["seconds"] for side in (OURS, STOCK))
    console.print(
        f"{STOCK} / {OURS}: {stock['generation'] / ours['generation']:.2f} in generation, "
        f"{sum(stock.values()) / sum(ours.values()):.2f} in a step"
    )


def _texts(seconds: float, num_bytes: int | None) -> tuple[str, str]:
    return f"{seconds:.2f}", "" if num_bytes is None else f"{num_bytes / 1e9:.2f}"


def _peak_bytes(row: Mapping[str, Any]) -> int:
    """Returns the peak memory of a step: a GPU's, or else resident memory."""
    return int(max(row["peak_bytes"].values(), default=row["peak_resident_bytes"]))


def _save_model(folder: Path, load: Load) -> None:
    device, dtype = weights_go()
    with torch.device(device):
        save_tiny(folder, load.size, tokens_per_frame=load.tokens_per_frame, dtype=dtype)


def _our_trainer(settings: GRPOSettings, load: Load) -> GRPOTrainer:
    trainer = make_trainer(settings, partial(make_env, load.course))
    trainer._player.banned_ids = ending_ids(trainer.processing_class)
    return trainer


def _stock_trainer(settings: GRPOSettings, load: Load) -> GRPOTrainer:
    args = trl_config(settings)
    kernel = {"dtype": settings.dtype, "attention": settings.attention}
    model = load_model(settings.model, **kernel, device=args.device)
    processor = load_processor(settings.model)
    return StockTrainer(model, processor, args, load.course, load.num_tokens)


def _watch(trainer: GRPOTrainer, stopwatch: Stopwatch) -> dict[str, Any]:
    """Returns a dict that holds the numbers of the last step after training."""
    for name, phase in (("_prepare_inputs", "scoring"), ("_generate", "generation")):
        setattr(trainer, name, stopwatch.timed(getattr(trainer, name), phase))
    measure = trainer._get_per_token_logps_and_entropies
    without_gradient = stopwatch.timed(measure, "reference")

    def measure_timed(*args: Any, **given: Any) -> Any:
        return (measure if torch.is_grad_enabled() else without_gradient)(*args, **given)

    trainer._get_per_token_logps_and_entropies = measure_timed
    last = _LastStep(stopwatch)
    trainer.add_callback(last)
    return last.numbers


class _LastStep(TrainerCallback):
    """Keeps the numbers of the last step."""

    def __init__(self, stopwatch: Stopwatch) -> None:
        self._stopwatch = stopwatch
        self.numbers: dict[str, Any] = {}

    def on_step_begin(self, *_: Any, **__: Any) -> None:
        """Forgets the step before."""
        self._stopwatch.clear()
        self._stopwatch.begin("learning")

    def on_step_end(self, *_: Any, **__: Any) -> None:
        """Keeps what was counted."""
        self._stopwatch.end()
        counted: dict[str, Mapping[str, float]] = {
            "seconds": self._stopwatch.seconds,
            "cpu_seconds": self._stopwatch.cpu_seconds,
            "peak_bytes": self._stopwatch.peak_bytes,
        }
        self.numbers |= {
            name: {phase: counter[phase] for phase in PHASES if phase in counter}
            for name, counter in counted.items()
        }


def _peak_resident_bytes() -> int:
    """Returns the peak resident memory of this process."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak  # bytes there, else KiB
