"""An episode: its state, and the rules of a turn.

Pure values: `advance` takes an episode and a reply and returns the next episode. Frames are times
here; nothing is decoded.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

from zoomgym.errors import CallError, ReplyError
from zoomgym.grading import STRICT, Grader, Segment
from zoomgym.io import brief, number_of
from zoomgym.rules.actions import (
    ONLY_ZOOM,
    TOOL_OF,
    ZOOM,
    Answer,
    Call,
    CropCall,
    FindCall,
    FrameCall,
    TranscriptCall,
    ZoomCall,
)
from zoomgym.rules.budget import FrameBudget
from zoomgym.rules.grammar import MAX_REPLY_CHARS, read_reply
from zoomgym.rules.overview import UNIFORM, Overview, check_times
from zoomgym.rules.peers import layout_of
from zoomgym.rules.question import VideoQuestion
from zoomgym.rules.relative import RelativeCall, Remark, Standing
from zoomgym.rules.search import Find, Found, find_nothing
from zoomgym.rules.settings import Rules
from zoomgym.rules.timeline import overview_times
from zoomgym.rules.transcript import Tell, say_nothing
from zoomgym.rules.turn import LAST_TURN, Turn

OUT_OF_TURNS = "The episode is over: no turns are left."

ErrorKind: TypeAlias = Literal["", "unreadable", "impossible", "refused"]
"""The action was not clear; a zoom had numbers that fit no video; or the episode forbade it."""


@dataclass(frozen=True, slots=True)
class Episode:
    """One agent on one task, from reset to its end."""

    key: str
    """Names the episode; agents key their state and randomness by it."""
    task: VideoQuestion
    rules: Rules
    duration_s: float
    last_frame_s: float
    budget: FrameBudget
    overview_s: tuple[float, ...]
    """Seconds: the times of the overview, ascending."""
    frames_scanned: int = 0
    """Frames that were looked at to pick those of the overview. They are not shown or paid for."""
    turns: tuple[Turn, ...] = ()
    answer: str | None = None
    """The answer action's own text; None until there is one."""
    is_right: bool = False
    graded_by: str = STRICT.name
    named: tuple[Segment, ...] = ()
    """The evidence that the answer names, see `Answer`."""

    @property
    def zooms(self) -> tuple[ZoomCall, ...]:
        """The zooms that were executed, in order."""
        return tuple(zoom for turn in self.turns for zoom in turn.all_zooms)

    @property
    def shown(self) -> tuple[FrameCall, ...]:
        """The calls that showed frames, in order: each has shown a clip."""
        return tuple(turn.shown for turn in self.turns if turn.shown)

    @property
    def clip_s(self) -> tuple[float, ...]:
        """Seconds of all clip frames, in the order in which they were shown."""
        return tuple(time_s for call in self.shown for time_s in call.times_s)

    @property
    def all_scanned(self) -> int:
        """Frames that were looked at so far, to pick the overview and in searches."""
        return self.frames_scanned + sum(turn.frames_scanned for turn in self.turns)

    @property
    def frames_used(self) -> int:
        """Frames shown so far, overview and clips."""
        return self.rules.frame_budget - self.budget.left

    @property
    def turns_left(self) -> int:
        """Replies the agent may still send."""
        return 0 if self.is_over else self.rules.max_turns - len(self.turns)

    @property
    def is_over(self) -> bool:
        """Whether an answer came or the turns ran out."""
        return bool(self.end_reason)

    @property
    def end_reason(self) -> str:
        """`answered`, `out_of_turns`, or empty while the episode goes on."""
        if self.answer is not None:
            return "answered"
        return "out_of_turns" if len(self.turns) == self.rules.max_turns else ""

    @property
    def feedback(self) -> str:
        """Text that the agent reads now."""
        if self.turns:
            return self.turns[-1].feedback
        return LAST_TURN if self.rules.max_turns == 1 else ""


def start(
    task: VideoQuestion,
    duration_s: float,
    last_frame_s: float,
    rules: Rules,
    key: str,
    overview: Overview | None = None,
) -> Episode:
    """Returns a new episode on a task, with the overview paid for.

    Args:
        task: to play.
        duration_s: seconds of its video.
        last_frame_s: time of the last frame.
        rules: to play by.
        key: names the episode.
        overview: as it was picked; may be None if the rules fix it (see `is_overview_fixed`).

    Raises:
        ValueError: the overview is not one of this video by these rules.
    """
    if overview is None:
        if not rules.is_overview_fixed:
            raise ValueError(
                f"an episode with overviews of {brief(rules.num_overview)} frames by "
                f"{brief(rules.overview)} needs the times that were picked, got none"
            )
        overview = Overview(overview_times(last_frame_s, rules.overview_sizes[0]))
    else:
        check_times(overview.times_s, rules.overview_sizes, duration_s, last_frame_s)
        if rules.overview == UNIFORM and overview.times_s != overview_times(
            last_frame_s, len(overview.times_s)
        ):
            raise ValueError("a uniform overview needs evenly spread times, got others")
    budget = FrameBudget(rules.frame_budget - len(overview.times_s), rules.frames_per_zoom)
    return Episode(key, task, rules, duration_s, last_frame_s, budget, *overview)


def advance(
    episode: Episode,
    reply: str,
    grader: Grader = STRICT,
    tell: Tell = say_nothing,
    find: Find = find_nothing,
) -> Episode:
    """Plays one turn and returns the next episode.

    A bad reply is data, not a crash: it costs a turn and its error is the next feedback.

    Args:
        episode: before the turn.
        reply: the agent's raw text, untrusted.
        grader: of answers to open-ended questions; asked once, when the answer comes.
        tell: returns what a call for a transcript is told.
        find: returns what a search finds; may raise VideoError and FinderError.

    Raises:
        ValueError: the episode is over.
        GradingError: the grader cannot tell now whether the answer is right.
    """
    if episode.is_over:
        raise ValueError(f"the episode is over ({episode.end_reason}): reset before the next reply")
    is_well_formed = False
    reply = reply[: MAX_REPLY_CHARS + 1]  # the rest is refused unread, and no record would hold it
    try:
        reading = read_reply(reply, episode.rules.grammar, episode.rules.tools)
        is_well_formed = reading.is_well_formed
        if isinstance(reading.action, Answer):
            return _answer(episode, Turn(reply, is_well_formed), reading.action, grader)
        if isinstance(reading.action, Remark):
            return _end_turn(episode, Turn(reply, is_well_formed), reading.action.text)
        _check_call(episode, reading.action)
        if isinstance(reading.action, TranscriptCall):
            return _tell(episode, Turn(reply, is_well_formed), reading.action, tell)
        if isinstance(reading.action, FindCall):
            return _find(episode, Turn(reply, is_well_formed), reading.action, find)
        if isinstance(reading.action, CropCall):
            return _crop(episode, Turn(reply, is_well_formed), reading.action)
        if reading.further:
            calls = (reading.action, *reading.further)
            return _zoom_all(episode, Turn(reply, is_well_formed), calls)
        return _zoom(episode, Turn(reply, is_well_formed), reading.action)
    except ReplyError as error:
        return _end_turn(episode, Turn(reply, is_well_formed, error=str(error)), f"{error}.")


def error_kind(turn: Turn, grammar: str, tools: tuple[str, ...] = ONLY_ZOOM) -> ErrorKind:
    """Returns why a reply was not executed, told from the reply itself; empty if it was.

    Records hold no kinds, and messages are for people: code that needs the kind asks here.
    """
    if not turn.error:
        return ""
    try:
        read_reply(turn.reply, grammar, tools)
    except CallError:
        return "impossible"
    except ReplyError:
        return "unreadable"
    return "refused"


def _answer(episode: Episode, turn: Turn, answer: Answer, grader: Grader) -> Episode:
    """Returns the episode after an answer: it is over and graded. Raises GradingError."""
    return replace(
        episode,
        turns=(*episode.turns, turn),
        answer=answer.text,
        named=answer.evidence,
        is_right=episode.task.grade(answer.text, grader),
        graded_by=(STRICT if episode.task.options else grader).name,
    )


def _check_call(episode: Episode, call: Call | RelativeCall) -> None:
    """Raises ReplyError if no such call may be made now, whatever it asks for."""
    tool = ZOOM if isinstance(call, RelativeCall) else TOOL_OF[type(call)]
    if episode.turns_left == 1:
        raise ReplyError(f"the last turn needs an answer, got a {tool}: it was not executed")
    if tool not in episode.rules.tools:
        offered = " or ".join(episode.rules.tools)
        raise ReplyError(f"{tool} is not offered: use {offered}, or answer")


def _tell(episode: Episode, turn: Turn, call: TranscriptCall, tell: Tell) -> Episode:
    """Returns the episode after a call for a transcript. Raises ReplyError if it is refused."""
    call = call.cut_to(episode.duration_s)
    told = tell(call)
    stretch = f"[{call.start_s:.2f}, {call.end_s:.2f}) s"
    said = f"Said in {stretch}:\n{told}\n" if told else f"Nothing is said in {stretch}."
    return _end_turn(episode, turn, said, transcript=call, told=told)


def _find(episode: Episode, turn: Turn, call: FindCall, find: Find) -> Episode:
    """Returns the episode after a search. Raises ReplyError if it is refused.

    The same search finds the same again, and looks at nothing.
    """
    call = call.cut_to(episode.duration_s)
    alike = next((before for before in episode.turns if before.find == call), None)
    found = Found(alike.found_s) if alike else find(call)
    stretch = f"[{call.start_s:.2f}, {call.end_s:.2f}) s"
    times = ", ".join(f"{time_s:.2f}" for time_s in found.times_s)
    said = f"Found in {stretch}, the best match first: {times} s."
    if not times:
        said = f"Nothing in {stretch} matches."
    found_s, frames_scanned = found
    return _end_turn(episode, turn, said, find=call, found_s=found_s, frames_scanned=frames_scanned)


def _crop(episode: Episode, turn: Turn, call: CropCall) -> Episode:
    """Returns the episode after a crop call. Raises ReplyError if the call is refused."""
    call.check_in(episode.duration_s)
    if not episode.budget.left:
        raise ReplyError("crop needs 1 frame, and none is left: answer now")
    said = (
        f"Crop {len(episode.shown) + 1}: left {call.left:g}, top {call.top:g}, "
        f"right {call.right:g}, bottom {call.bottom:g} of the frame at {call.at_s:.2f} s."
    )
    return _end_turn(episode, turn, said, episode.budget.spend(call.num_frames), crop=call)


def _zoom(episode: Episode, turn: Turn, call: ZoomCall | RelativeCall) -> Episode:
    """Returns the episode after a zoom call. Raises ReplyError if the call is refused."""
    budget, zoom, said = _zoomed(episode, episode.budget, call, len(episode.shown) + 1)
    return _end_turn(episode, turn, said, budget, zoom=zoom)


def _zoom_all(episode: Episode, turn: Turn, calls: Sequence[ZoomCall | RelativeCall]) -> Episode:
    """Returns the episode after several zoom calls, in order: what is refused shows nothing.

    The calls after one that the budget has no frame for are not tried. Raises ReplyError if all of
    them are refused.
    """
    budget = episode.budget
    zooms, sayings, errors = list[ZoomCall](), list[str](), list[str]()
    for number, call in enumerate(calls, start=len(episode.shown) + 1):
        try:
            budget, zoom, said = _zoomed(episode, budget, call, number)
        except ReplyError as refusal:
            errors.append(str(refusal))
            if not budget.left:
                break
            continue
        zooms.append(zoom)
        sayings.append(said)
    if not zooms:
        raise ReplyError("; ".join(errors))
    said = "\n".join([*sayings, *(f"{one}." for one in errors)])
    turn = replace(turn, error="; ".join(errors))
    return _end_turn(episode, turn, said, budget, zooms=tuple(zooms))


def _zoomed(
    episode: Episode, budget: FrameBudget, call: ZoomCall | RelativeCall, number: int
) -> tuple[FrameBudget, ZoomCall, str]:
    """Returns the budget with a zoom paid for, the zoom as it is executed, and what is said.

    Raises ReplyError if the call is refused.
    """
    if isinstance(call, RelativeCall):
        standing = Standing(episode.duration_s, episode.rules.frames_per_zoom, episode.zooms)
        call = call.fit(standing)
    zoom = call.cut_to(episode.duration_s)
    num_frames = zoom.num_frames
    budget = budget.spend(num_frames)
    said = (
        f"Zoom {number}: {number_of(num_frames, 'frame')} of "
        f"[{zoom.start_s:.2f}, {zoom.end_s:.2f}) s at {zoom.fps:g} fps."
    )
    if zoom.end_s < call.end_s:
        said += f" The end was cut from {call.end_s:.2f} to {zoom.end_s:.2f}, the video's end."
    return budget, zoom, said


def _end_turn(
    episode: Episode, turn: Turn, said: str, budget: FrameBudget | None = None, **done: Any
) -> Episode:
    """Returns the episode with turn added; its feedback is what was said and what is left.

    Args:
        episode: before the turn.
        turn: with its reply, and what was wrong with it.
        said: of what was done.
        budget: that is left, if frames were shown.
        done: fields of the turn that tell what was done. Set here, as a copy takes its time.
    """
    budget = budget or episode.budget
    turns_left = episode.turns_left - 1
    outlook = OUT_OF_TURNS
    if turns_left:
        outlook = f"Frames left: {budget.left}. Turns left: {turns_left}."
    if turns_left == 1:
        outlook += f" {LAST_TURN}"
    gap = "" if said.endswith("\n") else " "
    feedback = f"{said}{gap}{outlook}"
    if turns_left and (layout := layout_of(episode.rules.preset)):
        parts = layout.parts(
            zooms=replace(turn, **done).all_zooms,
            error=turn.error,
            said=said,
            question=episode.task.asked,
            duration_s=episode.duration_s,
            turn=len(episode.turns) + 2,
            is_last=turns_left == 1,
        )
        feedback = "\n".join(filter(None, parts))
    turn = replace(turn, feedback=feedback, **done)
    return replace(episode, budget=budget, turns=(*episode.turns, turn))
