"""Draws without replacement: their probabilities, and the gradient of what they earn."""

from itertools import permutations

import torch

from agents.selector.choice import draw, log_probs, policy_loss

NUM_FRAMES, NUM_DRAWN = 4, 2
SCORES = torch.tensor([[0.3, -1.0, 1.2, 0.1]], dtype=torch.float64)
DRAWS = torch.tensor([list(permutations(range(NUM_FRAMES), NUM_DRAWN))])
"""All draws of two of four frames: (1, 12, 2)."""
REWARDS = torch.tensor(
    [[float({1, 2} <= {*one} or 3 in one) for one in DRAWS[0].tolist()]]
).double()
"""Frame 3 is enough, or else frames 1 and 2 together."""
MANY = 200_000


def test_the_probability_of_a_draw_is_that_of_taking_one_frame_after_the_other() -> None:
    weights = SCORES[0].exp()
    expected = [
        weights[one] / weights.sum() * weights[two] / (weights.sum() - weights[one])
        for one, two in DRAWS[0].tolist()
    ]
    found = log_probs(SCORES, DRAWS).exp()
    torch.testing.assert_close(found[0], torch.stack(expected))
    torch.testing.assert_close(found.sum(), torch.tensor(1.0, dtype=torch.float64))


def test_the_gradient_is_on_average_that_of_the_expected_reward() -> None:
    scores = SCORES.clone().requires_grad_()
    earned = (log_probs(scores, DRAWS).exp() * REWARDS).sum()
    [exact] = torch.autograd.grad(earned, scores)

    # all groups of two draws, each as often as it is drawn
    num_draws = DRAWS.shape[1]
    pairs = torch.cartesian_prod(torch.arange(num_draws), torch.arange(num_draws))
    found = torch.zeros_like(exact)
    for pair in pairs:
        logs = log_probs(scores, DRAWS[:, pair])
        [gradient] = torch.autograd.grad(policy_loss(logs, REWARDS[:, pair]), scores)
        found -= logs.detach().sum().exp() * gradient

    assert exact.abs().min() > 0.01
    torch.testing.assert_close(found, exact)


def test_frames_are_drawn_as_often_as_their_probability_says() -> None:
    generator = torch.Generator().manual_seed(0)
    drawn = draw(SCORES, NUM_DRAWN, MANY, generator)[0]
    expected = log_probs(SCORES, DRAWS).exp()[0]
    for one, probability in zip(DRAWS[0], expected, strict=True):
        share = (drawn == one).all(dim=1).double().mean()
        error = (probability * (1 - probability) / MANY).sqrt()
        assert abs(share - probability) < 4 * error


def test_a_draw_has_each_frame_at_most_once_and_repeats_by_its_seed() -> None:
    scores = torch.zeros(3, 20)
    first, again, other = (
        draw(scores, 19, 5, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)
    )
    assert first.shape == (3, 5, 19)
    assert all(len({*one}) == 19 for one in first.flatten(0, 1).tolist())
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_scores_far_apart_have_finite_gradients() -> None:
    scores = torch.tensor([[1e4, 0.0, -1e4]], requires_grad=True)
    logs = log_probs(scores, torch.tensor([[[2, 1], [0, 1]]]))
    [gradient] = torch.autograd.grad(logs.sum(), scores)
    assert logs[0].tolist() == [-2e4 - 1e4, 0.0]
    assert gradient.isfinite().all()
