"""Grammars of peers that name a stretch between tags: Video-MTR, FrameThinker, DynFrame.

Source: Xyuan13/Video-MTR, vagen/env/video/prompt.py and scripts/video_ppo/data.yaml (commit
51187ca); lcqysl/FrameThinker-RL, examples/agent/infer.py (d0a1a76); zhangguanghao523/DynFrame,
README.md (bd7e9ba).
"""

import re

from zoomgym.errors import CallError, ReplyError
from zoomgym.rules.actions import Action, Answer, ZoomCall
from zoomgym.rules.reading import END_OF_THOUGHT, THINK, Grammar, Reading, excerpt, no_words
from zoomgym.rules.relative import GridCall, Remark
from zoomgym.rules.tag_grammar import read_tagged

# Video-MTR ---------------------------------------------------------------------------------------

MTR_PER_S, MTR_MOST = 1.0, 64
"""Frames that indices count: one a second, and of a longer video 64 in all."""
RETRIEVE = ("retrieve", "retrive")
"""Both spellings are in its prompt."""
PAIR = re.compile(r"(\d{1,9})\s*,\s*(\d{1,9})")


def _read_mtr(reply: str) -> Reading:
    """Reads a reply of Video-MTR. Raises ReplyError."""
    forms = "<retrieve>5,10</retrieve> or <answer>B</answer>"
    tag, body, is_well_formed, _ = read_tagged(reply, (*RETRIEVE, "answer"), forms)
    if tag == "answer":
        return Reading(Answer(body), is_well_formed)
    found = PAIR.fullmatch(body)
    if not found:
        raise ReplyError(
            f"{tag} needs two frame indices like <{tag}>5,10</{tag}>, got {excerpt(body)}"
        )
    first, last = map(int, found.groups())
    return Reading(GridCall(first, last, MTR_PER_S, MTR_MOST), is_well_formed)


def _write_mtr(action: Action, thought: str) -> str:
    return f"<think>{thought}</think><answer>{_answer_of(action)}</answer>"


VIDEO_MTR = Grammar(
    "video_mtr",
    _read_mtr,
    _write_mtr,
    "Reply with <think>..</think> and then either <retrieve>start_frame, end_frame</retrieve>, "
    "which shows you frames between two frame indices, or <answer>B</answer>.",
    has_thoughts=True,
    says_zooms=False,
    samples=tuple(
        f"<think></think><retrieve>{first},{first + 9}</retrieve>" for first in range(0, 20, 4)
    ),
)

# FrameThinker ------------------------------------------------------------------------------------

THINKER_PER_S = 25.0
"""Frames that indices count, a second. The peer counts those of the file, which no rule knows."""
CHOOSE = re.compile(r"choose frames between\s+(\d{1,9})\s+and\s+(\d{1,9})")
ASK = re.compile(r"get frame number at time\s+(\d{1,6}):([0-5]?\d)")
OUTPUT = "output answer:"
THINKER_FORMS = "<action>choose frames between 100 and 250</action>"


def _read_thinker(reply: str) -> Reading:
    """Reads a reply of FrameThinker. Raises ReplyError."""
    _, body, is_well_formed, _ = read_tagged(reply, ("action",), THINKER_FORMS)
    if body.startswith(OUTPUT):
        return Reading(Answer(body.removeprefix(OUTPUT).strip()), is_well_formed)
    if found := ASK.fullmatch(body):
        minutes, seconds = found.groups()
        frame = int((int(minutes) * 60 + int(seconds)) * THINKER_PER_S)
        said = f"Frame number at time {minutes}:{seconds} is: {frame}."
        return Reading(Remark(said), is_well_formed)
    found = CHOOSE.fullmatch(body)
    if not found:
        raise ReplyError(
            "action needs to be `choose frames between START and END`, `get frame number at time "
            f"MM:SS` or `output answer: B`, got {excerpt(body)}"
        )
    first, last = map(int, found.groups())
    if first >= last:
        raise CallError(f"choose frames needs start < end, got {first} and {last}")
    return Reading(GridCall(first, last, THINKER_PER_S), is_well_formed)


def _write_thinker(action: Action, thought: str) -> str:
    """Writes an action; a zoom without its rate, for which there is no word."""
    if isinstance(action, ZoomCall):
        first = int(action.start_s * THINKER_PER_S)
        last = max(first + 1, int(action.end_s * THINKER_PER_S) - 1)
        said = f"choose frames between {first} and {last}"
    else:
        said = f"{OUTPUT} {_answer_of(action)}"
    return f"<think>{thought}</think><action>{said}</action>"


FRAMETHINKER = Grammar(
    "framethinker",
    _read_thinker,
    _write_thinker,
    "Reply with <think>..</think> and then one action inside <action>..</action>:\n"
    "`choose frames between START_FRAME and END_FRAME` shows you frames of that stretch,\n"
    "`get frame number at time MM:SS` tells you the number of a frame,\n"
    "`output answer: OPTION` is your answer.",
    has_thoughts=True,
    says_zooms=False,
)

# DynFrame ----------------------------------------------------------------------------------------

SPAN_EXAMPLE = "<span>12.50 - 15.00</span><fps>2</fps>"
NUMBER = r"(\d{1,15}(?:\.\d{0,15})?)"
SPAN = re.compile(rf"\s*+{NUMBER}\s*-\s*{NUMBER}\s*")


def _read_span(reply: str) -> Reading:
    """Reads a reply of DynFrame: a thought that stops at its span, or ends in an answer.

    Raises ReplyError.
    """
    text = reply.strip()
    before, opened, rest = text.partition("<span>")
    if not opened or "<answer>" in before:
        if END_OF_THOUGHT in text and THINK not in text:  # it continues an earlier thought
            reply = THINK + text
        _, body, is_well_formed, _ = read_tagged(
            reply, ("answer",), f"{SPAN_EXAMPLE} or an <answer>"
        )
        return Reading(Answer(body), is_well_formed)
    span, closed, rest = rest.partition("</span>")
    fps, ended, after = rest.partition("</fps>")
    found, rate = SPAN.fullmatch(span), re.fullmatch(rf"\s*+<fps>\s*{NUMBER}\s*", fps)
    if not closed or not ended or not found or not rate:
        raise ReplyError(f"span needs to be like {SPAN_EXAMPLE}, got {excerpt(opened + text)}")
    if "<span>" in after or "<answer>" in after:
        raise ReplyError(f"reply needs one {SPAN_EXAMPLE} or one answer, got more")
    call = ZoomCall(*(float(number) for number in (*found.groups(), rate[1])))
    is_well_formed = before.startswith(THINK) and before.count(THINK) == 1 and not after
    return Reading(call, is_well_formed and END_OF_THOUGHT not in before)


def _write_span(action: Action, thought: str) -> str:
    if isinstance(action, ZoomCall):
        start, end, fps = (_decimal(n) for n in (action.start_s, action.end_s, action.fps))
        return f"<think>{thought}<span>{start} - {end}</span><fps>{fps}</fps>"
    return f"<think>{thought}</think><answer>{_answer_of(action)}</answer>"


def _decimal(number: float) -> str:
    """Returns a number in full, without an exponent."""
    return f"{number:.12f}".rstrip("0").rstrip(".")


DYNFRAME = Grammar(
    "dynframe",
    _read_span,
    _write_span,
    "Think inside <think>. To see the frames of a stretch, in seconds, at a rate in frames per "
    f"second, write {SPAN_EXAMPLE} within your thought. Once you have seen enough, end your "
    "thought and answer: <think>..</think><answer>B</answer>.",
    stop="</fps>",
    has_thoughts=True,
)


def _answer_of(action: Action) -> str:
    """Returns the text of an answer. Raises ValueError for a call, which has no words here."""
    if isinstance(action, Answer):
        return action.text
    raise no_words(action)
