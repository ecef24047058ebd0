"""Settings of a training, saved in a JSON file beside the weights."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from zoomgym.io import brief

WEIGHTS = "selector.pt"
SETTINGS = "settings.json"
LAYOUT = 1
"""Version of a selector's weights and of what it sees."""


@dataclass(frozen=True, slots=True)
class SelectorSettings:
    """Settings of a training. Raises ValueError for those that cannot train."""

    env: dict[str, Any] = field(default_factory=dict)
    """Arguments of ZoomEnv that say which tasks are trained on."""
    num_frames: tuple[int, ...] = (8, 16, 32)
    """Frames of an overview: one number, or several, of which each update draws one."""
    scan_fps: float = 2.0
    """Frames that are scanned in each second, up to 1024 in all. An event that is shorter than the
    time between two of them can be missed."""
    seed: int = 0
    """Seed of weights, tasks and draws."""
    num_updates: int = 100
    """Steps of the optimizer."""
    batch_size: int = 16
    """Tasks of an update."""
    group_size: int = 16
    """Overviews that are drawn and read for each task of an update; their mean is the baseline."""
    learning_rate: float = 2e-3
    """Learning rate at the start; it falls to zero in a straight line."""
    hidden: int = 32
    """Numbers that the network keeps of each frame."""

    def __post_init__(self) -> None:
        """Refuses what cannot train."""
        for name, least in (
            *(("seed", 0), ("num_updates", 1), ("batch_size", 1)),
            *(("group_size", 2), ("hidden", 1)),
        ):
            if getattr(self, name) < least:
                raise ValueError(f"{name} needs {least} or more, got {getattr(self, name)}")
        if not self.num_frames or min(self.num_frames) < 1:
            raise ValueError(f"num_frames needs numbers from 1 on, got {self.num_frames}")
        for name in ("scan_fps", "learning_rate"):
            if not 0 < getattr(self, name) < float("inf"):
                raise ValueError(f"{name} needs a number above 0, got {getattr(self, name)}")


def save_settings(folder: Path, settings: SelectorSettings) -> None:
    """Writes settings into folder."""
    row = {"layout": LAYOUT, **asdict(settings)}
    (folder / SETTINGS).write_text(json.dumps(row, indent=2) + "\n")


def load_settings(folder: Path) -> SelectorSettings:
    """Returns the settings in folder. Raises ValueError if there are none that can be read."""
    path = folder / SETTINGS
    if not path.is_file():
        raise ValueError(
            f"{folder}: needed the folder of a selector, got none with {SETTINGS}: name the --out "
            "of `python -m agents.selector train`"
        )
    try:
        row = json.loads(path.read_text(encoding="utf-8"))
        layout = row.pop("layout")
        if layout == LAYOUT:
            return SelectorSettings(**{**row, "num_frames": tuple(row["num_frames"])})
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ValueError(f"{path}: needed the settings of a selector, got {error!r}") from error
    raise ValueError(
        f"{path}: needed a selector of layout {LAYOUT}, got {brief(layout)}: train it again with "
        "this version, or use the version that trained it"
    )
