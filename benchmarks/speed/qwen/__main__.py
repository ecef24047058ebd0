"""Measures playing and learning with Qwen2.5-VL, reusing KV and by TRL's own way.

python -m benchmarks.speed.qwen generation   a group of episodes, on both sides
python -m benchmarks.speed.qwen learning     gradients of a group, with a shared prompt and not
python -m benchmarks.speed.qwen step         a step of GRPO: seconds, memory
python -m benchmarks.speed.qwen rehearse     a step of SFT and of GRPO, without weights: memory

An episode is an overview of 64 frames, four zooms of 16, and an answer. Weights
are random: what is said means nothing and is as long as it is told to be, and a
script plays in its place.
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from agents.qwen.model.tiny import SIZES, TOKEN_SIDE_PX
from benchmarks.speed.decoding.measure import describe_run
from benchmarks.speed.qwen.episodes import Course, Load
from benchmarks.speed.qwen.generation import measure_generation, print_generation
from benchmarks.speed.qwen.learning import measure_learning, print_learning
from benchmarks.speed.qwen.rehearsal import Rehearsal, print_rehearsal, rehearse
from benchmarks.speed.qwen.step import Step, measure_step, print_step
from zoomgym.io.commands import Parser, ends_quietly, whole_number

PACKAGES = ("torch", "transformers", "trl", "accelerate", "numpy", "pillow")


@ends_quietly
def main(argv: Sequence[str] | None = None) -> int:
    """Command line. Measures what it is told to."""
    args = _parser().parse_args(argv)
    course = Course(args.frame)
    if args.quick:
        course = replace(course, num_overview=4, num_zooms=2, frames_per_zoom=2)
    load = Load(args.size, course, args.group, args.tokens, args.attention)
    console = Console()
    if args.what == "generation":
        measured = measure_generation(load, args.repeats, console.print)
        print_generation(console, measured)
    elif args.what == "learning":
        measured = measure_learning(load, args.repeats, console.print)
        print_learning(console, measured)
    elif args.what == "rehearse":
        measured = rehearse(Rehearsal(load, args.micro_batch, args.lora_rank), console.print)
        print_rehearsal(console, measured)
    else:
        step = Step(load, args.micro_batch, args.gradient_checkpointing)
        measured = measure_step(step, console.print)
        print_step(console, measured)
    described = {
        **describe_run((), PACKAGES),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "num_threads": torch.get_num_threads(),
    }
    path = _write(args.out / f"qwen_{args.what}.json", load.name, measured | described)
    console.print(f"{load.name} -> {path}")
    if args.quick:
        console.print("quick: it runs, but the numbers mean nothing")
    return 0


def _parser() -> Parser:
    parser = Parser(
        prog="python -m benchmarks.speed.qwen",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="what", required=True)
    generation = commands.add_parser("generation", help="a group of episodes, on both sides")
    learning = commands.add_parser("learning", help="gradients of a group, on both sides")
    step = commands.add_parser("step", help="a step of GRPO, on both sides")
    rehearsal = commands.add_parser("rehearse", help="a step of each training, without weights")
    for command in (step, rehearsal):
        command.add_argument(
            "--micro-batch", type=whole_number(1), default=1, help="episodes in a pass [1]"
        )
    rehearsal.add_argument(
        "--lora-rank", type=whole_number(1), default=64, help="of the adapters [64]"
    )
    step.add_argument("--gradient-checkpointing", action="store_true", help="less memory, slower")
    for command in (generation, learning):
        command.add_argument("--repeats", type=whole_number(1), default=3, help="on each side [3]")
    for command in (generation, learning, step, rehearsal):
        command.add_argument("--size", default="tiny", choices=SIZES, help="of the model [tiny]")
        command.add_argument(
            "--frame",
            type=_frame,
            default=(28, 28),
            metavar="WxH",
            help="pixels of a frame, multiples of 28 [28x28]; 448x224 is the most by default",
        )
        least = 1 if command is generation else 2
        command.add_argument("--group", type=whole_number(least), default=8, help="episodes [8]")
        command.add_argument(
            "--tokens", type=whole_number(1), default=48, help="of every reply [48]"
        )
        command.add_argument("--attention", default="sdpa", help="the kernel [sdpa]")
        command.add_argument(
            "--out", type=Path, default=Path("results/speed"), help="results folder"
        )
        command.add_argument("--quick", action="store_true", help="small: to see that it runs")
    return parser


def _frame(text: str) -> tuple[int, int]:
    """Returns (W, H). Raises ArgumentTypeError."""
    try:
        width, height = map(int, text.split("x"))
    except ValueError:
        raise argparse.ArgumentTypeError(f"needed WxH like 56x28, got {text!r}") from None
    if min(width, height) < TOKEN_SIDE_PX or width % TOKEN_SIDE_PX or height % TOKEN_SIDE_PX:
        raise argparse.ArgumentTypeError(f"needed multiples of {TOKEN_SIDE_PX}, got {text!r}")
    return width, height


def _write(path: Path, name: str, measured: Mapping[str, Any]) -> Path:
    """Adds what was measured to a file, and returns its path; other names in it stay."""
    path.parent.mkdir(parents=True, exist_ok=True)
    kept = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps(kept | {name: measured}, indent=1) + "\n")
    return path


if __name__ == "__main__":
    sys.exit(main())
