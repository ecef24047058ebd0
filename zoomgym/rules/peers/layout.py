"""How a peer lays an episode out for its model: texts around the frames, as data.

Texts have fields in braces, which `str.format` fills; what fills them is never read as a field.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from zoomgym.grading import Segment
from zoomgym.rules.actions import ZoomCall
from zoomgym.rules.relative import grid_index
from zoomgym.rules.turn import LAST_TURN

Divide: TypeAlias = Callable[[Segment, float], Sequence[Segment]]
Describe: TypeAlias = Callable[[Segment, float], str]


@dataclass(frozen=True, slots=True)
class MessageLayout:
    """Texts of a conversation. Each is empty if the peer has none."""

    system: str = "{lesson}"
    """First message. Fields: lesson, turns, frames (a zoom at most), num_overview."""
    before: str = ""
    """User's text before the overview. Fields: those of `system`, question (with its options), and
    those of `of_stretch`."""
    after: str = "{question}"
    """User's text after the overview, with the same fields."""
    label: str = ""
    """Before every frame. Fields: index (from 0 in each message), time_s, clock (MM:SS), frame."""
    joint: str = ""
    """Between a frame and the label of the next."""
    shown: str = ""
    """Text of a turn that showed frames. Fields: those of `of_stretch`, question, turn (its
    number, from 1, of the next reply)."""
    told: str = "{said}"
    """Text of a turn that showed none: what was said."""
    refused: str = "{error}"
    """Text of a turn that was refused. Fields: error, turn, question."""
    last: str = LAST_TURN
    """Added before the last turn."""
    opens: str = "<tool_response>\n"
    """Before what comes back from a turn."""
    closes: str = "\n</tool_response>"
    is_text_first: bool = False
    """Whether the text of a turn is before its frames."""
    per_s: float = 0.0
    """Rate of the grid that counts frames, see `GridCall`; 0 if there is none."""
    most_steps: float = 1e9
    divide: Divide | None = None
    """Returns the parts of a stretch: each begins with its number and times."""
    describe: Describe | None = None
    """Returns what fills the field place."""

    def labels(self, segment: Segment, times_s: Sequence[float], duration_s: float) -> list[str]:
        """Returns what is before each frame of a stretch."""
        parts = list(self.divide(segment, duration_s)) if self.divide else []
        labels, opened = list[str](), 0
        for index, time_s in enumerate(times_s):
            head = ""
            while opened < len(parts) and parts[opened].start_s <= time_s + 1e-6:
                start_s, end_s = parts[opened]
                head = f"\nSegment {opened} [{start_s:.1f}s-{end_s:.1f}s]:\n"
                opened += 1
            said = self.label.format(
                index=index,
                time_s=time_s,
                clock=clock(time_s),
                frame=self._frame(time_s, duration_s),
            )
            labels.append(f"{self.joint if index else ''}{head}{said}")
        return labels

    def of_stretch(
        self, segment: Segment, times_s: Sequence[float], duration_s: float
    ) -> dict[str, object]:
        """Returns the fields that tell a stretch, its frames, and the length of the video."""
        frames = [self._frame(time_s, duration_s) for time_s in times_s]
        return {
            "start_s": segment.start_s,
            "end_s": segment.end_s,
            "num_frames": len(times_s),
            "times": ",".join(f"{time_s:.1f}s" for time_s in times_s),
            "frames_at": frames,
            "place": self.describe(segment, duration_s) if self.describe else "",
            "duration_s": duration_s,
            "seconds": int(duration_s),
            "clock": clock(duration_s),
        }

    def parts(
        self,
        *,
        zooms: Sequence[ZoomCall],
        error: str,
        said: str,
        question: str,
        duration_s: float,
        turn: int,
        is_last: bool,
    ) -> list[str]:
        """Returns the texts of a turn: of each zoom that it showed, and what else is said.

        Args:
            zooms: that were executed.
            error: why the reply, or one of its calls, was refused; empty if none was.
            said: what a turn that showed no frames tells.
            question: with its options.
            duration_s: of the video.
            turn: number of the next reply, from 1.
            is_last: whether that is the last one.
        """
        fields: dict[str, object] = {"question": question, "turn": turn, "error": error}
        parts = [
            self.shown.format(**fields, **self.of_stretch(zoom.segment, zoom.times_s, duration_s))
            for zoom in zooms
        ]
        if error:
            parts.append(self.refused.format(**fields))
        elif not zooms:
            parts.append(self.told.format(said=said, **fields))
        return [*parts, self.last] if is_last and self.last else parts

    def _frame(self, time_s: float, duration_s: float) -> int:
        """Returns the number of a frame on the grid; 0 if there is none."""
        return grid_index(time_s, duration_s, self.per_s, self.most_steps) if self.per_s else 0


def clock(time_s: float) -> str:
    """Returns a time as MM:SS."""
    minutes, seconds = divmod(int(time_s), 60)
    return f"{minutes:02d}:{seconds:02d}"
