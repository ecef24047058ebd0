"""Looks for leaks: clues that should say nothing about the answer, and do.

python -m benchmarks.evaluation.leaks    a small classifier on each clue

Each task is answered once, by a classifier trained on four fifths of the
others. It sees one clue only: the words of the question, the order of the
options, the length of the video, the size of its file, or the brightness of
single frames.

The table shows 95% intervals, of which one in forty lies above chance by
luck. A leak does so with an interval that holds for the whole table at once.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from tqdm import tqdm

from benchmarks.evaluation.claims import CONFIDENCE
from benchmarks.evaluation.formats import Cell, Line, Sheet, to_table
from benchmarks.evaluation.statistics import wilson
from zoomgym.errors import TaskError
from zoomgym.io.commands import Parser, add_names, ends_quietly, whole_number
from zoomgym.rules import VideoQuestion, overview_times
from zoomgym.tasks import FAMILIES, SyntheticTasks

NUM_TASKS, NUM_FOLDS = 400, 5
NUM_FRAMES = 64
DRAWN = (64, 64)
"""(H, W) of the frames for brightness."""
STEPS, RATE, DECAY = 300, 0.5, 1e-2
"""Training of the classifier: gradient steps, learning rate, and weight decay."""

Features = NDArray[np.float64]
"""(N, F), one row a task."""


def words(tasks: Sequence[VideoQuestion]) -> Features:
    """Returns which words each question has."""
    return _one_hot([task.question.lower().split() for task in tasks])


def _option_order(tasks: Sequence[VideoQuestion]) -> Features:
    """Returns which option is at which place."""
    return _one_hot([[f"{place} {o}" for place, o in enumerate(task.options)] for task in tasks])


def _one_hot(bags: Sequence[Sequence[str]]) -> Features:
    """Returns which of all words each bag holds."""
    names = {name: i for i, name in enumerate(sorted({name for bag in bags for name in bag}))}
    features = np.zeros((len(bags), len(names)))
    for row, bag in enumerate(bags):
        features[row, [names[name] for name in bag]] = 1
    return features


def lengths(tasks: SyntheticTasks, drawn: Sequence[VideoQuestion]) -> Features:
    """Returns how long each video is."""
    return np.array([[tasks.open_video(task).duration_s] for task in drawn])


def brightness(tasks: SyntheticTasks, drawn: Sequence[VideoQuestion]) -> Features:
    """Returns how bright each frame of the overview is, each of its channels on its own."""
    rows = []
    for task in drawn:
        video = tasks.open_video(task)
        times_s = overview_times(video.last_frame_s, NUM_FRAMES)
        rows.append(video.frames_at(times_s, DRAWN).mean(axis=(1, 2)).ravel())
    return np.array(rows)


def _file_sizes(tasks: SyntheticTasks, drawn: Sequence[VideoQuestion], folder: Path) -> Features:
    """Returns how large each encoded file is, in bytes, and its rank among all."""
    sizes = []
    for task in tqdm(drawn, f"files of {tasks.name}", unit="file", leave=False, disable=None):
        path = tasks.write_video(task, folder)
        sizes.append(path.stat().st_size)
        path.unlink()
    order = np.argsort(np.argsort(sizes))
    return np.stack([np.array(sizes, float), order.astype(float)], axis=1)


CLUES: Mapping[str, Callable[[SyntheticTasks, Sequence[VideoQuestion], Path], Features]] = {
    "question": lambda tasks, drawn, folder: words(drawn),
    "option order": lambda tasks, drawn, folder: _option_order(drawn),
    "duration": lambda tasks, drawn, folder: lengths(tasks, drawn),
    "file size": _file_sizes,
    "brightness": lambda tasks, drawn, folder: brightness(tasks, drawn),
}


def found(features: Features, tasks: Sequence[VideoQuestion]) -> list[bool]:
    """Returns for each task whether a classifier, trained on others, answers it.

    features is (N, F), what it sees of each of N tasks, which have equally many options.
    """
    texts = {text: i for i, text in enumerate(sorted({o for task in tasks for o in task.options}))}
    options = np.array([[texts[option] for option in task.options] for task in tasks])
    right = np.array([ord(task.truth) - ord("A") for task in tasks])
    folds = np.random.default_rng(0).permutation(len(tasks)) % NUM_FOLDS
    is_right = np.zeros(len(tasks), np.bool_)
    for fold in range(NUM_FOLDS):
        train, test = folds != fold, folds == fold
        mean, spread = features[train].mean(axis=0), features[train].std(axis=0)
        scaled = (features - mean) / np.where(spread > 0, spread, 1)
        seen = np.hstack([scaled, np.ones((len(tasks), 1))])
        by_place, by_text = _train(seen[train], options[train], right[train], len(texts))
        scores = _scores(seen[test], options[test], by_place, by_text)
        is_right[test] = scores.argmax(axis=1) == right[test]
    return is_right.tolist()


def _scores(
    seen: Features, options: NDArray[np.int64], by_place: Features, by_text: Features
) -> Features:
    """Returns the score of each option: for its place plus for its text."""
    scores: Features = seen @ by_place + np.take_along_axis(seen @ by_text, options, axis=1)
    return scores


def _train(
    seen: Features, options: NDArray[np.int64], right: NDArray[np.int64], num_texts: int
) -> tuple[Features, Features]:
    """Returns the weights of places (F, K) and of texts (F, T), by gradient descent on log loss."""
    num_tasks, num_options = options.shape
    by_place = np.zeros((seen.shape[1], num_options))
    by_text = np.zeros((seen.shape[1], num_texts))
    rows = np.arange(num_tasks)
    for _ in range(STEPS):
        scores = _scores(seen, options, by_place, by_text)
        chances = np.exp(scores - scores.max(axis=1, keepdims=True))
        chances /= chances.sum(axis=1, keepdims=True)
        chances[rows, right] -= 1
        of_texts = np.zeros((num_tasks, num_texts))
        np.add.at(of_texts, (rows[:, None], options), chances)
        for weights, blame in ((by_place, chances), (by_text, of_texts)):
            weights -= RATE * (seen.T @ blame / num_tasks + DECAY * weights)
    return by_place, by_text


@ends_quietly
def main(argv: Sequence[str] | None = None) -> int:
    """Command line. Prints how often each clue alone leads to the right answer."""
    parser = Parser(
        prog="python -m benchmarks.evaluation.leaks",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_names(parser, "--families", FAMILIES)
    add_names(parser, "--clues", CLUES)
    parser.add_argument(
        "--tasks",
        type=whole_number(NUM_FOLDS),
        default=NUM_TASKS,
        help=f"how many of each family; default: {NUM_TASKS}",
    )
    parser.add_argument(
        "--duration-s", type=float, default=60, help="length of the videos, in seconds; default: 60"
    )
    args = parser.parse_args(argv)
    try:
        sets = {
            family: SyntheticTasks((family,), "test", args.duration_s, "easy", "scene")
            for family in args.families
        }
    except TaskError as error:
        parser.error(str(error))
    title = f"Right answers by one clue alone, {args.tasks} tasks (mean, 95% interval)"
    lines: list[Line] = []
    num_cells = len(args.families) * len(args.clues)
    leaks: list[str] = []
    for family, tasks in tqdm(sets.items(), "families", leave=False, disable=None):
        drawn = [tasks[index] for index in range(args.tasks)]
        chance = 1 / len(drawn[0].options)
        cells: list[Cell] = [chance]
        for clue in args.clues:
            with tempfile.TemporaryDirectory() as folder:
                is_right = found(CLUES[clue](tasks, drawn, Path(folder)), drawn)
            cells.append(wilson(is_right))
            if wilson(is_right, 1 - (1 - CONFIDENCE) / num_cells).low > chance:  # Bonferroni
                leaks.append(f"{family} by {clue}")
        lines.append(Line((family,), tuple(cells)))
    columns, console = ("chance", *args.clues), Console()
    console.print(to_table(Sheet("leaks", title, ("family",), columns, tuple(lines), digits=3)))
    console.print(
        f"[bold]{len(leaks)} of {num_cells} clues tell more than chance[/] (by intervals that hold "
        f"at {CONFIDENCE:.0%} for all at once){': ' if leaks else ''}{', '.join(leaks)}"
    )
    return 1 if leaks else 0


if __name__ == "__main__":
    sys.exit(main())
