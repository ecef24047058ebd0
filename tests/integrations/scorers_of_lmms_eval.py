"""Asks the scorers of lmms-eval whether they take an answer for right."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any
from unittest.mock import patch

from zoomgym.rules import VideoQuestion

os.environ.setdefault("HF_HOME", "hf")  # which its modules want to know when they are imported
DRAWN = "no letter"
"""What they read where they draw a letter at random: no option."""


@contextmanager
def nothing_drawn() -> Iterator[list[str]]:
    """Makes `random.choice` draw no letter, and lists how often it was asked to."""
    drawn: list[str] = []

    def draw(letters: Any) -> str:
        drawn.append(DRAWN)
        return DRAWN

    with patch("random.choice", draw):
        yield drawn


def lettered(task: VideoQuestion) -> list[str]:
    """Returns the options of a task with their letters, as hubs have them."""
    return [f"{letter}. {text}" for letter, text in zip("ABCDEFGH", task.options, strict=False)]


def _shared(name: str) -> Callable[[VideoQuestion, str], bool]:
    """Returns the reading of a benchmark that knows the letters A to D."""
    utils = import_module(f"lmms_eval.tasks.{name}.utils")
    return lambda task, text: utils.extract_characters_regex(text) == task.truth


def _longvideobench(task: VideoQuestion, text: str) -> bool:
    utils = import_module("lmms_eval.tasks.longvideobench.utils")
    options = [*task.options, *["N/A"] * 5][:5]
    doc = {
        **{f"option{number}": option for number, option in enumerate(options)},
        **{"id": task.id, "duration_group": 15, "question_category": "E2O"},
        "correct_choice": ord(task.truth) - ord("A"),
    }
    row = utils.longvideobench_process_results(doc, [text])["lvb_acc"]
    return bool(utils.eval_multi_choice(row["answer"], row["parsed_pred"]))


def _videommmu(task: VideoQuestion, text: str) -> bool:
    utils = import_module("lmms_eval.tasks.videommmu.utils")
    doc = {
        **{"id": "validation_Art_1", "question_type": "multiple-choice"},
        **{"options": list(task.options), "answer": task.truth},
    }
    row = utils.videommmu_process_results(doc, [text])["mmmu_acc"]
    return bool(utils.eval_multi_choice(row["answer"], row["parsed_pred"]))


def _mmvu(task: VideoQuestion, text: str) -> bool:
    utils = import_module("lmms_eval.tasks.mmvu.utils")
    choices = dict(zip("ABCDE", task.options, strict=False))
    doc = {"question_type": "multiple-choice", "choices": choices, "answer": task.truth}
    return bool(utils.evaluate_with_rule_based(doc, text))


def _egoschema(task: VideoQuestion, text: str) -> bool:
    utils = import_module("lmms_eval.tasks.egoschema.utils")
    truth = ord(task.truth) - ord("A")
    doc = {"video_idx": "v", "option": lettered(task), "answer": str(truth)}
    row = utils.egoschema_process_results_generation(doc, [text])["score"]
    return str(row["pred"]) == str(row["ground_truth"])


def _videomme_v2(task: VideoQuestion, text: str) -> bool:
    utils = import_module("lmms_eval.tasks.videomme_v2.utils")
    doc = {
        **dict.fromkeys(("video_id", "question_id", "group_type", "group_structure"), ""),
        **{"options": "\n".join(lettered(task)), "answer": task.truth},
    }
    return bool(utils.videomme_v2_process_results(doc, [text])["videomme_v2_overall_acc"]["score"])


THEIRS: dict[str, Callable[[VideoQuestion, str], bool]] = {
    "mlvu": lambda task, text: _shared("mlvu")(task, text),
    "videomme": lambda task, text: _shared("videomme")(task, text),
    "lvbench": lambda task, text: _shared("lvbench")(task, text),
    "longvideobench": _longvideobench,
    "videommmu": _videommmu,
    "mmvu": _mmvu,
    "egoschema": _egoschema,
    "videomme_v2": _videomme_v2,
}
"""By benchmark. Our scores of CG-Bench are its authors': lmms-eval reads its letters otherwise."""
