"""Measures learning from a group of episodes: its prompt once, and again with each episode."""

import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from agents.qwen.model.tiny import save_tiny
from agents.qwen.training.grpo import make_trainer
from agents.qwen.training.settings import GRPOSettings
from benchmarks.speed.qwen.episodes import TASK_ID, Load, make_env, title_of, weights_go
from benchmarks.speed.qwen.stock import ending_ids

SHARED, PLAIN = "shared prompt", "plain rows"
"""The sides."""


def measure_learning(
    load: Load, repeats: int, say: Callable[[str], None] = print
) -> dict[str, Any]:
    """Plays a group once, learns from it by turns on both sides, and returns all numbers."""
    _, dtype = weights_go()
    with tempfile.TemporaryDirectory() as folder:
        trainer = _trainer(load, Path(folder), dtype)
        [batch] = _batches(trainer, load.group_size)
        sides: dict[str, list[dict[str, float]]] = {SHARED: [], PLAIN: []}
        for number in range(repeats + 1):  # the first ones warm up
            for side, runs in sides.items():
                run = _learn(trainer, batch, is_shared=side == SHARED)
                say(f"{load.name}: {side} {run['cpu_s']:.2f} s of processor time")
                if number:
                    runs.append(run)
    medians = {
        side: {name: statistics.median(run[name] for run in runs) for name in runs[0]}
        for side, runs in sides.items()
    }
    shared, plain = medians[SHARED], medians[PLAIN]
    ratios = {
        "cpu_s": plain["cpu_s"] / shared["cpu_s"],
        "tokens": shared["tokens"] / plain["tokens"],
        "apart": abs(shared["norm"] - plain["norm"]) / plain["norm"],
    }
    return {"load": load.row(dtype), "runs": sides, "medians": medians, "ratios": ratios}


def print_learning(console: Console, measured: Mapping[str, Any]) -> None:
    """Prints the medians of both sides, and their ratios."""
    table = Table(title=f"{title_of(measured['load'])} (medians)", title_justify="left")
    for name in ("", "processor s", "tokens", "norm of the gradient"):
        table.add_column(name, justify="right" if name else "left")
    for side, row in measured["medians"].items():
        numbers = f"{row['cpu_s']:.2f}", f"{row['tokens']:,.0f}", f"{row['norm']:.6g}"
        table.add_row(side, *numbers)
    console.print(table)
    ratios = measured["ratios"]
    console.print(
        f"{PLAIN} / {SHARED}: {ratios['cpu_s']:.2f} in processor time; tokens learned: "
        f"{ratios['tokens']:.2f} of {PLAIN}; norms of the gradient differ by {ratios['apart']:.1g}"
    )


def _trainer(load: Load, folder: Path, dtype: torch.dtype) -> Any:
    """Returns a trainer of a new model, ready to learn from one group."""
    save_tiny(folder / "model", load.size, tokens_per_frame=load.tokens_per_frame, dtype=dtype)
    settings = GRPOSettings(
        model=str(folder / "model"),
        out=folder,
        steps=1,
        group_size=load.group_size,
        tasks_per_generation=1,
        tasks_per_update=1,
        micro_batch=load.group_size,
        rows=load.group_size,
        max_tokens=load.num_tokens,
        max_redraws=0,
        kl=0.0,
        attention=load.attention,
        dtype="auto",  # as they were saved
        keep_records=False,
    )
    trainer = make_trainer(settings, partial(make_env, load.course))
    trainer._player.banned_ids = ending_ids(trainer.processing_class)
    trainer.model.train()
    trainer.current_gradient_accumulation_steps = 1
    return trainer


def _batches(trainer: Any, group_size: int) -> list[Any]:
    """Returns the micro-batches of a generation."""
    row = {"prompt": [{"role": "user", "content": TASK_ID}]}
    trainer._prepare_inputs([dict(row) for _ in range(group_size)])
    batches: list[Any] = trainer._buffered_inputs
    return batches


def _learn(trainer: Any, batch: dict[str, Any], *, is_shared: bool) -> dict[str, float]:
    """Makes the gradients of a micro-batch, and returns what that took."""
    trainer._settings = replace(trainer._settings, share_prompt=is_shared)
    trainer.model.zero_grad()
    tokens = 0

    def count(_: Any, __: Any, given: dict[str, Any]) -> None:
        nonlocal tokens
        tokens += given["inputs_embeds"].shape[:2].numel()

    hook = trainer.model.model.language_model.register_forward_pre_hook(count, with_kwargs=True)
    started_s, started_cpu_s = time.perf_counter(), time.process_time()
    trainer._compute_loss(trainer.model, batch).backward()
    cpu_s, seconds = time.process_time() - started_cpu_s, time.perf_counter() - started_s
    hook.remove()
    squares = [
        one.grad.square().sum() for one in trainer.model.parameters() if one.grad is not None
    ]
    norm = float(torch.stack(squares).sum().sqrt())
    return {"cpu_s": cpu_s, "seconds": seconds, "tokens": tokens, "norm": norm}
