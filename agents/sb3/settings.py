"""Settings of a training run, saved in a JSON file beside the model."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from zoomgym.envs import Form
from zoomgym.io import brief
from zoomgym.rules import Rules

ALGORITHMS = ("ppo", "maskable", "recurrent")
MODEL = "model.zip"
SETTINGS = "settings.json"
LAYOUT = 2
"""Version of a policy's weights and of what it sees; 1, which wrote none, read pictures."""


@dataclass(frozen=True, slots=True)
class PPOSettings:
    """Settings of a training run. Numbers of PPO have SB3's names."""

    algorithm: str = field(default="maskable", metadata={"choices": ALGORITHMS})
    """Algorithm: maskable leaves out what the rules refuse; recurrent has a memory."""
    env: dict[str, Any] = field(default_factory=dict)
    """Arguments of ZoomEnvDiscrete."""
    seed: int = 0
    """Seed of weights, environments and actions."""
    num_envs: int = 32
    """Environments that are played side by side."""
    in_processes: bool = False
    """Whether each environment has its own process: worth it where decoding is slow."""
    num_threads: int = 1
    """Threads of PyTorch; 0 leaves the number to it. Small networks gain nothing from more."""
    total_timesteps: int = 100_000
    """Steps of training, of all environments together."""
    eval_every: int = 10_000
    """Steps between two evaluations on test tasks."""
    eval_episodes: int = 100
    """Test episodes of an evaluation."""
    checkpoint_every: int = 10_000
    """Steps between two checkpoints."""
    learning_rate: float = 1e-3
    """Learning rate at the start; it falls to zero in a straight line."""
    n_steps: int = 64
    """Steps of each environment between two updates."""
    batch_size: int = 128
    """Steps in one gradient step."""
    n_epochs: int = 10
    """How often an update goes over its steps."""
    ent_coef: float = 0.003
    """Weight of the entropy bonus."""
    gamma: float = 1.0
    """Discount of later rewards."""
    gae_lambda: float = 0.95
    """Lambda of generalized advantage estimation."""
    hidden: int = 128
    """Width of the layer before the value, and of a recurrent policy's memory."""


def save_settings(folder: Path, settings: PPOSettings, form: Form) -> None:
    """Writes settings, and the form in which episodes are seen, into folder."""
    row = {"layout": LAYOUT, **asdict(settings), "form": asdict(form)}
    (folder / SETTINGS).write_text(json.dumps(row, indent=2) + "\n")


def load_settings(folder: Path) -> PPOSettings:
    """Returns the settings in folder. Raises OSError if there are none; ValueError: see `_read`."""
    row = _read(folder)
    del row["form"], row["layout"]
    return PPOSettings(**row)


def load_form(folder: Path) -> Form:
    """Returns the form in which a policy in folder sees episodes. Raises OSError if none is."""
    row = _read(folder)["form"]
    return Form(
        **{
            **row,
            "rules": Rules(**row["rules"]),
            "answers": tuple(row["answers"]),
            "rates": tuple(row["rates"]),
        }
    )


def _read(folder: Path) -> dict[str, Any]:
    """Returns what `save_settings` wrote into folder.

    Raises:
        OSError: there is no such file.
        ValueError: the policy has another layout.
    """
    if not (folder / SETTINGS).is_file():
        raise FileNotFoundError(
            f"{folder}: needed the folder of a run, got none with {SETTINGS}: name the --out of "
            "`python -m agents.sb3 train`"
        )
    row: dict[str, Any] = json.loads((folder / SETTINGS).read_text())
    if (layout := row.get("layout", 1)) != LAYOUT:
        raise ValueError(
            f"{folder}: needed a policy of layout {LAYOUT}, got {brief(layout)}: train it again "
            "with this version, or play it with the version that trained it"
        )
    return row
