"""Whether zooms fall on the evidence: at all, at once, or after a wrong start."""

from benchmarks.evaluation.metrics import Metric
from benchmarks.evaluation.sight import missed, zooms_of
from zoomgym.records import Record
from zoomgym.rules.actions import ZoomCall

__all__ = ["GROUNDING"]


def _hits(record: Record) -> list[bool]:
    """Returns for each zoom whether a frame of it fell on the evidence; none without evidence."""
    return [_falls_on(record, zoom) for zoom in zooms_of(record)] if record.task.evidence else []


def _falls_on(record: Record, zoom: ZoomCall) -> bool:
    """Returns whether a frame of a zoom lies in a segment of the evidence."""
    return any(segment.holds(time_s) for segment in record.task.evidence for time_s in zoom.times_s)


def _on_evidence(record: Record) -> float | None:
    """Returns 1 if a frame of any zoom fell on the evidence."""
    hits = _hits(record)
    return float(any(hits)) if hits else None


def _first_right(record: Record) -> float | None:
    """Returns 1 if a frame of the first zoom fell on the evidence."""
    hits = _hits(record)
    return float(hits[0]) if hits else None


def _recovered(record: Record) -> float | None:
    """Returns 1 if, after a first zoom that was wrong, a frame of a later one fell on it."""
    hits = _hits(record)
    return float(any(hits)) if hits and not hits[0] else None


def _saw_all(record: Record) -> float | None:
    """Returns 1 if overview and zooms showed all the evidence, as well as the question needs it."""
    return float(not missed(record, zooms_of(record))) if _hits(record) else None


GROUNDING = (
    Metric("on evidence", "", _on_evidence, True),
    Metric("first zoom right", "", _first_right, True),
    Metric("recovered", "", _recovered, True),
    Metric("saw all", "", _saw_all, True),
)
"""Of episodes with evidence and a zoom; `recovered` only of those whose first zoom was wrong."""
