"""Checkpoints of a training run: where it stood, and whether that was its end."""

from pathlib import Path

from transformers import TrainerState
from transformers.trainer_utils import get_last_checkpoint

__all__ = ["has_ended", "last_checkpoint"]


def last_checkpoint(folder: Path) -> str | None:
    """Returns the last checkpoint in a folder, if there is one."""
    if not folder.is_dir():
        return None
    found: str | None = get_last_checkpoint(str(folder))  # type: ignore[no-untyped-call]
    return found


def has_ended(state: TrainerState) -> bool:
    """Returns whether nothing was left to do at the checkpoint that state comes from.

    Source: transformers 5.23 forgets it, and takes at least one more step.
    """
    assert isinstance(state.stateful_callbacks, dict)  # it makes one of the list that it is given
    ended: bool = state.stateful_callbacks["TrainerControl"]["args"]["should_training_stop"]
    return ended
