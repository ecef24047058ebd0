"""Draws frames without replacement by their scores, and the loss of such draws.

A draw takes one frame after the other, each with a probability that is proportional to the
exponential of its score, among those that are left (the distribution of Plackett and Luce).
"""

import torch
from torch import Tensor


def draw(scores: Tensor, num_frames: int, group_size: int, generator: torch.Generator) -> Tensor:
    """Returns which frames are drawn, in the order of drawing: (B, group_size, num_frames).

    Source: the largest sums of a score and Gumbel noise are such a draw (Kool et al., 2019).

    Args:
        scores: (B, N), one for each frame.
        num_frames: how many of the N frames are drawn.
        group_size: draws of each row.
        generator: of the noise.
    """
    batch, num_scanned = scores.shape
    waits = torch.empty(batch, group_size, num_scanned).exponential_(generator=generator)
    noisy = scores.detach()[:, None] - waits.log()
    return noisy.topk(num_frames, dim=2).indices


def log_probs(scores: Tensor, drawn: Tensor) -> Tensor:
    """Returns the log-probability of each draw, in its order: (B, G).

    Args:
        scores: (B, N).
        drawn: (B, G, K) of `draw`, fewer than N.
    """
    all_scores = scores[:, None].expand(-1, drawn.shape[1], -1)
    chosen = all_scores.gather(2, drawn)
    rest = all_scores.scatter(2, drawn, -torch.inf).logsumexp(dim=2, keepdim=True)
    later = chosen.flip(2).logcumsumexp(dim=2).flip(2)  # of each chosen frame and those after it
    return (chosen - torch.logaddexp(later, rest)).sum(dim=2)


def policy_loss(log_probs: Tensor, rewards: Tensor) -> Tensor:
    """Returns a loss whose gradient is, on average, that of the expected reward, negated.

    The baseline of a draw is the mean reward of the others in its group, which it does not depend
    on.

    Args:
        log_probs: (B, G), two draws or more in each group.
        rewards: (B, G).
    """
    group_size = rewards.shape[1]
    others = (rewards.sum(dim=1, keepdim=True) - rewards) / (group_size - 1)
    return -((rewards - others) * log_probs).mean()
