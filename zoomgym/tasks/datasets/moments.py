"""Reads segments from answers as the scorers of temporal grounding do, faults and all.

Source: `eval_tvg.py` of Charades-STA in lmms-eval, and `eval_qwen35_vllm.py` of ExtremeWhenBench's
authors (naver-ai/ExtremeWhenbench).
"""

import re

from zoomgym.grading import Segment

TOLD = ("start", "end", "happen")
"""Words of sentences that may tell a time."""
SPAN = re.compile(r"(\d++\.*+\d*+)\s*-\s*(\d+\.*\d*)")
LONE = re.compile(r"\b(\d+\.\d+\b|\b\d+)\b")
EXAMPLE = "a specific example is : 20.8 - 30.0 seconds"
DASHED = re.compile(r"(\d+(?:\.\d+)?)\s*[-~\u2013]\s*(\d+(?:\.\d+)?)")
MAX_CHARS = 4096
"""Longer texts are not read: the expressions take quadratic time."""


def read_charades(text: str) -> Segment | None:
    """Returns the first two numbers with a dash or `to` between them, in order.

    Without any, the first number of each of the first two sentences that tell a time. (Its third
    way, for `hh:mm:ss`, is never reached: those have numbers, too.)
    """
    text = text[:MAX_CHARS].lower().replace(EXAMPLE, "").replace("to", "-")
    if match := SPAN.search(text):
        return _in_order(match[1], match[2])
    told = [sentence for sentence in _sentences(text) if any(word in sentence for word in TOLD)]
    times = [match[0] for sentence in told if (match := LONE.search(sentence))]
    return _in_order(times[0], times[1]) if len(times) >= 2 else None


def read_extremewhen(text: str) -> Segment | None:
    """Returns the first two numbers with a dash between them, in order.

    Those in a sentence that tells a time come first.
    """
    text = text[:MAX_CHARS].lower()
    told = [sentence for sentence in _sentences(text) if any(word in sentence for word in TOLD)]
    for sentence in (*told, text):
        if match := DASHED.search(sentence):
            return _in_order(match[1], match[2])
    return None


def _sentences(text: str) -> list[str]:
    return re.split(r"[!?\n]", text)


def _in_order(first: str, second: str) -> Segment | None:
    """Returns the segment between two times; None if one is no number, such as `1..2`."""
    try:
        start_s, end_s = sorted((float(first), float(second)))
    except ValueError:
        return None
    return Segment(start_s, end_s) if end_s < float("inf") else None
