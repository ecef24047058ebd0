"""An episode: its state, and the rules of a turn.

Pure values: `advance` takes an episode and a reply and returns the next episode. Frames are times
here; nothing is decoded.
"""

from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal, TypeAlias

from zoomgym.errors import CallError, ReplyError
from zoomgym.grading import STRICT, Grader, Segment
from zoomgym.io import UNPRINTABLE, brief, is_whole_number, number_of
from zoomgym.rules.actions import (
    ONLY_ZOOM,
    TOOLS,
    TRANSCRIPT,
    ZOOM,
    Answer,
    TranscriptCall,
    ZoomCall,
)
from zoomgym.rules.budget import FrameBudget
from zoomgym.rules.grammar import GRAMMARS, MAX_REPLY_CHARS, read_reply
from zoomgym.rules.overview import UNIFORM, Overview, check_times
from zoomgym.rules.question import VideoQuestion
from zoomgym.rules.timeline import overview_times
from zoomgym.rules.transcript import Tell, say_nothing

LAST_TURN = "This is the last turn: only an answer counts."
MOST_OVERVIEW = 10_000
MOST = {
    "frames_per_zoom": 10_000,
    "frame_budget": 100_000,
    "max_turns": 100,
}
MOST_NAME_CHARS = 1000
LATER = ("overview", "tools")
"""Rules that records hold only where they are not the default: the first records lack them."""
OUT_OF_TURNS = "The episode is over: no turns are left."


@dataclass(frozen=True, slots=True)
class Rules:
    """The numbers an episode is played by. Raises ValueError if they leave no episode to play."""

    grammar: str = "json"
    num_overview: int | tuple[int, ...] = 64
    """Frames of the overview; they count against the budget. Of several, which end in ascending
    order, one is drawn for each episode."""
    frames_per_zoom: int = 16
    frame_budget: int = 128
    """Frames in all, overview and clips."""
    max_turns: int = 5
    """Replies in all; the last one must answer."""
    overview: str = UNIFORM
    """Name of what picks the times of the overview."""
    tools: tuple[str, ...] = ONLY_ZOOM
    """Names of the tools that are offered, see `TOOLS`; they end in that order."""

    def __post_init__(self) -> None:
        """Refuses numbers that leave no episode to play."""
        if not isinstance(self.grammar, str) or self.grammar not in GRAMMARS:
            raise ValueError(f"grammar needs one of {list(GRAMMARS)}, got {brief(self.grammar)}")
        sizes = _sizes(self.num_overview)
        object.__setattr__(self, "num_overview", sizes if len(sizes) > 1 else sizes[0])
        for name, most in MOST.items():
            value = getattr(self, name)
            if not is_whole_number(value, 1, most):
                raise ValueError(
                    f"{name} needs a whole number from 1 to {most}, got {brief(value)}"
                )
        if self.frame_budget < sizes[-1]:
            raise ValueError(
                f"frame_budget needs room for the overview of {sizes[-1]} frames, "
                f"got {self.frame_budget}: raise it or lower num_overview"
            )
        name = self.overview
        if not isinstance(name, str) or not name.strip() or UNPRINTABLE.search(name):
            raise ValueError(f"overview needs a name on one line, got {brief(name)}")
        if len(name) > MOST_NAME_CHARS:
            raise ValueError(
                f"overview needs a name of at most {MOST_NAME_CHARS} characters, got {len(name)}"
            )

        object.__setattr__(self, "tools", _tools(self.tools))
        if self.tools != ONLY_ZOOM and not GRAMMARS[self.grammar].read_calls:
            raise ValueError(
                f"grammar {self.grammar} knows no tool but zoom, got tools {list(self.tools)}: "
                "give grammar='json'"
            )

    @property
    def overview_sizes(self) -> tuple[int, ...]:
        """Numbers of frames that an overview may have, ascending."""
        sizes = self.num_overview
        return sizes if isinstance(sizes, tuple) else (sizes,)

    @property
    def is_overview_fixed(self) -> bool:
        """Whether the rules and the video alone say the times of the overview."""
        return self.overview == UNIFORM and len(self.overview_sizes) == 1

    @property
    def max_clip_frames(self) -> int:
        """The most frames that all zooms of an episode can show."""
        by_turns = (self.max_turns - 1) * self.frames_per_zoom
        return min(by_turns, self.frame_budget - self.overview_sizes[0])

    @property
    def order(self) -> tuple[Any, ...]:
        """What rules are sorted by."""
        return tuple({**asdict(self), "num_overview": self.overview_sizes}.values())

    def by_name(self) -> dict[str, Any]:
        """Returns the rules by their names, as JSON holds them; `LATER` ones if they are set."""
        default = {one.name: one.default for one in fields(self)}
        rules = asdict(self)
        if isinstance(self.num_overview, tuple):
            rules["num_overview"] = list(self.num_overview)
        rules["tools"] = list(self.tools)
        return {
            name: value
            for name, value in rules.items()
            if name not in LATER or getattr(self, name) != default[name]
        }


def _sizes(num_overview: object) -> tuple[int, ...]:
    """Returns the numbers of frames that an overview may have, ascending. Raises ValueError."""
    sizes = tuple(num_overview) if isinstance(num_overview, tuple | list) else (num_overview,)
    are_numbers = all(is_whole_number(size, 0, MOST_OVERVIEW) for size in sizes)
    if not sizes or not are_numbers or len(set(sizes)) < len(sizes):
        raise ValueError(
            f"num_overview needs a whole number from 0 to {MOST_OVERVIEW}, or several that differ, "
            f"got {brief(num_overview)}"
        )
    return tuple(sorted(sizes))


def _tools(tools: object) -> tuple[str, ...]:
    """Returns names of tools in the order of TOOLS. Raises ValueError."""
    names = tuple(tools) if isinstance(tools, tuple | list) else (tools,)
    are_known = all(isinstance(name, str) and name in TOOLS for name in names)
    if not names or not are_known or len(set(names)) < len(names):
        raise ValueError(f"tools needs one or more of {list(TOOLS)}, got {brief(tools)}")
    return tuple(name for name in TOOLS if name in names)


ErrorKind: TypeAlias = Literal["", "unreadable", "impossible", "refused"]
"""The action was not clear; a zoom had numbers that fit no video; or the episode forbade it."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One reply and what came back."""

    reply: str
    """The raw text as the agent sent it, cut where it is too long."""
    is_well_formed: bool
    zoom: ZoomCall | None = None
    """The zoom that was executed, with its end cut to the video."""
    error: str = ""
    """Why the reply was not executed, in words; see `error_kind`."""
    feedback: str = ""
    """Text that the agent reads afterwards."""
    transcript: TranscriptCall | None = None
    """The call for a transcript that was executed, with its end cut to the video."""
    told: str = ""
    """What a call was told, which is in the feedback, too; empty if nothing is said there."""


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
        return tuple(turn.zoom for turn in self.turns if turn.zoom)

    @property
    def clip_s(self) -> tuple[float, ...]:
        """Seconds of all clip frames, in the order in which they were shown."""
        return tuple(time_s for zoom in self.zooms for time_s in zoom.times_s)

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
    episode: Episode, reply: str, grader: Grader = STRICT, tell: Tell = say_nothing
) -> Episode:
    """Plays one turn and returns the next episode.

    A bad reply is data, not a crash: it costs a turn and its error is the next feedback.

    Args:
        episode: before the turn.
        reply: the agent's raw text, untrusted.
        grader: of answers to open-ended questions; asked once, when the answer comes.
        tell: returns what a call for a transcript is told.

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
        _check_call(episode, reading.action)
        if isinstance(reading.action, TranscriptCall):
            return _tell(episode, Turn(reply, is_well_formed), reading.action, tell)
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


def _check_call(episode: Episode, call: ZoomCall | TranscriptCall) -> None:
    """Raises ReplyError if no such call may be made now, whatever it asks for."""
    tool = ZOOM if isinstance(call, ZoomCall) else TRANSCRIPT
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
    return _end_turn(episode, replace(turn, transcript=call, told=told), said)


def _zoom(episode: Episode, turn: Turn, call: ZoomCall) -> Episode:
    """Returns the episode after a zoom call. Raises ReplyError if the call is refused."""
    zoom = call.cut_to(episode.duration_s)
    num_frames = zoom.num_frames
    budget = episode.budget.spend(num_frames)
    said = (
        f"Zoom {len(episode.zooms) + 1}: {number_of(num_frames, 'frame')} of "
        f"[{zoom.start_s:.2f}, {zoom.end_s:.2f}) s at {zoom.fps:g} fps."
    )
    if zoom.end_s < call.end_s:
        said += f" The end was cut from {call.end_s:.2f} to {zoom.end_s:.2f}, the video's end."
    return _end_turn(replace(episode, budget=budget), turn, said, zoom)


def _end_turn(episode: Episode, turn: Turn, said: str, zoom: ZoomCall | None = None) -> Episode:
    """Returns the episode with turn added; its feedback is what was said and what is left."""
    turns_left = episode.turns_left - 1
    outlook = OUT_OF_TURNS
    if turns_left:
        outlook = f"Frames left: {episode.budget.left}. Turns left: {turns_left}."
    if turns_left == 1:
        outlook += f" {LAST_TURN}"
    gap = "" if said.endswith("\n") else " "
    turn = replace(turn, zoom=zoom, feedback=f"{said}{gap}{outlook}")
    return replace(episode, turns=(*episode.turns, turn))
