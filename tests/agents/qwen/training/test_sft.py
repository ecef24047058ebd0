"""A cold start learns the replies, all of them and nothing else, from what the agent reads."""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from agents.qwen.demonstrations import Demonstration
from agents.qwen.model.chunks import Chunk, encode, encode_turns
from agents.qwen.model.generation import Conversation, read
from agents.qwen.model.loading import freeze_vision, load_model
from agents.qwen.model.policy import QwenAgent
from agents.qwen.training import sft as module
from agents.qwen.training.settings import SFTSettings
from agents.qwen.training.sft import (
    IGNORED,
    LabeledEpisode,
    LabeledEpisodes,
    collate,
    main,
    reply_log_probs,
    train_sft,
)
from agents.synthetic.baselines import BlindAgent
from agents.synthetic.tutor import TutorAgent
from tests.agents.qwen.small import EVERY_FAMILY, ROUNDING, Broken, Loaded, seen, short_episode
from tests.playing import play_episode
from zoomgym import ZoomEnv
from zoomgym.agent.observation import Observation
from zoomgym.conversation import to_messages
from zoomgym.errors import RecordError
from zoomgym.records import append_line
from zoomgym.rollout import watch_again

MISTAKE = "<think>What is it?</think>"


class Careless(TutorAgent):
    """Begins with a mistake."""

    def act(self, observation: Observation) -> str:
        return super().act(observation) if observation.turns else MISTAKE


@cache
def demonstration(index: int, max_pixels: int = 784, first_turn: int = 0) -> Demonstration:
    """Returns an episode of a few turns; if not all of it is to be learned, one with a mistake."""
    env = ZoomEnv(
        "synthetic:flash",
        source="scene",
        grammar="video_zoom",
        num_overview=5,
        frames_per_zoom=4,
        max_turns=4,
        max_pixels=max_pixels,
        frame_size=(8, 8),
    )
    agent = Careless() if first_turn else TutorAgent()
    agent.reset(0)
    task_id = env.tasks[index].id
    record = play_episode(env, agent, agent_name="tutor", task_id=task_id, seed=0)
    return Demonstration(record, first_turn)


CASES = [(0, 784, 0), (1, 4 * 784, 0), (0, 784, 1)]
"""Three demonstrations of different lengths and sizes of frames, one with a mistake."""


def rows(tiny: Loaded, demonstrations: Sequence[Demonstration]) -> list[LabeledEpisode]:
    made = LabeledEpisodes(tiny.processor, demonstrations)
    return [made[index] for index in range(len(made))]


def batch_of(tiny: Loaded) -> dict[str, Tensor]:
    made = rows(tiny, [demonstration(*case) for case in CASES])
    assert len({len(row.labels) for row in made}) == 3
    assert {grid for row in made for grid in row.chunk.grids} == {(1, 2, 2), (1, 4, 4)}
    return collate(made, tiny.processor.tokenizer.pad_token_id)


def learned(tiny: Loaded, row: LabeledEpisode) -> list[str]:
    """Returns the stretches of a row that are learned, as text."""
    runs = groupby(row.labels, key=lambda label: label != IGNORED)
    return [tiny.processor.tokenizer.decode(list(run)) for is_learned, run in runs if is_learned]


# what is read, and what is learned ---------------------------------------------------------------


def test_a_row_is_what_the_agent_reads_and_its_labels_are_what_it_said(tiny: Loaded) -> None:
    one = demonstration(0)
    [row] = rows(tiny, [one])
    observation = watch_again(ZoomEnv(**one.record.settings), one.record)
    whole = encode(tiny.processor, to_messages(observation))
    length = len(row.chunk.ids)
    assert row.chunk.ids == whole.ids[:length]
    assert tiny.processor.tokenizer.decode(whole.ids[length:]) == "\n<|im_start|>assistant\n"
    assert row.chunk.pixels is not None
    assert torch.equal(row.chunk.pixels, whole.pixels)
    shown = [observation.overview, *observation.clips]
    assert len(row.chunk.grids) == sum(len(frames.times_s) for frames in shown) > 5
    replies = [turn.reply for turn in one.record.turns]
    assert len(replies) > 1
    assert learned(tiny, row) == [f"{reply}<|im_end|>" for reply in replies]
    for id_, label in zip(row.chunk.ids, row.labels, strict=True):
        assert label in (id_, IGNORED)


def test_episodes_without_a_picture_make_a_batch_without_pixels(tiny: Loaded) -> None:
    env = ZoomEnv(
        "synthetic:flash", source="scene", grammar="video_zoom", num_overview=0, frame_size=(0, 0)
    )
    agent = BlindAgent()
    agent.reset(0)
    task_id = env.tasks[0].id
    record = play_episode(env, agent, agent_name="blind", task_id=task_id, seed=0)
    batch = collate(rows(tiny, [Demonstration(record)]), 0)
    assert set(batch) == {"input_ids", "labels", "position_ids"}
    assert torch.isfinite(reply_log_probs(tiny.model, batch)).all()


def test_another_s_mistakes_are_read_and_not_learned(tiny: Loaded) -> None:
    one = demonstration(0, first_turn=1)
    rest = [f"{turn.reply}<|im_end|>" for turn in one.record.turns[1:]]
    [without, everything] = rows(tiny, [one, replace(one, first_turn=0)])
    assert learned(tiny, without) == rest
    assert learned(tiny, everything) == [f"{MISTAKE}<|im_end|>", *rest]
    assert without.chunk.ids == everything.chunk.ids


def test_text_in_a_reply_that_looks_like_the_end_of_it_is_only_text(tiny: Loaded) -> None:
    env = ZoomEnv("synthetic:flash", source="scene", num_overview=2, max_turns=2, max_pixels=784)

    class Hostile(TutorAgent):
        def act(self, observation: Observation) -> str:
            return "a<|im_end|>b<|image_pad|>"

    task_id = env.tasks[0].id
    record = play_episode(env, Hostile(), agent_name="x", task_id=task_id, seed=0)
    [row] = rows(tiny, [Demonstration(record)])
    assert learned(tiny, row) == ["a< |im_end|>b< |image_pad|><|im_end|>"] * 2


@EVERY_FAMILY
def test_log_probs_and_positions_are_those_of_the_agent(tiny: Loaded) -> None:
    batch = batch_of(tiny)
    with torch.no_grad():
        log_probs = reply_log_probs(tiny.model, batch)
    expected: list[float] = []
    for row, case in enumerate(CASES):
        one = demonstration(*case)
        talk = Conversation()
        observation = watch_again(ZoomEnv(**one.record.settings), one.record)
        for chunk in encode_turns(tiny.processor, to_messages(observation)):
            labels = batch["labels"][row, len(talk.ids) :].tolist()
            for piece, label in zip(word_by_word(chunk, labels), labels, strict=False):
                if label != IGNORED:
                    assert talk.next_logits is not None
                    expected.append(float(talk.next_logits.log_softmax(-1)[label]))
                    [position] = set(batch["position_ids"][:, row, len(talk.ids)].tolist())
                    assert position == talk.next_position
                read(tiny.model, [talk], [piece])
    assert len(expected) == len(log_probs) > 100
    assert log_probs.tolist() == pytest.approx(expected, abs=ROUNDING)


def word_by_word(chunk: Chunk, labels: Sequence[int]) -> Iterator[Chunk]:
    """Yields the learned beginning of a chunk as chunks of one id, and the rest as one."""
    num_learned = 0
    while num_learned < len(labels) and labels[num_learned] != IGNORED:
        yield Chunk((chunk.ids[num_learned],), chunk.image_token_id)
        num_learned += 1
    if num_learned < len(chunk.ids):
        yield replace(chunk, ids=chunk.ids[num_learned:])


@EVERY_FAMILY
def test_no_gradient_comes_from_anywhere_but_the_replies(tiny: Loaded) -> None:
    batch, states = batch_of(tiny), []

    def keep(_: Any, __: Any, output: Tensor) -> None:
        output.retain_grad()
        states.append(output)

    hook = tiny.model.model.language_model.norm.register_forward_hook(keep)
    reply_log_probs(tiny.model, batch).sum().backward()
    hook.remove()
    tiny.model.zero_grad()
    [state] = states
    is_learned = batch["labels"][:, 1:] != IGNORED
    assert torch.equal(state.grad[:, :-1].abs().sum(-1) > 0, is_learned)
    assert not state.grad[:, -1].any()


def test_frames_that_do_not_fit_their_image_tokens_are_an_error(folder: Path) -> None:
    from agents.qwen.model.loading import load_processor

    processor = load_processor(str(folder))
    processor.chat_template = processor.chat_template.replace("<|image_pad|>", "")
    with pytest.raises(ValueError, match="5 pictures need as many places in the text, got 0"):
        LabeledEpisodes(processor, [demonstration(0)])[0]


def test_an_episode_that_comes_out_otherwise_is_an_error(tiny: Loaded) -> None:
    one = demonstration(0)
    other = replace(one.record, settings={**one.record.settings, "num_overview": 6})
    with pytest.raises(RecordError, match="needed the episode of the record, got another"):
        LabeledEpisodes(tiny.processor, [Demonstration(other)])[0]


def test_frames_are_kept_up_to_a_bound(tiny: Loaded) -> None:
    demonstrations = [demonstration(0)] * 3
    pixels = rows(tiny, demonstrations)[0].chunk.pixels
    assert pixels is not None
    made = LabeledEpisodes(tiny.processor, demonstrations, max_cached_bytes=2 * pixels.nbytes)
    first, again = ([made[index] for index in range(3)] for _ in range(2))
    assert [one is other for one, other in zip(first, again, strict=True)] == [True, True, False]


# runs --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("demonstrations") / "exemplars.jsonl"
    for case in CASES:
        append_line(path, demonstration(*case).to_json())
    return path


def settings(folder: Path, file: Path, out: Path, **changes: Any) -> SFTSettings:
    given = {"batch_size": 3, "micro_batch": 3, "learning_rate": 1e-3, "warmup": 0.0, **changes}
    return SFTSettings(model=str(folder), demonstrations=(file,), out=out, **given)


def weights(folder: Path) -> dict[str, Tensor]:
    """Returns weights as they are trained: in float32."""
    return {name: x.float() for name, x in load_file(folder / "model.safetensors").items()}


def state(folder: Path) -> dict[str, Any]:
    read_state: dict[str, Any] = json.loads((folder / "trainer_state.json").read_text("utf-8"))
    return read_state


def difference(one: Path, other: Path) -> float:
    ours, theirs = weights(one), weights(other)
    return max(float((ours[name] - theirs[name]).abs().max()) for name in ours)


def gradient(model: Any) -> Tensor:
    """Returns the gradients of all trained weights as one vector."""
    return torch.cat([each.grad.flatten() for each in model.parameters() if each.requires_grad])


ROUNDED = 1e-5
"""The share by which losses and gradients may differ where float32 adds up in another order.

It keeps 24 bits, and a few were seen to be lost: 2e-7. The mean of the means of micro-batches, with
which this must not be mixed up, is 1e-4 off, and its gradient 2e-2.
"""


def error_of(one: Tensor, other: Tensor) -> float:
    """Returns the distance of a vector from another, as a share of the other's length."""
    return float((one - other).norm() / other.norm())


def test_the_loss_is_the_mean_over_all_learned_tokens_however_a_step_is_cut(
    tiny: Loaded, folder: Path, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = load_model(str(folder), dtype=torch.float32)
    freeze_vision(model)
    batch = batch_of(tiny)
    labels = batch.pop("labels")[:, 1:]
    log_probs = model(**batch, use_cache=False).logits[:, :-1].log_softmax(-1)
    learned = labels != IGNORED
    losses = [-log_probs[row, at, labels[row, at]] for row, at in enumerate(learned)]
    mean, mean_of_means = torch.cat(losses).mean(), torch.stack([x.mean() for x in losses]).mean()
    gradients = []
    for loss in (mean, mean_of_means):
        model.zero_grad()
        loss.backward(retain_graph=True)
        gradients.append(gradient(model))
    right, wrong = gradients
    assert mean_of_means.item() != pytest.approx(mean.item(), rel=10 * ROUNDED)
    assert error_of(wrong, right) > 1000 * ROUNDED
    step = module.ReplyTrainer.training_step

    def watched(trainer: Any, trained: Any, *given: Any) -> Tensor:
        loss: Tensor = step(trainer, trained, *given)
        gradients.append(gradient(trained))  # not the weights: Adam's first step shows signs only
        return loss

    monkeypatch.setattr(module.ReplyTrainer, "training_step", watched)
    for name, micro_batch in (("whole", 3), ("cut", 1)):
        train_sft(settings(folder, file, tmp_path / name, micro_batch=micro_batch))
        [*_, last] = state(tmp_path / name)["log_history"]
        assert last["train_loss"] == pytest.approx(mean.item(), rel=ROUNDED)
        assert error_of(gradients[-1], right) < ROUNDED
    assert len(gradients) == 2 + 1 + 3


@pytest.mark.long
def test_a_run_that_was_broken_off_goes_on_as_if_it_had_not_been(
    folder: Path, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steady = {"batch_size": 1, "micro_batch": 1, "num_epochs": 2.0, "save_steps": 2}
    train_sft(settings(folder, file, tmp_path / "whole", **steady))
    broken = settings(folder, file, tmp_path / "broken", **steady)
    with monkeypatch.context() as patch:
        patch.setattr(
            module.ReplyTrainer, "training_step", Broken(module.ReplyTrainer.training_step, 4)
        )
        with pytest.raises(InterruptedError):
            train_sft(broken)
    assert not (tmp_path / "broken" / "model.safetensors").exists()
    train_sft(broken, resume=True)
    assert state(tmp_path / "broken")["global_step"] == 6
    assert difference(tmp_path / "whole", tmp_path / "broken") == 0
    train_sft(broken, resume=True)  # there is nothing left to do


def test_a_run_is_not_written_over_another(folder: Path, file: Path, tmp_path: Path) -> None:
    train_sft(settings(folder, file, tmp_path / "one"))
    other = settings(folder, file, tmp_path / "one", seed=1)
    with pytest.raises(ValueError, match="needed a new folder, got one with checkpoints: resume"):
        train_sft(other)
    with pytest.raises(ValueError, match="needed the settings of the run to resume, seed=0, got 1"):
        train_sft(other, resume=True)
    with pytest.raises(ValueError, match="needed a run to resume, got none"):
        train_sft(settings(folder, file, tmp_path / "two"), resume=True)


def test_a_run_is_not_written_over_one_that_broke_off_in_its_second_stage(
    folder: Path, file: Path, tmp_path: Path
) -> None:
    (tmp_path / "stage1" / "checkpoint-1").mkdir(parents=True)
    both = replace(settings(folder, file, tmp_path), demonstrations=(file, file))
    with pytest.raises(ValueError, match="stage1: needed a new folder, got one with checkpoints"):
        train_sft(both)
    assert not (tmp_path / "settings.json").exists()


WILD: dict[str, Any] = {
    **{"learning_rate": 0.3, "schedule": "constant", "num_epochs": 40.0, "batch_size": 1},
    **{"validation_share": 0.34, "save_steps": 1, "patience": 2, "micro_batch": 1},
}
"""Steps so large that the loss soon rises, and the patience to see two of them."""


@pytest.fixture(scope="module")
def wild(folder: Path, file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run of such steps."""
    out = tmp_path_factory.mktemp("wild")
    train_sft(settings(folder, file, out, **WILD))
    return out


def test_the_best_of_a_run_is_kept_and_it_ends_when_nothing_gets_better(wild: Path) -> None:
    after = state(wild)
    losses = [entry["eval_loss"] for entry in after["log_history"] if "eval_loss" in entry]
    best = losses.index(min(losses))
    assert len(losses) == best + 1 + 2 < 80
    assert after["best_model_checkpoint"] == str(wild / f"checkpoint-{best + 1}")
    assert difference(wild, wild / f"checkpoint-{best + 1}") == 0
    assert difference(wild, wild / f"checkpoint-{len(losses)}") > 0


@pytest.mark.long
@pytest.mark.parametrize("num_short", [1, 0])
def test_a_run_that_was_broken_off_is_as_patient_as_if_it_had_not_been(
    folder: Path,
    file: Path,
    wild: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    num_short: int,
) -> None:
    num_steps = state(wild)["global_step"]
    broken = settings(folder, file, tmp_path, **WILD)
    with monkeypatch.context() as patch:
        step = module.ReplyTrainer.training_step
        patch.setattr(module.ReplyTrainer, "training_step", Broken(step, num_steps - num_short))
        patch.setattr(module.ReplyTrainer, "_load_best_model", Broken(step, 0))
        with pytest.raises(InterruptedError):
            train_sft(broken)
    assert (tmp_path / f"checkpoint-{num_steps - num_short}").exists()
    train_sft(broken, resume=True)
    assert state(tmp_path)["global_step"] == num_steps
    assert difference(wild, tmp_path) == 0


@pytest.mark.long
def test_stages_follow_one_another_and_the_vision_encoder_stays_as_it_was(
    folder: Path, file: Path, tmp_path: Path
) -> None:
    both = replace(settings(folder, file, tmp_path), demonstrations=(file, file))
    train_sft(both)
    alone = settings(tmp_path / "stage1", file, tmp_path / "alone")
    train_sft(alone)
    assert difference(tmp_path, tmp_path / "alone") == 0
    before, after = weights(folder), weights(tmp_path)
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed == {name for name in before if not name.startswith("visual.")}


@pytest.mark.filterwarnings(  # PEFT asks by the old name
    "ignore:.*is_gradient_checkpointing.*:FutureWarning"
)
def test_what_adapters_learned_is_merged_into_the_weights(
    folder: Path, file: Path, tmp_path: Path
) -> None:
    watched = {"validation_share": 0.34, "save_steps": 1, "batch_size": 1, "micro_batch": 1}
    train_sft(settings(folder, file, tmp_path, lora_rank=2, **watched))
    before, after = weights(folder), weights(tmp_path)
    assert before.keys() == after.keys()
    changed = {name.split(".")[-2] for name in before if not torch.equal(before[name], after[name])}
    assert changed == {f"{name}_proj" for name in ("q", "k", "v", "o", "gate", "up", "down")}
    assert state(tmp_path)["best_model_checkpoint"]


def test_the_command_writes_a_model_that_the_agent_plays(
    folder: Path, file: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    line = f"--model {folder} --demonstrations {file} --out {out} --batch-size 3 --num-threads 1"
    line += " --gradient-checkpointing --no-freeze-vision --learning-rate 0.001 --warmup 0"
    assert main(line.split()) == 0
    assert json.loads((out / "settings.json").read_text("utf-8"))["batch_size"] == 3
    assert list((out / "runs").glob("*/events.out.tfevents*"))
    agent = QwenAgent(str(out), max_tokens=4)
    agent.reset(0)
    assert isinstance(agent.act(seen(short_episode())), str)
    assert not torch.equal(
        weights(out)["visual.patch_embed.proj.weight"],
        weights(folder)["visual.patch_embed.proj.weight"],
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ("--batch-size 0", "batch_size needs at least 1, got 0"),
        ("--batch-size 3 --micro-batch 2", "batch_size 3 needs to be a multiple of micro_batch 2"),
        ("--validation-share 1", r"validation_share needs \[0, 1\), got 1"),
        ("--validation-share 0.1", "3 demonstrations are too few to hold out 0.1 of them"),
        ("--patience 2", "patience needs a validation_share"),
        ("--model nowhere", "a model needs a folder or a hub id"),
    ],
)
def test_the_command_says_what_does_not_fit(
    folder: Path,
    file: Path,
    tmp_path: Path,
    changes: str,
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    line = f"--model {folder} --demonstrations {file} --out {tmp_path} {changes}"
    with pytest.raises(SystemExit):
        main(line.split())
    assert re.search(message, " ".join(capsys.readouterr().err.split()))
