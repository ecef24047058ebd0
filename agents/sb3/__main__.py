"""Trains policies on ZoomEnvDiscrete with PPO, and plays test tasks with them.

python -m agents.sb3 train --tasks synthetic:flash --out results/ppo-flash
python -m agents.sb3 evaluate results/ppo-flash
"""

import argparse
import sys
import time
from collections.abc import Sequence
from inspect import signature
from pathlib import Path

from agents.arguments import add_fields, fields_given, read_arguments
from agents.sb3.policy import evaluate
from agents.sb3.settings import PPOSettings
from agents.sb3.training import num_steps, resume, train
from zoomgym.envs import ZoomEnv
from zoomgym.envs.discrete import ZoomEnvDiscrete
from zoomgym.errors import ZoomGymError
from zoomgym.io.commands import Parser, ends_quietly, whole_number

ARGUMENTS = sorted(
    {*signature(ZoomEnvDiscrete).parameters, *signature(ZoomEnv).parameters}
    - {"settings", "frame_size", "render_mode"}
)
"""Arguments of the environment that --env takes."""


@ends_quietly
def main(argv: Sequence[str] | None = None) -> int:
    """Command line. Parses and reports; train(), resume() and evaluate() do the work."""
    parser = Parser(
        prog="python -m agents.sb3",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True)
    _add_train(commands.add_parser("train", help="train a policy"))
    _add_evaluate(commands.add_parser("evaluate", help="play test tasks with a policy"))
    args = parser.parse_args(argv)
    try:
        return _train(args) if args.command == "train" else _evaluate(args)
    except KeyboardInterrupt:
        print("stopped: resume with --resume")
        return 130
    except (ZoomGymError, ValueError, OSError) as error:
        parser.fail(error)


def _add_train(parser: Parser) -> None:
    """Adds the options of `train`."""
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    parser.add_argument("--resume", action="store_true", help="resume the run in --out")
    parser.add_argument(
        "--tasks",
        default="synthetic:flash",
        help="a task set, as in ZoomEnv; default: synthetic:flash",
    )
    parser.add_argument(
        "--source",
        default="scene",
        help="of synthetic tasks: scene, drawn without a codec, or file; default: scene",
    )
    parser.add_argument(
        "--env",
        nargs="+",
        default=[],
        metavar="NAME=VALUE",
        help="further arguments of ZoomEnvDiscrete, values in JSON: num_bins=45 rates=[4,16]",
    )
    parser.add_argument(
        "--weights",
        nargs="+",
        default=[],
        metavar="NAME=NUMBER",
        help="of the reward's terms, merged over the defaults: grounding=0.5",
    )
    add_fields(parser, PPOSettings, ["env"])


def _add_evaluate(parser: Parser) -> None:
    """Adds the options of `evaluate`."""
    parser.add_argument("folder", type=Path, help="the --out of a training")
    parser.add_argument(
        "--episodes",
        type=whole_number(1),
        default=500,
        help="how many of the first test tasks are played; default: 500",
    )
    parser.add_argument("--out", type=Path, help="records file; default: test.jsonl in the folder")
    parser.add_argument(
        "--env",
        nargs="+",
        default=[],
        metavar="NAME=VALUE",
        help="what is other than in training, values in JSON: max_pixels=12544",
    )


def _train(args: argparse.Namespace) -> int:
    """Trains a policy, or resumes a training."""
    started_s = time.monotonic()
    given = fields_given(args, PPOSettings, ["env"])
    if args.resume:
        if given.keys() - {"total_timesteps"} or args.env or args.weights:
            raise ValueError("--resume takes --total-timesteps and nothing else: the rest stays")
        path = resume(args.out, **given)
    else:
        if args.out.exists() and any(args.out.iterdir()):
            raise ValueError(f"{args.out} is not empty: give --resume, or another folder")
        env = {"tasks": args.tasks, "source": args.source, **read_arguments(args.env, ARGUMENTS)}
        if args.weights:
            env["reward_weights"] = read_arguments(args.weights)
        path = train(PPOSettings(env=env, **given), args.out)
    print(f"{num_steps(args.out)} steps -> {path}, ", end="")
    print(f"this time in {time.monotonic() - started_s:.0f} s")
    print(f"to play test tasks: python -m agents.sb3 evaluate {args.out}")
    return 0


def _evaluate(args: argparse.Namespace) -> int:
    """Plays test tasks and says how many were answered rightly."""
    out = args.out or args.folder / "test.jsonl"
    if out.exists():
        raise ValueError(f"{out} exists: choose another --out")
    records = evaluate(args.folder, args.episodes, out, **read_arguments(args.env, ARGUMENTS))
    num_right = sum(record.reward_parts.accuracy for record in records)
    num_zooms = sum(record.reward_parts.zoom_cost for record in records)
    print(f"{num_right:.0f} of {len(records)} right: {num_right / len(records):.3f}; ", end="")
    print(f"{num_zooms / len(records):.2f} zooms an episode -> {out}")
    print(f"intervals: python -m benchmarks.leaderboard {out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
