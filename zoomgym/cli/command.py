"""The command `zoomgym`: checks and lists tasks; plays, grades and shows episodes; and more."""

import argparse
import json
import sys
import textwrap
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeAlias

from zoomgym.cli.actions import check, grade, list_tasks, play_one, synth
from zoomgym.cli.view import view
from zoomgym.errors import TaskError, ZoomGymError
from zoomgym.io import in_words
from zoomgym.io.commands import Parser, ends_quietly, whole_number
from zoomgym.rules import FIND, TOOLS, ZOOM
from zoomgym.tasks import DIFFICULTIES, FAMILIES, SPLITS, named_difficulty
from zoomgym.video import Limits

OWN_TASKS = (
    "a manifest (my.jsonl), a benchmark and its folder (videomme:/data/Video-MME), or events "
    "hidden in your own videos (needle:FOLDER)"
)
HELP_WIDTH = 78
"""Columns of a description."""
Add: TypeAlias = Callable[..., argparse.Action]
"""Adds an argument to a command, as `ArgumentParser.add_argument` does."""


@ends_quietly
def main(argv: Sequence[str] | None = None) -> int:
    """Command line. Returns 0 if all is well, 1 if something is wrong, 130 if interrupted."""
    args = _parser().parse_args(argv)
    try:
        result: int = args.run(args)
    except BrokenPipeError:
        raise  # see `ends_quietly`
    except (ZoomGymError, OSError) as error:
        print(f"zoomgym: {in_words(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130
    return result


def _parser() -> Parser:
    parser = Parser(prog="zoomgym", description=__doc__)
    parser.add_argument("--version", action="version", version=f"zoomgym {version('zoomgym')}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    add = _command(
        commands, "check", check, "report every problem of files of tasks",
        "Reads every row, and decodes 16 frames of every video, the first and the last among "
        "them. Each problem "
        "is a line that names file and row; without one, the exit status is 0.",
        "zoomgym check my.jsonl", "zoomgym check videomme:/data/Video-MME",
    )  # fmt: skip
    add("tasks", help=f"{OWN_TASKS} to check")
    _add_limits(add)

    add = _command(
        commands, "tasks", list_tasks, "show what a task set holds",
        "Prints name, version and hash of a task set, and how many tasks there are by category, "
        "by number of options, and by each kind of label.",
        "zoomgym tasks synthetic", "zoomgym tasks videomme:/data/Video-MME --split test",
    )  # fmt: skip
    add("tasks", help=f"synthetic, synthetic:FAMILY, {OWN_TASKS}")
    add("--subtitles", action="store_true", help="put a benchmark's subtitles into its questions")
    add("--durations", action="store_true", help="open every video to measure it")
    _add_limits(add)
    _add_synthetic(add)

    add = _command(
        commands, "play", play_one, "play an episode yourself",
        "You are shown a question and the overview of a video, as pictures in a folder and, where "
        "it can, in the terminal. You type zooms and then the answer.",
        "zoomgym play --tasks synthetic:flash",
        'zoomgym play --video my.mp4 --question "What is on the table?"',
    )  # fmt: skip
    add("--tasks", help=f"synthetic, synthetic:FAMILY, {OWN_TASKS}; default: synthetic")
    add("--task-id", help="which of the tasks; default: one is drawn")
    add("--seed", type=whole_number(0), help="draws the same task again; default: another one")
    add("--video", type=Path, help="a video of your own, instead of --tasks")
    add("--question", help="your question about --video")
    one_option = "one option of --question; repeat it for each"
    add("--option", action="append", default=[], help=one_option)
    add("--answer", help="answer of --question; without it nothing is graded")
    add("--out", type=Path, help="new or empty folder for the pictures; default: a temporary one")
    add("--cache-dir", type=Path, help="where synthetic videos are written")
    several = "frames of the overview; of several, one is drawn; default: 64"
    add("--num-overview", type=whole_number(0), nargs="+", default=[64], metavar="N", help=several)
    kinds = "uniform, random, change, learned:FOLDER or module:function"
    picked = f"what picks them: {kinds}; default: uniform"
    add("--overview", default="uniform", metavar="NAME", help=picked)
    tools = [tool for tool in TOOLS if tool != FIND]
    told = f"tools to offer, of {', '.join(tools)}; default: zoom"
    add("--tools", nargs="+", default=[ZOOM], choices=tools, metavar="TOOL", help=told)
    drawn = "file or scene (without a codec), of synthetic videos; default: file"
    add("--source", default="file", choices=("file", "scene"), help=drawn)
    _add_limits(add)
    _add_synthetic(add)

    add = _command(
        commands, "grade", grade, "let a judge grade open-ended answers in records",
        "Asks a model whether each open-ended answer is right, and writes the records with "
        "verdicts and the rewards that follow. Run again, it asks only for what is missing.",
        "zoomgym grade records.jsonl --judge-url http://localhost:8000/v1 --model NAME",
    )  # fmt: skip
    tries = "how often a verdict is asked for; default: 5"
    add("records", type=Path, help="a file of records, JSON Lines")
    add("--judge-url", required=True, help="OpenAI-compatible endpoint: http://localhost:8000/v1")
    add("--model", required=True, help="the judge, as the endpoint calls it")
    add("--key-variable", default="", help="environment variable with the API key")
    add("--timeout", type=float, default=60, help="seconds that a request may take; default: 60")
    add("--tries", type=whole_number(1), default=5, help=tries)
    add("--concurrent", type=whole_number(1), default=8, help="requests at once; default: 8")
    add("--cache-dir", type=Path, help="where verdicts are kept for the next time")
    add("--out", type=Path, help="file to write or replace; default: RECORDS.graded.jsonl")

    add = _command(
        commands, "view", view, "write records as logs that `inspect view` shows",
        "Writes a log of inspect_ai for each run in a file of records: what was said, and every "
        "frame that was shown. Needs the extra inspect-ai.",
        "zoomgym view records.jsonl", "inspect view --log-dir logs",
    )  # fmt: skip
    add("records", type=Path, help="a file of records, JSON Lines")
    add("--tasks", help=f"the task set that it was played on, if not synthetic: {OWN_TASKS}")
    add("--out", type=Path, default=Path("logs"), help="folder of the logs; default: logs")
    add("--num", type=whole_number(1), help="how many records, the first ones; default: all")
    add("--max-pixels", type=whole_number(1), help="of a frame; default: as the agent saw it")
    add("--cache-dir", type=Path, help="where synthetic videos are written")

    add = _command(
        commands, "synth", synth, "write synthetic videos and their manifest",
        "Writes videos/*.mp4 and manifest.jsonl into a folder. The same arguments write the same "
        "files; run again, it resumes where it was stopped.",
        "zoomgym synth my-videos --family flash --num 20", "zoomgym check my-videos/manifest.jsonl",
    )  # fmt: skip
    one_family = "a family to write; repeat it for each; default: all"
    add("out", type=Path, help="new or empty folder to write")
    add("--family", action="append", choices=list(FAMILIES), help=one_family)
    add("--num", type=whole_number(0), default=12, help="how many tasks; default: 12")
    _add_synthetic(add)
    return parser


def _command(
    commands: "argparse._SubParsersAction[Parser]",
    name: str,
    run: Callable[[argparse.Namespace], int],
    summary: str,
    description: str,
    *examples: str,
) -> Add:
    """Adds a command. Returns the function that adds its arguments."""
    parser = commands.add_parser(
        name,
        help=summary,
        description=textwrap.fill(description, HELP_WIDTH),
        epilog="\n".join(["examples:", *(f"  {example}" for example in examples)]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run)
    return parser.add_argument


def _add_synthetic(add: Add) -> None:
    part = "part of synthetic tasks or of a benchmark; default: train"
    add("--split", default="train", choices=SPLITS, help=part)
    add("--duration", type=float, default=60, help="length of synthetic videos in s; default: 60")
    add(
        "--difficulty",
        default="easy",
        type=_difficulty,
        help=f"of synthetic tasks: {', '.join(DIFFICULTIES)}; or, as JSON, settings that are "
        'merged over one: {"preset": "hard", "symbols": 6}; default: easy',
    )


def _add_limits(add: Add) -> None:
    """Adds the argument of how much work a video file may cause."""
    add(
        "--limits",
        default=Limits(),
        type=_limits,
        help='what a video file may cost, as JSON: {"call_s": 300} is processor time of one look, '
        '{"wait_s": 300} a wait for a slow disk; also pixels and duration_s',
    )


def _limits(text: str) -> Limits:
    """Returns the limits that text holds as JSON. Raises ArgumentTypeError."""
    try:
        return Limits.merged(json.loads(text))
    except json.JSONDecodeError as error:
        message = f'limits need JSON like {{"call_s": 300}}, got {text!r}'
        raise argparse.ArgumentTypeError(message) from error
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _difficulty(text: str) -> str | dict[str, Any]:
    """Returns the difficulty that text names or describes. Raises ArgumentTypeError."""
    try:
        given: str | dict[str, Any] = json.loads(text) if text.startswith("{") else text
        named_difficulty(given)
    except json.JSONDecodeError as error:
        raise argparse.ArgumentTypeError(f"settings need to be JSON, got {text!r}") from error
    except TaskError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return given
