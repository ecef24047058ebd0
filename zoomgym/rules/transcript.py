"""What is said in a video: lines with their times, and the text that a call for them returns."""

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeAlias

from zoomgym.io import number_of
from zoomgym.rules.actions import TranscriptCall

MOST_TRANSCRIPT_CHARS = 2000
"""Most characters that one call returns."""
MOST_MORE_CHARS = 60
"""Room for the note that more was said."""


class Cue(NamedTuple):
    """Words said in [start_s, end_s), in seconds from the first frame."""

    start_s: float
    end_s: float
    text: str

    def __str__(self) -> str:
        """Returns it as agents read it."""
        return f"[{self.start_s:.1f}, {self.end_s:.1f}] {self.text}"


Tell: TypeAlias = Callable[[TranscriptCall], str]
"""Returns what a call is told; empty if nothing is said there."""


def say_nothing(call: TranscriptCall) -> str:
    """Tells nothing: there is no transcript."""
    return ""


def told(cues: Sequence[Cue], call: TranscriptCall) -> str:
    """Returns the lines that are said in the stretch of a call, in order, one a line.

    Lines beyond MOST_TRANSCRIPT_CHARS characters are counted instead; a single long line is cut.
    """
    lines = [
        str(cue) for cue in sorted(cues) if cue.start_s < call.end_s and cue.end_s > call.start_s
    ]
    if sum(len(line) + 1 for line in lines) <= MOST_TRANSCRIPT_CHARS + 1:
        return "\n".join(lines)
    shown, room = [], MOST_TRANSCRIPT_CHARS - MOST_MORE_CHARS
    for line in lines:
        if room < len(line) + 1:
            break
        shown.append(line)
        room -= len(line) + 1
    if not shown:
        shown = [f"{lines[0][: room - 3]}.."]
    if left_out := len(lines) - len(shown):
        shown.append(f"({number_of(left_out, 'more line')}: ask for a shorter stretch)")
    return "\n".join(shown)
