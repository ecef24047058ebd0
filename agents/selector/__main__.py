"""Trains a selector of overview frames, and plays test tasks with what it picks.

python -m agents.selector train --tasks synthetic:flash --out runs/selector
python -m agents.selector evaluate runs/selector
"""

import argparse
import sys
import time
from collections.abc import Sequence
from inspect import signature
from pathlib import Path

from agents.arguments import add_fields, fields_given, read_arguments
from agents.selector.evaluation import LEARNED, evaluate
from agents.selector.settings import SelectorSettings
from agents.selector.training import TRAINED_ON, train
from zoomgym.envs import ZoomEnv
from zoomgym.errors import ZoomGymError
from zoomgym.io.commands import Parser, ends_quietly, whole_number
from zoomgym.tasks import TASK_SETTINGS

ARGUMENTS = sorted({*signature(ZoomEnv).parameters} - {"num_overview", "overview", "render_mode"})
"""Arguments of the environment that `evaluate --env` takes."""


@ends_quietly
def main(argv: Sequence[str] | None = None) -> int:
    """Command line. Parses and reports; train() and evaluate() do the work."""
    parser = Parser(
        prog="python -m agents.selector",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True)
    _add_train(commands.add_parser("train", help="train a selector"))
    _add_evaluate(commands.add_parser("evaluate", help="play test tasks with its overviews"))
    args = parser.parse_args(argv)
    try:
        return _train(args) if args.command == "train" else _evaluate(args)
    except KeyboardInterrupt:
        print("stopped")
        return 130
    except (ZoomGymError, ValueError, OSError) as error:
        parser.fail(error)


def _add_train(parser: Parser) -> None:
    """Adds the options of `train`."""
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    parser.add_argument(
        "--tasks",
        default=TRAINED_ON["tasks"],
        help=f"synthetic tasks, as in ZoomEnv; default: {TRAINED_ON['tasks']}",
    )
    parser.add_argument(
        "--env",
        nargs="+",
        default=[],
        metavar="NAME=VALUE",
        help=f"further arguments of ZoomEnv that choose tasks ({', '.join(TASK_SETTINGS)}), values "
        "in JSON: difficulty=hard",
    )
    add_fields(parser, SelectorSettings, ["env"])


def _add_evaluate(parser: Parser) -> None:
    """Adds the options of `evaluate`."""
    parser.add_argument("folder", type=Path, help="the --out of a training")
    parser.add_argument(
        "--overviews",
        nargs="+",
        default=["uniform", "change", LEARNED],
        help=f"as in ZoomEnv, and {LEARNED} for the selector; default: uniform change {LEARNED}",
    )
    parser.add_argument(
        "--num-frames",
        type=whole_number(1),
        nargs="+",
        default=[8, 16, 32],
        metavar="N",
        help="sizes of overviews; default: 8 16 32",
    )
    parser.add_argument(
        "--agent", default="glance", help="plays; the default, glance, reads the overview only"
    )
    parser.add_argument(
        "--episodes",
        type=whole_number(1),
        default=500,
        help="how many of the first test tasks are played; default: 500",
    )
    parser.add_argument("--out", type=Path, help="folder of records; default: test in the folder")
    parser.add_argument(
        "--env",
        nargs="+",
        default=[],
        metavar="NAME=VALUE",
        help="what is other than in training, values in JSON; max_turns is 1 unless given: "
        "max_turns=5",
    )


def _train(args: argparse.Namespace) -> int:
    """Trains a selector."""
    started_s = time.process_time()
    if args.out.exists() and any(args.out.iterdir()):
        raise ValueError(f"{args.out} is not empty: choose another folder")
    given = fields_given(args, SelectorSettings, ["env"])
    if "num_frames" in given:
        given["num_frames"] = tuple(given["num_frames"])
    env = {**TRAINED_ON, "tasks": args.tasks, **read_arguments(args.env, TASK_SETTINGS)}
    path = train(SelectorSettings(env=env, **given), args.out)
    print(f"{path}, in {time.process_time() - started_s:.0f} s of processor time")
    print(f"its overviews: zoomgym play --overview learned:{args.out}")
    print(f"to compare them on test tasks: python -m agents.selector evaluate {args.out}")
    return 0


def _evaluate(args: argparse.Namespace) -> int:
    """Plays test tasks and says how many were answered rightly with each overview."""
    out = args.out or args.folder / "test"
    for played in evaluate(
        args.folder,
        out,
        overviews=args.overviews,
        num_frames=args.num_frames,
        agent_name=args.agent,
        num_episodes=args.episodes,
        env=read_arguments(args.env, ARGUMENTS),
    ):
        num_episodes = len(played.records)
        print(
            f"{played.overview} {played.num_frames}: {played.num_right} of {num_episodes} right: "
            f"{played.num_right / num_episodes:.3f}; {played.mean_scanned:.0f} frames scanned "
            f"-> {played.path}"
        )
    print(f"intervals: python -m benchmarks.leaderboard {played.path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
