"""Which trajectories are worth learning from."""

from agents.synthetic.evidence import is_shown
from zoomgym.errors import RecordError
from zoomgym.records import Record, replay
from zoomgym.rules.episode import Episode

__all__ = ["verify"]


def verify(record: Record, first_turn: int = 0) -> str:
    """Returns why a trajectory is not to be learned from; empty if it is.

    Args:
        record: of a finished episode.
        first_turn: the first turn to learn. How the replies before it are written does not matter:
            they may be the mistakes that it mends.
    """
    if record.answer is None:
        return "never answered"
    if not record.is_graded:
        return "ungraded"
    if record.reward_parts.accuracy != 1:
        return "wrong answer"
    if any(turn.error or not turn.is_well_formed for turn in record.turns[first_turn:]):
        return "not well-formed or refused"
    if record.frames_used > record.rules.frame_budget:
        return "over budget"
    try:
        episode = replay(record)
    except RecordError:
        return "does not replay"
    return "" if _has_seen_evidence(episode) else "evidence not seen"


def _has_seen_evidence(episode: Episode) -> bool:
    """Returns whether all of the evidence, if any is known, was shown: else the answer was luck."""
    seen_s = (*episode.overview_s, *episode.clip_s)
    task = episode.task
    return all(is_shown(task.question, segment, seen_s) for segment in task.evidence)
