"""Measures how long a group of episodes takes: ours, and by TRL's own generation."""

import statistics
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from rich.console import Console

from agents.qwen.model.decoding import Continuation
from agents.qwen.model.tiny import SIZES, make_model, make_processor
from agents.qwen.training.grpo import trl_config
from agents.qwen.training.rollouts import Player
from agents.qwen.training.settings import GRPOSettings
from benchmarks.speed.qwen.episodes import (
    OURS,
    STOCK,
    TASK_ID,
    Course,
    Load,
    make_env,
    title_of,
    weights_go,
)
from benchmarks.speed.qwen.stock import StockTrainer, ending_ids
from benchmarks.speed.stopwatch import Stopwatch
from benchmarks.speed.tables import number_table

PHASES = ("vision", "prefill", "decode", "other")
"""The vision encoder; the language model while it reads, and while it speaks; and the rest: frames
are made, processed and decoded to patches, text is encoded, memory put together, ids sampled."""

SAID = -1
Read = tuple[tuple[int, ...], ...]
"""Token ids of each rollout, with SAID in place of those that the model sampled."""


def measure_generation(
    load: Load, repeats: int, say: Callable[[str], None] = print
) -> dict[str, Any]:
    """Plays a group on both sides in turn, with one model in one process; returns all numbers.

    Raises ValueError if the two sides did not read the same.
    """
    device, dtype = weights_go()
    processor = make_processor(load.tokens_per_frame)
    with torch.device(device):
        model = make_model(SIZES[load.size], processor, 0, dtype)
    model.set_attn_implementation(load.attention)
    with tempfile.TemporaryDirectory() as folder:
        small = Course(load.course.frame, num_overview=2, num_zooms=1, frames_per_zoom=1)
        for some, number in ((replace(load, course=small, num_tokens=2), 1), (load, repeats)):
            sides = {
                OURS: _our_player(model, processor, some),
                STOCK: _stock_player(model, processor, some, Path(folder)),
            }
            reads = set[Read]()
            runs: list[dict[str, Any]] = []  # those of the small course were to warm up
            for seed in range(number):
                for side, play in sides.items():
                    read, run = _watched(model, side, play, seed)
                    reads.add(read)
                    runs.append(run)
                    say(f"{some.name}: {side} {runs[-1]['total_s']:.2f} s")
    if len(reads) > 1:
        raise ValueError("both sides need to read the same conversations, and have not")
    of_side = {side: [run for run in runs if run["side"] == side] for side in sides}
    return {
        "load": load.row(dtype),
        "runs": runs,
        "medians": {side: _medians(own) for side, own in of_side.items()},
        "ratios": _ratios(of_side[OURS], of_side[STOCK]),
    }


def print_generation(console: Console, measured: dict[str, Any]) -> None:
    """Prints the medians of both sides, and their ratios."""
    title = f"{title_of(measured['load'])} (seconds, medians)"
    table = number_table(title, ("",), ("total", *PHASES, "frames", "tokens"))
    for side, medians in measured["medians"].items():
        seconds = [f"{medians['seconds'][phase]:.2f}" for phase in PHASES]
        counts = [f"{medians[name]:,}" for name in ("frames_encoded", "tokens_prefilled")]
        table.add_row(side, f"{medians['total_s']:.2f}", *seconds, *counts)
    console.print(table)
    ratios = {name: f"{ratio:.2f}" for name, ratio in measured["ratios"].items()}
    console.print(
        f"{STOCK} / {OURS}: {ratios['total_s']} in time, {ratios['model_s']} in the model alone, "
        f"{ratios['cpu_s']} in processor time, {ratios['frames_encoded']} in frames encoded, "
        f"{ratios['tokens_prefilled']} in tokens read"
    )


def _our_player(model: Any, processor: Any, load: Load) -> Callable[[int], Read]:
    player = Player(
        processor,
        partial(make_env, load.course),
        group_size=load.group_size,
        max_tokens=load.num_tokens,
        banned_ids=ending_ids(processor),
    )

    def play(seed: int) -> Read:
        [group] = player.play(model, [TASK_ID], seed)
        return tuple(
            (*rollout.prompt_ids, *_masked(rollout.completion_ids, rollout.is_said))
            for rollout in group.rollouts
        )

    return play


def _stock_player(model: Any, processor: Any, load: Load, folder: Path) -> Callable[[int], Read]:
    settings = GRPOSettings(
        model="",
        out=folder,
        group_size=load.group_size,
        tasks_per_generation=1,
        tasks_per_update=1,
        micro_batch=load.group_size,
        kl=0.0,  # TRL would load a reference
    )
    trainer = StockTrainer(model, processor, trl_config(settings), load.course, load.num_tokens)
    prompts = [[{"role": "user", "content": TASK_ID}] for _ in range(load.group_size)]

    def play(seed: int) -> Read:
        torch.manual_seed(seed)
        prompt_ids, completion_ids, masks, *_ = trainer._generate(prompts)
        return tuple(
            (*prompt, *_masked(ids, mask))
            for prompt, ids, mask in zip(prompt_ids, completion_ids, masks, strict=True)
        )

    return play


def _masked(ids: Sequence[int], is_said: Sequence[bool | int]) -> list[int]:
    return [SAID if said else id_ for id_, said in zip(ids, is_said, strict=True)]


def _watched(
    model: Any, side: str, play: Callable[[int], Read], seed: int
) -> tuple[Read, dict[str, Any]]:
    """Plays a group once; returns what was read, and the cost: seconds from reset to last reply."""
    stopwatch, counts = Stopwatch(), Counter[str]()
    with _watching(model, stopwatch, counts):
        read = play(seed)
        stopwatch.count()
    seconds = {phase: stopwatch.seconds[phase] for phase in PHASES}
    return read, {
        "side": side,
        "seconds": seconds,
        "cpu_s": sum(stopwatch.cpu_seconds.values()),
        "frames_encoded": counts["frames"],
        "tokens_prefilled": counts["tokens"],  # padding included
        "peak_bytes": max(stopwatch.peak_bytes.values(), default=0),  # of a GPU
        "total_s": sum(seconds.values()),
    }


@contextmanager
def _watching(model: Any, stopwatch: Stopwatch, counts: Counter[str]) -> Iterator[None]:
    """Times the phases of a model, and counts what it reads."""

    def begin(_: Any, __: Any, given: dict[str, Any]) -> None:
        num_rows, length = given["input_ids"].shape
        stopwatch.begin("decode" if length == 1 else "prefill")
        counts["tokens"] += num_rows * length if length > 1 else 0

    def begin_vision(_: Any, __: Any, given: dict[str, Any]) -> None:
        stopwatch.begin("vision")
        counts["frames"] += len(given["grid_thw"])

    def end(*_: Any) -> None:
        stopwatch.end()

    vision = model.model.visual
    hooks = [
        model.register_forward_pre_hook(begin, with_kwargs=True),
        model.register_forward_hook(end),
        vision.register_forward_pre_hook(begin_vision, with_kwargs=True),
        vision.register_forward_hook(end),
    ]
    step = stopwatch.timed(
        Continuation.step, "decode"
    )  # it calls parts of the model, not the whole
    try:
        with mock.patch.object(Continuation, "step", step):
            yield
    finally:
        for hook in hooks:
            hook.remove()


def _medians(runs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    return {
        "total_s": statistics.median(run["total_s"] for run in runs),
        "cpu_s": statistics.median(run["cpu_s"] for run in runs),
        "seconds": {
            phase: statistics.median(run["seconds"][phase] for run in runs) for phase in PHASES
        },
        "frames_encoded": runs[0]["frames_encoded"],
        "tokens_prefilled": runs[0]["tokens_prefilled"],
        "peak_bytes": max(run["peak_bytes"] for run in runs),
    }


def _ratios(ours: Sequence[dict[str, Any]], stock: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Returns how many times as much TRL takes: medians over pairs that ran side by side."""
    costs = [
        [run | {"model_s": run["total_s"] - run["seconds"]["other"]} for run in side]
        for side in (ours, stock)
    ]
    names = ("total_s", "model_s", "cpu_s", "frames_encoded", "tokens_prefilled")
    pairs = list(zip(*costs, strict=True))
    return {name: statistics.median(b[name] / a[name] for a, b in pairs) for name in names}
