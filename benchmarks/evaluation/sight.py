"""What the frames of a recorded episode showed of its evidence."""

from collections.abc import Sequence

from agents.synthetic.evidence import missing_parts
from zoomgym.records import Record
from zoomgym.rules.actions import ZoomCall
from zoomgym.rules.timeline import Segment, overview_times

__all__ = ["covers", "missed", "zooms_of"]


def zooms_of(record: Record) -> list[ZoomCall]:
    """Returns the zooms that delivered frames, in order."""
    return [turn.zoom for turn in record.turns if turn.zoom]


def missed(record: Record, zooms: Sequence[ZoomCall]) -> list[Segment]:
    """Returns the parts of the evidence that neither the overview nor these zooms show.

    Args:
        record: of an episode; without evidence, nothing is missed.
        zooms: of the same episode.
    """
    times_s = [*overview_times(record.last_frame_s, record.rules.num_overview)]
    times_s += [time_s for zoom in zooms for time_s in zoom.times_s]
    return missing_parts(record.task.question, record.task.evidence, times_s)


def covers(zoom: ZoomCall, part: Segment) -> bool:
    """Returns whether a zoom that does not show a part stretches over at least half of it.

    (It starts before the part: a zoom shows the frame at its start.)
    """
    return zoom.start_s < part.start_s and zoom.end_s >= (part.start_s + part.end_s) / 2
