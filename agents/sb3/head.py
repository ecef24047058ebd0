"""How a policy chooses from the menu of ZoomEnvDiscrete: where to zoom is judged bin by bin."""

from collections.abc import Sequence
from math import prod
from typing import Any

import torch
from sb3_contrib.common.maskable.policies import MaskableMultiInputActorCriticPolicy
from stable_baselines3.common.policies import MultiInputActorCriticPolicy
from stable_baselines3.common.type_aliases import Schedule
from torch import Tensor, nn

from agents.sb3.extractor import CellExtractor

__all__ = ["MaskableMenuPolicy", "MenuHead", "MenuPolicy"]

HIDDEN = 64
SMALL = 0.01
"""Scale of the last layers at the start: so every choice is about as likely."""


class MenuHead(nn.Module):
    """Turns the features of CellExtractor into a logit for every choice of a menu.

    A linear layer would have to learn for each place on its own that a lit beacon is worth a zoom.
    Here one convolution over the bins says how much each kind of zoom, at each start, is worth:
    what is learned in one place holds everywhere.

    Args:
        num_bins: of the time grid.
        bin_dim: features of a bin.
        context_dim: features of all else.
        lengths: in bins, of every kind of zoom, in the order of the menu.
        num_answers: that come after the zooms.
    """

    def __init__(
        self,
        num_bins: int,
        bin_dim: int,
        context_dim: int,
        lengths: Sequence[int],
        num_answers: int,
    ) -> None:
        super().__init__()
        self._shape, self._lengths = (bin_dim, num_bins), tuple(lengths)
        self.look = nn.Conv1d(bin_dim, HIDDEN, 2 * max(lengths) + 1, padding=max(lengths))
        self.aim = nn.Linear(context_dim, HIDDEN)
        self.zoom = nn.Conv1d(HIDDEN, len(lengths), 1)
        self.read = nn.Sequential(nn.Linear(context_dim, HIDDEN), nn.ReLU())
        self.say = nn.Linear(HIDDEN, num_answers + 1)
        with torch.no_grad():
            for parameter in (*self.zoom.parameters(), *self.say.parameters()):
                parameter.mul_(SMALL)

    def forward(self, features: Tensor) -> Tensor:
        """Returns (batch, choices) logits."""
        flat, context = features.tensor_split([prod(self._shape)], dim=1)
        bins = flat.reshape(-1, *self._shape)
        worth = self.zoom(torch.relu(self.look(bins) + self.aim(context).unsqueeze(2)))
        answers = self.say(self.read(context))
        starts = [self._shape[1] - length + 1 for length in self._lengths]
        zooms = torch.cat([worth[:, kind, :count] for kind, count in enumerate(starts)], dim=1)
        return torch.cat([zooms + answers[:, -1:], answers[:, :-1]], dim=1)


def _add_head(policy: Any, lengths: Sequence[int], lr_schedule: Schedule) -> None:
    """Puts a MenuHead in the place of the last layer of a policy."""
    extractor = policy.features_extractor
    assert isinstance(extractor, CellExtractor)
    num_zooms = sum(extractor.num_bins - length + 1 for length in lengths)
    policy.action_net = MenuHead(
        extractor.num_bins,
        extractor.bin_dim,
        extractor.context_dim,
        lengths,
        policy.action_space.n - num_zooms,
    )
    policy.optimizer = policy.optimizer_class(
        policy.parameters(), lr=lr_schedule(1), **policy.optimizer_kwargs
    )


class WithMenuHead:
    """What turns a policy of SB3 into one with a MenuHead. Wants `net_arch={"pi": [], ..}`."""

    def __init__(self, *args: Any, lengths: Sequence[int], **kwargs: Any) -> None:
        self._lengths = tuple(lengths)
        super().__init__(*args, **kwargs)

    def _build(self, lr_schedule: Schedule) -> None:
        """Builds the networks and the optimizer."""
        super()._build(lr_schedule)  # type: ignore[misc]
        _add_head(self, self._lengths, lr_schedule)


class MenuPolicy(WithMenuHead, MultiInputActorCriticPolicy):
    """SB3's policy for Dict observations, with a MenuHead."""


class MaskableMenuPolicy(WithMenuHead, MaskableMultiInputActorCriticPolicy):
    """The same for MaskablePPO."""
