"""Small tasks that need one of three tools each, and an expert for them.

Where to look is plain: at all of the video, of which the overview shows only both ends. A symbol
shows for a moment, as a zoom shows; or tiny, as only a crop shows; or a voice names it. Questions
say which of these it is, or leave it open.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.synthetic import pictures
from agents.synthetic.reader import option_said, read_option, see, shown_in
from agents.synthetic.replies import SeededAgent, reply
from benchmarks.studies.small_tasks import NUM_ZOOMED, SMALL, small_env, small_tasks
from zoomgym.agent import Observation, episode_rng
from zoomgym.records import Record
from zoomgym.rules import (
    CROP,
    TRANSCRIPT,
    ZOOM,
    Action,
    Answer,
    CropCall,
    Cue,
    Segment,
    TranscriptCall,
    ZoomCall,
)
from zoomgym.tasks import AMBER, FPS, NUM_OPTIONS, Beacon, Family, Plan, Puzzle, Scene, Sign

LENGTH = 32 * FPS
"""Frames of the video from the first frame of the overview to the last."""
SHOWN_FRAMES = LENGTH // NUM_ZOOMED + 1
"""Frames that a symbol shows for a moment: so many that a zoom on the whole video sees it."""
CUE_FRAMES = FPS
"""Frames in which a voice names a symbol."""
MIDDLE = 0.4, 0.4, 0.6, 0.6
"""Box in which a tiny symbol shows, as in a small picture of its own."""
LEAST_PX = 12
"""Pixels a side of the smallest picture that is drawn there. In a whole frame, it would have six,
whose color tells the symbol."""
EVERY_TOOL = (ZOOM, CROP, TRANSCRIPT)


# Tasks --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class DetailScene(Scene):
    """A scene with a small picture in its middle, of a sign, which small frames do not show."""

    detail: tuple[Sign, ...] = ()

    def draw_marks(self, images: NDArray[np.uint8], indexes: NDArray[np.int64]) -> None:
        """Draws beacons and plates, and the small picture where there is room for it."""
        super().draw_marks(images, indexes)
        height, width = images.shape[1:3]
        left, top, right, bottom = MIDDLE
        rows = slice(round(top * height), round(bottom * height))
        columns = slice(round(left * width), round(right * width))
        if rows.stop - rows.start < LEAST_PX:
            return
        small = Scene(self.seed, self.num_frames, (), self.detail, self.contrast)
        small.draw_marks(images[:, rows, columns], indexes)


def _draw(plan: Plan, tool: str, question: str) -> Puzzle:
    """Draws a symbol that one tool tells."""
    names, beacon = plan.symbols(), Beacon(0, plan.num_frames, AMBER)
    start = int(plan.rng.integers(1, LENGTH - SHOWN_FRAMES))
    sign = Sign(start, start + SHOWN_FRAMES, names[0], plan.left())
    evidence, cues, scene = sign.segment, tuple[Cue, ...](), plan.scene([beacon], [])
    if tool == ZOOM:
        scene = plan.scene([beacon], [sign])
    elif tool == CROP:
        sign = replace(sign, first=0, end=plan.num_frames)
        evidence = sign.segment
        scene = DetailScene(
            scene.seed, scene.num_frames, scene.beacons, (), scene.contrast, detail=(sign,)
        )
    else:
        evidence = Segment(start / FPS, (start + CUE_FRAMES) / FPS)
        cues = (Cue(*evidence, f"This is the {names[0]}."),)
    return Puzzle(scene, question, names[0], tuple(names[1:NUM_OPTIONS]), (evidence,), cues)


BRIEF = "While the amber beacon is lit, a symbol shows for a moment. Which?"
TINY = "While the amber beacon is lit, a tiny symbol shows in the middle. Which?"
SPOKEN = "While the amber beacon is lit, a voice names a symbol. Which?"
OPEN = "While the amber beacon is lit, a symbol shows for a moment, or tiny, or is named. Which?"
SAID = {ZOOM: "small_brief", CROP: "small_tiny", TRANSCRIPT: "small_spoken"}
"""Families whose questions say what to look for, by the tool that they need."""
UNSAID = {ZOOM: "small_any_brief", CROP: "small_any_tiny", TRANSCRIPT: "small_any_spoken"}
"""Families that all ask the same question."""
NEEDED = {name: tool for names in (SAID, UNSAID) for tool, name in names.items()}
"""The tool that each family needs."""
QUESTIONS = {ZOOM: BRIEF, CROP: TINY, TRANSCRIPT: SPOKEN}


def _family(tool: str, question: str) -> Family:
    return Family(lambda plan: _draw(plan, tool, question), question, is_voiced=True)


TOOL_TASKS = {
    **{SAID[tool]: _family(tool, question) for tool, question in QUESTIONS.items()},
    **{name: _family(tool, OPEN) for tool, name in UNSAID.items()},
}


@contextmanager
def tool_tasks() -> Iterator[None]:
    """Adds small tasks, and those for tools, to all others, while they are played."""
    with small_tasks({**SMALL, **TOOL_TASKS}):
        yield


def tool_env(families: str, tools: Sequence[str], max_turns: int, **changes: Any) -> dict[str, Any]:
    """Returns the arguments of an environment of small tasks that offers tools.

    There is no bonus for calls, which a lucky guess after a call of a wrong tool would earn.
    """
    own: dict[str, Any] = {
        "duration_s": (LENGTH + 1) / FPS,
        "num_overview": 2,
        "grammar": "json",
        "tools": tuple(tools),
        "reward_weights": {"tool": 0.0},
    }
    return small_env(families, max_turns, **{**own, **changes})


# The expert ---------------------------------------------------------------------------------------


class Handy(SeededAgent):
    """Calls a tool for the whole video, and answers as soon as it knows.

    If a question says what to look for, it calls the tool that shows it; otherwise one tool after
    the other, in an order of its own. It guesses where no tool is left.

    Args:
        is_careless: whether it guesses in every other turn instead of calling, and calls any tool,
            whatever the question, and whether it did before.
    """

    def __init__(self, *, is_careless: bool = False) -> None:
        self._is_careless = is_careless

    def act(self, observation: Observation) -> str:
        """Calls a tool, or answers."""
        found = read_any(observation)
        if found:
            return reply(observation, Answer(found), "")
        rng = episode_rng(self._seed, observation)
        tools = self._useful(observation) if observation.turns_left > 1 else []
        if not tools or (self._is_careless and rng.random() < 0.5):
            return reply(observation, Answer(str(rng.choice(observation.options))), "")
        return reply(observation, _call(str(rng.choice(tools))), "")

    def _useful(self, observation: Observation) -> list[str]:
        """Returns the tools that it may call."""
        offered, tried = observation.rules.tools, {turn.tool for turn in observation.turns}
        if self._is_careless:
            return list(offered)
        asked = [one for one, question in QUESTIONS.items() if question == observation.question]
        return [tool for tool in asked or EVERY_TOOL if tool in offered and tool not in tried]


def _call(tool: str) -> Action:
    """Returns the call of a tool that shows, or tells, what it can of the whole video."""
    end_s = LENGTH / FPS
    if tool == ZOOM:
        return ZoomCall(0.0, end_s, NUM_ZOOMED / end_s)
    if tool == TRANSCRIPT:
        return TranscriptCall(0.0, end_s)
    return CropCall(*MIDDLE, at_s=0.0)  # when no other symbol shows


def read_any(observation: Observation) -> str | None:
    """Returns the option that frames, crops or words tell, if any."""
    crops = [clip for clip, turn in shown_in(observation) if turn.crop]
    seen = [name for clip in crops for name in see(clip).plates(pictures.symbols())]
    tiny = next((name for name in seen if name in observation.options), None)
    return tiny or option_said(observation) or read_option(observation)


# Measures -----------------------------------------------------------------------------------------


def calls(record: Record, tool: str = "") -> float:
    """Returns the turns with a call of a tool, or of any."""
    return float(sum(1 for one in record.turns if one.tool and (not tool or one.tool == tool)))


def calls_in_vain(record: Record) -> float:
    """Returns the turns with a call of a tool that does not tell the answer."""
    return calls(record) - calls(record, NEEDED[record.task.category])
