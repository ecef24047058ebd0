"""vLLM is given conversations whole, and the trainer learns from what it has said.

No vLLM runs here: `tests/agents/qwen/model/vllm.py` stands for it.
"""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from agents.qwen.model import speakers
from agents.qwen.model.chunks import encode
from agents.qwen.model.generation import Conversation, Sampling
from agents.qwen.model.speakers import VLLMSpeaker
from agents.qwen.training import grpo as train_grpo
from agents.qwen.training.rollouts import RolloutGroup
from agents.qwen.training.settings import GRPOSettings
from tests.agents.qwen.model.vllm import MadeUpVLLM, Scripted
from tests.agents.qwen.noise import scripted_env
from tests.agents.qwen.small import ROUNDING, Loaded
from tests.agents.qwen.training import launched
from tests.agents.qwen.training.test_rollouts import TASKS, plain_log_probs, player
from zoomgym.conversation import images_of, to_messages

STOP = "</video_zoom>"


def play(tiny: Loaded, mode: str) -> tuple[MadeUpVLLM, list[RolloutGroup]]:
    """Plays groups of three on all tasks."""
    vllm = MadeUpVLLM(tiny.model, tiny.processor, mode)
    groups = player(tiny, 3).play(VLLMSpeaker(vllm, tiny.processor), TASKS, 0)
    return vllm, groups


@pytest.mark.long
@pytest.mark.parametrize("mode", ["colocate", "server"])
def test_what_is_learned_is_what_vllm_has_read_and_said(tiny: Loaded, mode: str) -> None:
    vllm, groups = play(tiny, mode)
    rollouts = [rollout for group in groups for rollout in group.rollouts]
    assert len({len(rollout.record.turns) for rollout in rollouts if rollout.record}) > 1
    for rollout in rollouts:
        at = torch.tensor(rollout.is_said)
        kept = torch.tensor(rollout.log_probs, dtype=torch.float64)
        assert float((plain_log_probs(tiny, rollout) - kept)[at].abs().max()) < ROUNDING
    assert vllm.generation_kwargs == {
        "max_tokens": 6,
        "stop": [STOP],
        "logit_bias": {
            tiny.processor.image_token_id: -100.0,
            tiny.processor.video_token_id: -100.0,
        },
    }


def test_vllm_is_given_every_picture_of_an_episode_in_every_turn(tiny: Loaded) -> None:
    vllm, groups = play(tiny, "colocate")
    num_turns = [len(one.record.turns) for group in groups for one in group.rollouts if one.record]
    assert len(vllm.asked) == sum(num_turns)
    assert {len(images or []) for _, images in vllm.asked} > {3}  # the overview; then clips, too
    first = [images for _, images in vllm.asked[:12]]
    env = scripted_env()
    for index, task_id in enumerate(TASKS):
        env.reset(options={"task_id": task_id})
        for images in first[3 * index : 3 * index + 3]:
            assert images is not None
            shown = images_of(to_messages(env.observation))
            assert all(np.array_equal(image, one) for image, one in zip(images, shown, strict=True))


def heard(tiny: Loaded) -> tuple[Conversation, VLLMSpeaker, Scripted]:
    """Returns a conversation that has heard an opening, and who speaks in it."""
    vllm = Scripted(tiny.processor, [])
    speaker, talk = VLLMSpeaker(vllm, tiny.processor), Conversation()
    env = scripted_env()
    env.reset(options={"task_id": "q1"})
    opening = to_messages(env.observation)
    speaker.read([talk], [encode(tiny.processor, opening)], [images_of(opening)])
    return talk, speaker, vllm


def say(speaker: VLLMSpeaker, talks: list[Conversation]) -> list[Any]:
    return speaker.say(talks, [], Sampling(1.0, 40, STOP, (7,)))


def test_a_reply_ends_where_it_would_have_without_vllm(tiny: Loaded) -> None:
    talk, speaker, vllm = heard(tiny)
    tokenizer = tiny.processor.tokenizer
    ids = tokenizer.encode(f"a{STOP}", add_special_tokens=False)
    rest = tokenizer.encode("and more", add_special_tokens=False)
    vllm.replies = [[*ids, *rest]]
    before = list(talk.ids)
    [reply] = say(speaker, [talk])
    assert reply.text == f"a{STOP}"
    assert list(reply.ids) == ids
    assert talk.ids == before + ids
    assert talk.is_said[-len(ids) :] == [True] * len(ids)
    assert math.isnan(reply.log_probs[0])  # vLLM knows none: TRL leaves such a token uncorrected
    assert reply.log_probs[1:] == (-1.0,) * (len(ids) - 1)
    end = tokenizer.eos_token_id
    vllm.replies = [[*rest, end, *rest]]
    assert list(say(speaker, [talk])[0].ids) == [*rest, end]


@pytest.mark.parametrize(
    ("replies", "error"), [([[5, 7]], r"without the ids \[7\], got \[5, 7\]"), ([[]], r"got \[\]")]
)
def test_what_vllm_may_not_say_is_an_error(
    tiny: Loaded, replies: list[list[int]], error: str
) -> None:
    talk, speaker, vllm = heard(tiny)
    vllm.replies = replies
    with pytest.raises(ValueError, match=error):
        say(speaker, [talk])


def test_a_picture_that_vllm_reads_at_another_size_is_an_error(tiny: Loaded) -> None:
    talk, speaker, _ = heard(tiny)
    talk.pictures = tuple(np.repeat(one, 2, axis=0) for one in talk.pictures)
    with pytest.raises(ValueError, match="is its processor that of the trainer"):
        say(speaker, [talk])


def test_a_server_is_asked_by_all_processes_for_as_many_replies(
    tiny: Loaded, monkeypatch: pytest.MonkeyPatch
) -> None:
    talk, _, _ = heard(tiny)
    vllm = Scripted(tiny.processor, [[9]], "server")
    speaker = VLLMSpeaker(vllm, tiny.processor)
    others = iter([3, 2, 1, 0])  # what another process asks for, while this one plays and waits
    monkeypatch.setattr(speakers, "gather_object", lambda mine: [*mine, next(others)])
    [reply] = say(speaker, [talk])
    assert reply.ids == (9,)
    end = tiny.processor.tokenizer.eos_token_id
    assert vllm.asked[1:] == [([end], None)] * 2
    speaker.wait()
    assert vllm.asked[3:] == [([end], None)] * 3
    assert next(others, None) is None


# in the trainer ----------------------------------------------------------------------------------


@pytest.fixture
def _installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Has TRL find vLLM, and use what stands for it."""
    monkeypatch.setattr(train_grpo, "is_vllm_available", lambda: True)
    monkeypatch.setattr("trl.trainer.grpo_trainer.VLLMGeneration", MadeUpVLLM)


@pytest.mark.long
@pytest.mark.usefixtures("_installed")
@pytest.mark.parametrize("mode", ["colocate", "server"])
@pytest.mark.filterwarnings("ignore:.*gradient_checkpointing.*:FutureWarning")
def test_a_run_plays_with_vllm_and_brings_it_up_to_date(
    folder: Path, tmp_path: Path, mode: str
) -> None:
    trainer = launched.grpo(
        str(folder),
        str(tmp_path),
        vllm=mode,
        tasks_per_generation=2,
        tasks_per_update=2,
        group_size=2,
    )
    vllm = trainer.vllm_generation
    assert vllm.num_synced == 2
    assert vllm.given["max_model_length"] == 32_768
    assert vllm.given["server_base_url"] == "http://localhost:8000"
    for line in trainer.state.log_history[:2]:
        assert line["sampling/sampling_logp_difference/max"] < ROUNDING
        assert line["sampling/importance_sampling_ratio/min"] == pytest.approx(1, abs=ROUNDING)
        assert line["grad_norm"] > 0


def test_without_vllm_its_options_are_refused(tmp_path: Path) -> None:
    settings = GRPOSettings(model="m", out=tmp_path)
    with pytest.raises(ValueError, match="vllm colocate needs the package vllm"):
        train_grpo.trl_config(replace(settings, vllm="colocate"))
    with pytest.raises(ValueError, match=r"vllm needs one of .*, or nothing, got 'yes'"):
        replace(settings, vllm="yes")


def test_fsdp_is_refused_unless_vllm_plays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    with pytest.raises(ValueError, match="use DDP or DeepSpeed, or let vLLM play"):
        train_grpo.trl_config(GRPOSettings(model="m", out=tmp_path))
