"""The grammar of VTS, which walks a tree of segments: into a child, out, or beside.

A node has four equal children if it lasts at least a minute. An episode begins at the root, whose
frames are the overview; each move shows the frames of the node that it reaches.

Source: CeeZh/VTS, rl/utils/prompt_utils.py (commit 541b1b7) and infer/inference.py (cb674f1).
"""

import json
import math
from dataclasses import dataclass
from typing import Any

from zoomgym.errors import CallError, ReplyError
from zoomgym.grading import Segment
from zoomgym.rules.actions import Action, Answer, ZoomCall
from zoomgym.rules.reading import (
    Grammar,
    Reading,
    excerpt,
    load_object,
    no_words,
    number_in,
)
from zoomgym.rules.relative import RelativeCall, SpreadCall, Standing
from zoomgym.rules.tag_grammar import read_tagged

CHILDREN = 4
SPLIT_S = 60.0
"""A node that is shorter has no children."""
ZOOM_IN, ZOOM_OUT, SHIFT, ANSWER = "ZOOM_IN", "ZOOM_OUT", "SHIFT", "ANSWER"
MOVE_EXAMPLE = '<action>{"action": "ZOOM_IN", "segment_id": 2}</action>'
ANSWER_EXAMPLE = (
    '<action>{"action": "ANSWER", "answer": "B", "evidence_start": 12.5, "evidence_end": 15.0}'
    "</action>"
)
MOST_ID, MOST_LEVEL = 10**6, 20


@dataclass(frozen=True, slots=True)
class TreeNode:
    """A node of the tree over a video: the place-th of all nodes of its level, from 0."""

    level: int
    place: int

    def segment(self, duration_s: float) -> Segment:
        """Returns the stretch that it covers."""
        count = CHILDREN**self.level
        return Segment(self.place * duration_s / count, (self.place + 1) * duration_s / count)

    def children(self, duration_s: float) -> list["TreeNode"]:
        """Returns its children; none of a leaf."""
        start_s, end_s = self.segment(duration_s)
        if end_s - start_s < SPLIT_S:
            return []
        return [TreeNode(self.level + 1, CHILDREN * self.place + k) for k in range(CHILDREN)]

    @property
    def parent(self) -> "TreeNode":
        """The node above. The root is its own."""
        return TreeNode(self.level - 1, self.place // CHILDREN) if self.level else self


def node_of(segment: Segment, duration_s: float) -> TreeNode:
    """Returns the node that covers a segment, which is one's; the nearest one if it is none's."""
    share = max((segment.end_s - segment.start_s) / duration_s, CHILDREN**-MOST_LEVEL)
    level = max(0, round(-math.log(share, CHILDREN)))
    return TreeNode(level, round(segment.start_s / duration_s * CHILDREN**level))


@dataclass(frozen=True, slots=True)
class TreeMove(RelativeCall):
    """A move from the node that was shown last."""

    kind: str
    segment_id: int = 0

    def fit(self, standing: Standing) -> ZoomCall:
        """Returns the zoom that shows the node it reaches. Raises CallError if there is none."""
        duration_s = standing.duration_s
        here = TreeNode(0, 0)
        if standing.zooms:
            here = node_of(standing.zooms[-1].segment, duration_s)
        if self.kind == ZOOM_OUT:
            if not here.level:
                raise CallError("ZOOM_OUT needs a parent, got none: this is the whole video")
            there = here.parent
        else:
            above = here if self.kind == ZOOM_IN else here.parent
            nodes = above.children(duration_s)
            known = [k for k, node in enumerate(nodes) if node != here]
            if self.kind == SHIFT and not here.level:
                known = []
            if self.segment_id not in known:
                raise CallError(
                    f"{self.kind} needs a segment_id of {known}, got {self.segment_id}: "
                    "there is no such segment"
                )
            there = nodes[self.segment_id]
        segment = there.segment(duration_s)
        length_s = segment.end_s - segment.start_s
        num_frames = max(1.0, math.floor(length_s) + 1.0)  # one a second, and the last
        return SpreadCall(*segment, num_frames, is_capped=True).fit(standing)


def children_at(segment: Segment, duration_s: float) -> list[Segment]:
    """Returns the segments of the children of the node that covers a segment."""
    nodes = node_of(segment, duration_s).children(duration_s)
    return [node.segment(duration_s) for node in nodes]


def describe_node(segment: Segment, duration_s: float) -> str:
    """Returns where a node is in its tree, and which moves there are."""
    node = node_of(segment, duration_s)
    lines = [f"Current Position: {_bounds(segment)}"]
    if node.level:
        lines.append(f"Parent: {_bounds(node.parent.segment(duration_s))}")
    targets = {"ZOOM_IN": node.children(duration_s)}
    if node.level:
        targets["SHIFT"] = node.parent.children(duration_s)
    for name, nodes in targets.items():
        named = [
            f"Segment {k} {_bounds(one.segment(duration_s))}"
            for k, one in enumerate(nodes)
            if one != node
        ]
        if named:
            lines.append(f"Valid {name} targets: {', '.join(named)}")
    return "\n".join(lines)


def _bounds(segment: Segment) -> str:
    return f"[{segment.start_s:.1f}s-{segment.end_s:.1f}s]"


def _read_vts(reply: str) -> Reading:
    """Reads a reply of VTS. Raises ReplyError."""
    forms = f"{MOVE_EXAMPLE} or {ANSWER_EXAMPLE}"
    _, body, is_well_formed, _ = read_tagged(reply, ("action",), forms)
    row = load_object(body, MOVE_EXAMPLE)
    if not isinstance(row, dict) or not isinstance(row.get("action"), str):
        raise ReplyError(f"action needs to be like {MOVE_EXAMPLE}, got {excerpt(row)}")
    kind = row["action"]
    if kind == ANSWER:
        return Reading(_answer(row), is_well_formed)
    if kind not in (ZOOM_IN, ZOOM_OUT, SHIFT):
        raise ReplyError(
            f"action needs to be ZOOM_IN, ZOOM_OUT, SHIFT or ANSWER, got {excerpt(kind)}"
        )
    if kind == ZOOM_OUT:
        return Reading(TreeMove(kind), is_well_formed)
    number = number_in(row.get("segment_id"), kind)
    if not number.is_integer() or not 0 <= number <= MOST_ID:
        raise CallError(f"{kind} needs a whole segment_id, got {number:g}: see the valid targets")
    return Reading(TreeMove(kind, int(number)), is_well_formed)


def _answer(row: dict[str, Any]) -> Answer:
    """Returns the answer in an object; evidence that is no stretch is left out."""
    text = row.get("answer")
    if not isinstance(text, str):
        raise ReplyError(f"ANSWER needs an answer like {ANSWER_EXAMPLE}, got {excerpt(text)}")
    return Answer(text.strip(), _evidence(row))


def _evidence(row: dict[str, Any]) -> tuple[Segment, ...]:
    try:
        start_s, end_s = (number_in(row.get(f"evidence_{end}"), ANSWER) for end in ("start", "end"))
        return (ZoomCall(start_s + 0.0, end_s, 1.0).segment,)
    except ReplyError:
        return ()


def _write_vts(action: Action, thought: str) -> str:
    if not isinstance(action, Answer):
        raise no_words(action)
    row: dict[str, Any] = {"action": ANSWER, "answer": action.text}
    if action.evidence:
        row["evidence_start"], row["evidence_end"] = action.evidence[0]
    return f"<think>{thought}</think><action>{json.dumps(row)}</action>"


VTS = Grammar(
    "vts",
    _read_vts,
    _write_vts,
    "The video is a tree of segments. Reply with <think>..</think> and then one action:\n"
    f"ZOOM_IN, into a child, and SHIFT, to a sibling, name a segment, {MOVE_EXAMPLE}\n"
    "ZOOM_OUT goes back to the parent.\n"
    f"ANSWER ends the search and names your evidence in seconds, {ANSWER_EXAMPLE}",
    has_thoughts=True,
    says_zooms=False,
    samples=tuple(
        f'<think></think><action>{{"action": "{kind}", "segment_id": {k}}}</action>'
        for kind in (ZOOM_IN, SHIFT)
        for k in range(CHILDREN)
    ),
)
