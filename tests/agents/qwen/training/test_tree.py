"""A shared beginning is learned from once, with the losses and gradients of plain rows."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from agents.qwen.model import attention
from agents.qwen.model.attention import Span
from agents.qwen.model.chunks import Chunk
from agents.qwen.model.tiny import save_tiny
from agents.qwen.training import grpo_trainer as module
from agents.qwen.training.grpo import make_trainer
from agents.qwen.training.grpo_trainer import ZoomTrainer
from agents.qwen.training.settings import GRPOSettings
from agents.qwen.training.tree import Tree, plant
from tests.agents.qwen.noise import NoiseTasks, scripted_env
from tests.agents.qwen.small import EVERY_FAMILY

pytestmark = pytest.mark.filterwarnings(
    "ignore:.*gradient_checkpointing.*:FutureWarning"  # TRL asks, and turns it off, by the old name
)

GRADIENT_ROUNDING = {"qwen2_5_vl": 1e-6, "qwen3_vl": 1e-6, "qwen3_5": 5e-6}
"""How far apart the gradients of a float64 model may be, as a share of their length: 1e-8, 1e-8 and
2e-6 were seen.

Norms and rotary embeddings are float32 in any model, and so are Qwen3.5's recurrent layers.
Mistakes are much larger: `test_a_wrong_mask_or_position_is_much_larger_than_rounding`.
"""
SEEDS = {"qwen2_5_vl": 4, "qwen3_vl": 11, "qwen3_5": 4}
"""Seeds with which four groups have everything that the tests want to see in them."""


@pytest.fixture(scope="module")
def mini(family: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model whose attention is far from even, so that mistakes show."""
    path = tmp_path_factory.mktemp("mini")
    save_tiny(path, "mini", tokens_per_frame=4, dtype=torch.float64, family=family)
    return path


def played(model: Path, out: Path, **given: Any) -> ZoomTrainer:
    """Returns a trainer with four groups of mixed sizes: zooms, refused turns, one lost video."""
    settings: dict[str, Any] = {
        "steps": 1,
        "group_size": 4,
        "tasks_per_generation": 4,
        "tasks_per_update": 4,
        "micro_batch": 8,
        "max_tokens": 6,
        "max_redraws": 0,
        "kl": 0.01,
        "entropy": 0.1,
        "dtype": "float64",
        "keep_records": False,
        "seed": 4,
    }
    out.mkdir(parents=True, exist_ok=True)
    trainer = make_trainer(
        GRPOSettings(model=str(model), out=out, **{**settings, **given}),
        lambda: scripted_env(NoiseTasks(breaks_at_s=5.5)),
    )
    trainer.model.train()
    trainer.current_gradient_accumulation_steps = trainer.args.gradient_accumulation_steps
    return trainer


def batches_of(trainer: ZoomTrainer) -> list[dict[str, Any]]:
    """Returns the micro-batches of a generation."""
    rows = [dict(trainer.train_dataset[index]) for index in range(4)]
    first = trainer._prepare_inputs([row for row in rows for _ in range(4)])
    assert first is trainer._buffered_inputs[0]
    return trainer._buffered_inputs


def learn(trainer: ZoomTrainer, batches: list[dict[str, Any]], *, shared: bool) -> Tensor:
    """Returns the losses and gradients of batches as one vector."""
    trainer._settings = replace(trainer._settings, share_prompt=shared)
    trainer.model.zero_grad()
    losses = []
    for batch in batches:
        loss = trainer._compute_loss(trainer.model, batch)
        loss.backward()
        losses.append(loss.detach().reshape(1))
    learned = [one for one in trainer.model.parameters() if one.requires_grad]
    return torch.cat(losses + [one.grad.flatten() for one in learned if one.grad is not None])


def share_apart(one: Tensor, other: Tensor) -> float:
    return float((one - other).norm() / other.norm())


@pytest.fixture(scope="module")
def plain(mini: Path, family: str, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A trainer, its batches, and what plain rows teach."""
    trainer = played(mini, tmp_path_factory.mktemp("plain"), seed=SEEDS[family])
    batches = batches_of(trainer)
    return trainer, batches, learn(trainer, batches, shared=False)


@EVERY_FAMILY
def test_losses_and_gradients_are_those_of_plain_rows(plain: Any, family: str) -> None:
    trainer, batches, expected = plain
    rollouts = [rollout for group in trainer.groups for rollout in group.rollouts]
    assert len({len(rollout.completion_ids) for rollout in rollouts}) > 4  # ragged
    assert len({picture.grid for one in rollouts for picture in one.pictures}) > 1  # mixed sizes
    assert any(rollout.record is None for rollout in rollouts)  # a lost one
    turns = [turn for one in rollouts if one.record for turn in one.record.turns]
    assert any(turn.error for turn in turns)  # and refused turns
    assert len(batches) == 2  # of two groups each
    assert share_apart(learn(trainer, batches, shared=True), expected) < GRADIENT_ROUNDING[family]


def test_heads_of_keys_that_are_repeated_for_a_kernel_teach_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_tiny(tmp_path / "model", tokens_per_frame=4, dtype=torch.float64)  # 4 heads, 2 of keys
    trainer = played(tmp_path / "model", tmp_path / "out")
    batches = batches_of(trainer)
    expected = learn(trainer, batches, shared=True)
    monkeypatch.setattr(attention, "lacks_kernel", lambda _: True)
    apart = share_apart(learn(trainer, batches, shared=True), expected)
    assert 0 < apart < GRADIENT_ROUNDING["qwen2_5_vl"]  # 0 would mean that no mask was met


def see_siblings(tree: Tree) -> Tree:
    """Lets what follows a beginning see what else follows it."""
    spans = [
        replace(span, before=(*span.before, tree.spans[index - 1]))
        if span.before and tree.spans[index - 1].before == span.before
        else span
        for index, span in enumerate(tree.spans)
    ]
    return replace(tree, spans=spans)


def see_no_beginning(tree: Tree) -> Tree:
    return replace(tree, spans=[Span(span.start, span.end) for span in tree.spans])


def move_on(tree: Tree) -> Tree:
    """Has what follows a beginning start where the row is, not where the beginning ends."""
    positions = tree.positions.clone()
    second = tree.spans[2]
    positions[:, second.start : second.end] += tree.spans[1].length
    return replace(tree, positions=positions)


def flatten(tree: Tree) -> Tree:
    """Gives pictures the positions of text."""
    return replace(tree, positions=tree.positions[:1].expand(3, -1))


def mix_up(tree: Tree) -> Tree:
    """Scores the first said token of a rollout after the wrong token."""
    return replace(tree, scored=[tree.scored[0] - 1, *tree.scored[1:]])


@EVERY_FAMILY
@pytest.mark.parametrize("mistake", [see_siblings, see_no_beginning, move_on, flatten, mix_up])
def test_a_wrong_mask_or_position_is_much_larger_than_rounding(
    plain: Any, family: str, monkeypatch: pytest.MonkeyPatch, mistake: Callable[[Tree], Tree]
) -> None:
    trainer, batches, _ = plain
    right = learn(trainer, batches[:1], shared=True)
    monkeypatch.setattr(module, "plant", lambda *given: mistake(plant(*given)))
    apart = share_apart(learn(trainer, batches[:1], shared=True), right)
    times = 10 if family == "qwen3_5" else 100  # where one layer in three looks at positions
    assert apart > times * GRADIENT_ROUNDING[family]


@EVERY_FAMILY
@pytest.mark.long
@pytest.mark.parametrize("given", [{"lora_rank": 4}, {"gradient_checkpointing": True}])
def test_adapters_and_activations_that_are_made_anew_learn_so_too(
    mini: Path, family: str, tmp_path: Path, given: dict[str, Any]
) -> None:
    trainer = played(mini, tmp_path, **given)
    batches = batches_of(trainer)[:1]
    if "gradient_checkpointing" in given:  # as at the beginning of a training
        trainer.model.gradient_checkpointing_enable()
        assert trainer.model.is_activation_checkpointing
    shared, plain = (learn(trainer, batches, shared=one) for one in (True, False))
    assert share_apart(shared, plain) < GRADIENT_ROUNDING[family]


def test_a_beginning_is_learned_from_once_and_nothing_is_scored_twice(plain: Any) -> None:
    trainer, batches, _ = plain
    lengths: list[int] = []
    hook = trainer.model.model.language_model.register_forward_hook(
        lambda _, __, given, ___: lengths.append(given["inputs_embeds"].shape[1]), with_kwargs=True
    )
    learn(trainer, batches, shared=True)
    hook.remove()
    groups = trainer.groups
    expected = [
        len(group.rollouts[0].prompt_ids)
        + sum(len(rollout.completion_ids) for rollout in group.rollouts)
        for group in groups
    ]
    assert lengths == [sum(expected[:2]), sum(expected[2:])]
    assert all("old_per_token_logps" not in batch for batch in batches)


def test_tasks_that_are_told_alike_but_look_different_share_nothing() -> None:
    ids, following = (5, 9, 6), (7, 8)
    pixels = torch.zeros(4, 2), torch.ones(4, 2)
    first, other = (Chunk(ids, 9, 2, shown, ((1, 2, 2),)) for shown in pixels)
    rest = Chunk(following, 9)
    tree = plant([(first, rest), (other, rest), (first, rest)], [[True, True]] * 3)
    starts = [(span.start, span.end) for span in tree.spans]
    assert starts == [(0, 3), (3, 5), (5, 8), (8, 10), (10, 12)]
    assert [[one.start for one in span.before] for span in tree.spans] == [[], [0], [], [5], [0]]
    assert tree.positions[0].tolist() == [0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 3, 4]
    assert tree.scored == [2, 3, 7, 8, 2, 10]
    assert tree.said == [7, 8] * 3


def test_a_kernel_that_takes_no_layout_is_refused() -> None:
    given: dict[str, Any] = {"model": "m", "out": Path("o"), "attention": "flash_attention_2"}
    with pytest.raises(
        ValueError, match=r"share_prompt needs an attention kernel of .* got 'flash"
    ):
        GRPOSettings(**given)
    assert GRPOSettings(**given, share_prompt=False).attention == "flash_attention_2"
