"""Resuming of a training run, with the same settings and to the same end."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from peft import PeftModel
from transformers.trainer_utils import get_last_checkpoint

from agents.qwen.model.loading import restore_weights

SETTINGS = "settings.json"


def keep_settings(
    folder: Path, settings: Any, *, resume: bool, stages: Sequence[Path] = ()
) -> None:
    """Writes settings into a folder, or checks that they are those of the run to resume.

    Raises ValueError, and writes nothing, if a run is in the way, missing, or of other settings.
    """
    path = folder / SETTINGS
    given = json.loads(json.dumps(asdict(settings), default=str))
    if not resume:
        for place in (*stages, folder):
            if last_checkpoint(place):
                raise ValueError(
                    f"{place}: needed a new folder, got one with checkpoints: resume that run, or "
                    "choose another folder"
                )
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(given, indent=1) + "\n", encoding="utf-8")
        return
    if not path.exists():
        raise ValueError(f"{path}: needed a run to resume, got none: start it without resume")
    kept = json.loads(path.read_text(encoding="utf-8"))
    for name in given | kept:
        if given.get(name) != kept.get(name):
            raise ValueError(
                f"{path}: needed the settings of the run to resume, {name}={kept.get(name)!r}, "
                f"got {given.get(name)!r}"
            )


def last_checkpoint(folder: Path) -> str | None:
    """Returns the last checkpoint in a folder, if there is one."""
    if not folder.is_dir():
        return None
    found: str | None = get_last_checkpoint(str(folder))  # type: ignore[no-untyped-call]
    return found


class Resumable:
    """A trainer of TRL whose resumed runs end as if they had not stopped.

    Source: transformers 5.23 takes one more step of a run that had ended, and skips weights that
    are saved under the names of the released models.
    """

    def _run_epoch(self: Any, **given: Any) -> None:
        """Runs an epoch, unless the resumed run had ended."""
        control = self.state.stateful_callbacks["TrainerControl"]
        if control["args"]["should_training_stop"]:
            self.control.should_training_stop = True
        else:
            super()._run_epoch(**given)  # type: ignore[misc]

    def _load_from_checkpoint(self: Any, resume_from_checkpoint: str, model: Any = None) -> None:
        """Loads the weights of the checkpoint to resume."""
        if not self._restore(resume_from_checkpoint):
            super()._load_from_checkpoint(resume_from_checkpoint, model)  # type: ignore[misc]

    def _load_best_model(self: Any) -> None:
        """Loads the weights of the best checkpoint."""
        if not self._restore(self.state.best_model_checkpoint):
            super()._load_best_model()  # type: ignore[misc]

    def _restore(self: Any, folder: str) -> bool:
        """Loads the weights in a folder, if they are whole; returns whether it did."""
        if self.is_deepspeed_enabled or self.is_fsdp_enabled or isinstance(self.model, PeftModel):
            return False
        restore_weights(self.accelerator.unwrap_model(self.model), folder)
        return True
