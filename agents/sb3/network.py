"""The network of a policy on ZoomEnvDiscrete: it reads frames, and judges zooms bin by bin."""

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from numpy.typing import NDArray
from sb3_contrib.common.maskable.policies import MaskableMultiInputActorCriticPolicy
from stable_baselines3.common.policies import MultiInputActorCriticPolicy
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from stable_baselines3.common.type_aliases import Schedule
from torch import Tensor, nn
from torch.nn import functional

from zoomgym.envs import COLUMNS

WHITE = 255
"""Brightness of the brightest pixel."""
GRAY = 0.4
"""Brightness of an ordinary frame, as a share of white, which is subtracted."""
NUM_MARKS = 8
"""Channels of a token in every bin of the video."""
NEVER = 2.0
"""Time of empty places: after the end."""
HIDDEN = 64
SMALL = 0.01
"""Initial scale of the last layers: every choice is about equally likely."""
REFUSED = -1e8
"""Logit of a choice that the rules would refuse: its probability is 0."""


class CellExtractor(BaseFeaturesExtractor):
    """Reads the cells of an observation (see `cells`) one by one.

    One layer makes a token of every frame; SB3's own network, whose filters straddle the cells of
    the montage, learns nothing here. Features are of two kinds. *By bin*: what the overview and the
    clips show in each bin of the time grid, and whether a clip has been there. *In all*: four pools
    of the clips' tokens, for what was shown, what came first, how much there was of it and what
    followed what; then the vectors of the observation.

    Only cells with a frame are computed, and each frame once, however many observations show it:
    see `CellBuffer`.

    Raises:
        ValueError: the rules leave no room for a zoom.
    """

    def __init__(
        self, space: spaces.Dict, overview_rows: int, num_bins: int, num_channels: int = 32
    ) -> None:
        shape = space["cells"].shape
        assert shape is not None
        num_cells, num_values = shape
        self._num_overview = overview_rows * COLUMNS
        if num_cells <= self._num_overview:
            raise ValueError("a policy needs rules with room for a zoom: raise max_turns")
        vectors = sum(spaces.flatdim(space[name]) for name in ("offered", "asked", "left"))
        self.num_bins, self.bin_dim = num_bins, 2 * NUM_MARKS + 1
        self.context_dim = 4 * num_channels + vectors
        super().__init__(space, num_bins * self.bin_dim + self.context_dim)
        self.see = nn.Linear(num_values, num_channels)
        self.token = nn.Sequential(nn.ReLU(), nn.Linear(num_channels, num_channels), nn.ReLU())
        self.mark = nn.Sequential(nn.Linear(num_channels, NUM_MARKS), nn.ReLU())
        self.before = nn.Linear(num_channels, num_channels, bias=False)
        self.after = nn.Linear(num_channels, num_channels)

    def forward(self, observations: Mapping[str, Tensor]) -> Tensor:
        """Returns (batch, features_dim): bins by channels, flattened, and then the context."""
        times = observations["times"]
        frames, places = _frames(observations)
        tokens = self._tokens(frames)
        marks = self.mark(tokens)
        first = self._num_overview
        clip_times, clip_places = times[:, first:], places[:, first:]
        bins = [
            self._overview_by_bin(marks, places[:, :first], times[:, :first]),
            self._by_bin(marks, clip_places, clip_times),
            self._visited(clip_times),
        ]
        return torch.cat(
            [
                torch.cat(bins, dim=2).flatten(1),
                self._pool(tokens, clip_places, clip_times),
                observations["offered"],
                observations["asked"],
                observations["left"],
            ],
            dim=1,
        )

    def _tokens(self, cells: Tensor) -> Tensor:
        """Returns a token (frames, channels) for each of cells (frames, values), 0 to 255."""
        weight = self.see.weight / WHITE  # shifts and scales the few weights, not all the values
        bias = self.see.bias - GRAY * self.see.weight.sum(dim=1)
        tokens: Tensor = self.token(functional.linear(cells.float(), weight, bias))
        return tokens

    def _bins(self, times: Tensor) -> Tensor:
        """Returns the bin of each time."""
        return (times * self.num_bins).long().clamp(max=self.num_bins - 1)

    def _overview_by_bin(self, marks: Tensor, places: Tensor, times: Tensor) -> Tensor:
        """Returns what `_by_bin` does, computed once where neighbors show the same overview."""
        if not places.shape[1]:
            return self._by_bin(marks, places, times)
        is_other = places[:, 0] != places[:, 0].roll(1)
        is_other[0] = True
        by_bin = self._by_bin(marks, places[is_other], times[is_other])
        return by_bin.index_select(0, is_other.cumsum(0) - 1)

    def _by_bin(self, marks: Tensor, places: Tensor, times: Tensor) -> Tensor:
        """Returns (batch, bins, marks): the most of each mark in each bin, 0 in those without."""
        rows, columns = (places >= 0).nonzero(as_tuple=True)
        bins = rows * self.num_bins + self._bins(times[rows, columns])
        bins, order = bins.sort()
        shown = places[rows, columns][order]
        most = _pool(marks, shown, bins, len(times) * self.num_bins, "max")
        return most.reshape(len(times), self.num_bins, -1)

    def _visited(self, times: Tensor) -> Tensor:
        """Returns (batch, bins, 1): 1 for each bin with one of the times."""
        rows, columns = (times >= 0).nonzero(as_tuple=True)
        visited = times.new_zeros(len(times), self.num_bins, 1)
        visited[rows, self._bins(times[rows, columns])] = 1
        return visited

    def _pool(self, tokens: Tensor, places: Tensor, times: Tensor) -> Tensor:
        """Returns four pools of the tokens of clips, shown at times: (batch, 4 * channels)."""
        first = times.where(times >= 0, NEVER).amin(dim=1, keepdim=True)
        length = times.amax(dim=1, keepdim=True) - first
        earliness = (1 - (times - first) / length.clamp(min=1e-6)).clamp(0, 1)
        rows, columns = (places >= 0).nonzero(as_tuple=True)
        shown = places[rows, columns]
        is_clip = torch.zeros_like(tokens[:, 0], dtype=torch.bool)
        is_clip[shown] = True
        [of_clips] = is_clip.nonzero(as_tuple=True)
        clips = tokens.index_select(0, of_clips)
        shown = (is_clip.cumsum(0) - 1)[shown]
        early = clips.index_select(0, shown) * earliness[rows, columns].unsqueeze(1)
        pairs = torch.relu(self.before(clips)[:-1] + self.after(clips)[1:])  # of adjacent frames
        later, few = columns > 0, COLUMNS  # sums are of its order, not of all cells'
        return torch.cat(
            [
                _pool(clips, shown, rows, len(times), "max"),
                _pool(early, torch.arange(len(rows), device=rows.device), rows, len(times), "max"),
                _pool(clips, shown, rows, len(times), "sum") / few,
                _pool(pairs, shown[later] - 1, rows[later], len(times), "sum") / few,
            ],
            dim=1,
        )


def _frames(observations: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
    """Returns all frames (frames, values), and which is in each cell: (batch, cells), -1: none."""
    cells = observations["cells"]
    if "places" in observations:
        return cells, observations["places"]
    is_shown = observations["times"] >= 0
    numbers = is_shown.flatten().cumsum(0).reshape(is_shown.shape) - 1
    [shown] = is_shown.flatten().nonzero(as_tuple=True)
    return cells.flatten(0, 1).index_select(0, shown), numbers.where(is_shown, -1)


def _pool(table: Tensor, items: Tensor, owners: Tensor, num_owners: int, mode: str) -> Tensor:
    """Returns (num_owners, channels): maximum or sum of each owner's rows of table, 0 of none.

    Owners, one an item, ascend.
    """
    counts = torch.bincount(owners, minlength=num_owners)
    if not len(items):  # a table without rows cannot be looked up
        return table.new_zeros(num_owners, table.shape[1])
    return functional.embedding_bag(items, table, counts.cumsum(0) - counts, mode=mode)


class MenuHead(nn.Module):
    """Turns the features of CellExtractor into a logit for every choice of a menu.

    A linear layer would have to learn for each place on its own that a lit beacon is worth a zoom.
    Here one convolution over the bins says how much each kind of zoom, at each start, is worth:
    what is learned in one place holds everywhere.

    The menu lists zooms of all lengths, in bins, from every start, and then answers.
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
        self._shape, self._lengths = (num_bins, bin_dim), tuple(lengths)
        self.look = nn.Conv1d(bin_dim, HIDDEN, 2 * max(lengths) + 1, padding=max(lengths))
        self.aim = nn.Linear(context_dim, HIDDEN)
        self.zoom = nn.Linear(HIDDEN, len(lengths))
        self.read = nn.Sequential(nn.Linear(context_dim, HIDDEN), nn.ReLU())
        self.say = nn.Linear(HIDDEN, num_answers + 1)
        with torch.no_grad():
            for parameter in (*self.zoom.parameters(), *self.say.parameters()):
                parameter.mul_(SMALL)

    def forward(self, features: Tensor) -> Tensor:
        """Returns (batch, choices) logits."""
        flat, context = features.tensor_split([prod(self._shape)], dim=1)
        bins = flat.reshape(-1, *self._shape).transpose(1, 2)
        seen = self.look(bins).transpose(1, 2)
        worth = self.zoom(torch.relu(seen + self.aim(context).unsqueeze(1)))
        answers = self.say(self.read(context))
        starts = [self._shape[0] - length + 1 for length in self._lengths]
        zooms = torch.cat([worth[:, :count, kind] for kind, count in enumerate(starts)], dim=1)
        return torch.cat([zooms + answers[:, -1:], answers[:, :-1]], dim=1)


def _add_head(policy: Any, lengths: Sequence[int], lr_schedule: Schedule) -> None:
    """Replaces the last layer of a policy by a MenuHead."""
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
    """Turns a policy of SB3 into one with a MenuHead. Needs `net_arch={"pi": [], ..}`.

    Choices are drawn and judged without SB3's objects for distributions and without its copies of
    observations as floats: both would take longer than the network.
    """

    def __init__(self, *args: Any, lengths: Sequence[int], **kwargs: Any) -> None:
        self._lengths = tuple(lengths)
        super().__init__(*args, **kwargs)

    def _build(self, lr_schedule: Schedule) -> None:
        """Builds the networks and the optimizer."""
        super()._build(lr_schedule)  # type: ignore[misc]
        _add_head(self, self._lengths, lr_schedule)

    def forward(
        self: Any,
        obs: Mapping[str, Tensor],
        deterministic: bool = False,
        action_masks: NDArray[np.bool_] | None = None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Returns choices, values and the choices' log-probabilities, one for each observation."""
        features = self.features_extractor(obs)
        log_probs = self._log_probs(features, action_masks)
        choices = _choose(log_probs, deterministic)
        chosen = log_probs.gather(1, choices.unsqueeze(1)).squeeze(1)
        return choices, self._values(features), chosen

    @torch.inference_mode()
    def _predict(
        self: Any,
        observation: Mapping[str, Tensor],
        deterministic: bool = False,
        action_masks: NDArray[np.bool_] | None = None,
    ) -> Tensor:
        """Returns a choice for each observation."""
        features = self.features_extractor(observation)
        return _choose(self._log_probs(features, action_masks), deterministic)

    def evaluate_actions(
        self: Any,
        obs: Mapping[str, Tensor],
        actions: Tensor,
        action_masks: Tensor | None = None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Returns values, log-probabilities of actions, and entropies, one for each observation."""
        features = self.features_extractor(obs)
        log_probs = self._log_probs(features, action_masks)
        chosen = log_probs.gather(1, actions.long().unsqueeze(1)).squeeze(1)
        return self._values(features), chosen, -(log_probs.exp() * log_probs).sum(dim=1)

    def _values(self: Any, features: Tensor) -> Tensor:
        """Returns the value of each observation: (batch, 1)."""
        values: Tensor = self.value_net(self.mlp_extractor.forward_critic(features))
        return values

    def _log_probs(
        self: Any, features: Tensor, action_masks: NDArray[np.bool_] | Tensor | None
    ) -> Tensor:
        """Returns the log-probability of every choice: (batch, choices)."""
        logits: Tensor = self.action_net(features)
        if action_masks is not None:
            masks = torch.as_tensor(action_masks, dtype=torch.bool, device=logits.device)
            logits = logits.masked_fill(~masks.reshape(logits.shape), REFUSED)
        return logits.log_softmax(dim=1)


def _choose(log_probs: Tensor, deterministic: bool) -> Tensor:
    """Returns the most likely choices, or draws some: (batch,)."""
    if deterministic:
        return log_probs.argmax(dim=1)
    return torch.multinomial(log_probs.exp(), 1).squeeze(1)


class MenuPolicy(WithMenuHead, MultiInputActorCriticPolicy):  # type: ignore[misc]
    """SB3's policy for Dict observations, with a MenuHead."""


class MaskableMenuPolicy(  # type: ignore[misc]
    WithMenuHead, MaskableMultiInputActorCriticPolicy
):
    """The same for MaskablePPO."""
