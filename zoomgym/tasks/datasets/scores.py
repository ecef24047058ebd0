"""What a benchmark's own score says, read strictly and as its own scorer would."""

from dataclasses import dataclass

from zoomgym.grading import Segment
from zoomgym.rules import VideoQuestion


@dataclass(frozen=True, slots=True)
class Graded:
    """An answer to a task of a benchmark, and how it was graded."""

    task: VideoQuestion
    answer: str | None
    is_right: bool
    named: tuple[Segment, ...] = ()
    """The evidence that the answer names."""


@dataclass(frozen=True, slots=True)
class GroupScore:
    """The accuracy within a group, read strictly and officially."""

    kind: str
    name: str
    num_tasks: int
    strict: float
    official: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """A benchmark's own score, from the strict reading and from the official one."""

    num_tasks: int
    strict: float
    official: float
    is_macro: bool
    groups: tuple[GroupScore, ...]
    parted: tuple[Graded, ...]
    """Answers on which the readings differ; `is_right` is the strict one."""
    name: str = "all"
    """What the score is: the mean over all tasks, or something else."""
