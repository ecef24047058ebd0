"""verl's agent loop, worker and dataset play episodes by the rules."""

import asyncio
import subprocess
import sys
import types
from pathlib import Path
from typing import Any, NamedTuple

import pytest

pytest.importorskip("verl", reason="python -m tests.integrations verl")

import torch
from hydra import compose, initialize_config_module
from transformers import AutoConfig
from transformers.models.qwen2_5_vl import Qwen2_5_VLModel
from verl.experimental.agent_loop.agent_loop import AgentLoopOutput, AgentLoopWorker
from verl.protocol import DataProto
from verl.utils.dataset.rl_dataset import RLHFDataset, collate_fn

from agents.qwen.model.loading import load_model, load_processor
from agents.qwen.model.tiny import make_processor, save_tiny
from tests.integrations.players_verl import ModelServer, play_in_loop
from zoomgym import ZoomEnv, open_task_set
from zoomgym.conversation import to_messages, to_pil
from zoomgym.integrations.session import Session
from zoomgym.integrations.verl import rows
from zoomgym.rules import Answer, ZoomCall, write_reply

pytestmark = pytest.mark.long

ARGUMENTS: dict[str, Any] = {
    "source": "scene",
    "num_overview": 4,
    "frames_per_zoom": 4,
    "frame_budget": 20,
    "max_turns": 3,
    "max_pixels": 28 * 28,
    "grammar": "video_zoom",
}
TASK = open_task_set("synthetic")[0]
LOOK = '<think>a</think><video_zoom>{"segment": [4, 6], "fps": 2}</video_zoom>'
MUCH = LOOK.replace("[4, 6]", "[0, 60]")
RIGHT = f"<think>b</think><answer>{TASK.truth}</answer>"


class Batch(NamedTuple):
    """What verl's worker has played, and what spoke."""

    data: DataProto
    server: ModelServer


def whole_ids(replies: list[str], arguments: dict[str, Any] = ARGUMENTS) -> list[int]:
    """Returns the token ids of a whole episode, as the processor and its chat template have it."""
    session = Session(ZoomEnv(**arguments))
    session.open(TASK.id)
    for reply in replies:
        session.reply(reply)
    rows = to_pil(to_messages(session.env.observation))
    processor = make_processor()
    text = processor.apply_chat_template(rows, tokenize=False)
    assert text.endswith("<|im_end|>\n")
    parts = [part for row in rows for part in row["content"]]
    pictures = [part["image"] for part in parts if part["type"] == "image"]
    return list(processor(text=[text.rstrip()], images=pictures)["input_ids"][0])


def said(output: AgentLoopOutput) -> str:
    """Returns the text of what the model is trained on."""
    pairs = zip(output.response_ids, output.response_mask, strict=True)
    return str(make_processor().tokenizer.decode([id_ for id_, mark in pairs if mark]))


@pytest.mark.parametrize(
    ("replies", "num_pictures"),
    [([RIGHT], 4), ([LOOK, RIGHT], 8), ([MUCH, "Hm.", RIGHT], 4), ([LOOK] * 3, 12)],
)
@pytest.mark.parametrize("ends", [True, False], ids=["said its end", "was stopped"])
def test_what_verl_learns_from_is_the_chat_template_of_the_episode(
    replies: list[str], num_pictures: int, ends: bool
) -> None:
    output, server = play_in_loop(TASK.id, replies, ARGUMENTS, ends=ends)
    assert output.prompt_ids + output.response_ids == whole_ids(replies)
    assert len(output.response_mask) == len(output.response_ids)
    end = "<|im_end|>" if ends else ""
    stops = ["</video_zoom>" in reply for reply in replies]
    ended = [end if not is_stopped else "" for is_stopped in stops]
    assert said(output) == "".join(map(str.__add__, replies, ended))
    pictures = output.multi_modal_data["images"]
    ids = output.prompt_ids + output.response_ids
    assert ids.count(make_processor().image_token_id) == len(pictures) == num_pictures
    assert output.num_turns == 2 * len(replies)
    asked = [request["prompt_ids"] for request in server.requests]
    assert all(ids[: len(prompt_ids)] == prompt_ids for prompt_ids in asked)
    assert len({request["request_id"] for request in server.requests}) == 1


@pytest.mark.parametrize("preset", ["longvt", "paravt", "gemini", "framethinker"])
def test_checkpoints_of_peers_read_what_they_were_trained_on(preset: str) -> None:
    arguments = {name: ARGUMENTS[name] for name in ("source", "num_overview", "max_pixels")}
    arguments["preset"] = preset
    grammar = ZoomEnv(**arguments).rules.grammar
    look = write_reply(ZoomCall(4, 6, 2), grammar, "a")
    replies = [look, "Hm.", look, write_reply(Answer(TASK.truth), grammar, "b")]
    output, _ = play_in_loop(TASK.id, replies, arguments)
    assert output.prompt_ids + output.response_ids == whole_ids(replies, arguments)
    assert output.reward_score is not None
    assert output.reward_score >= 1


def test_the_reward_is_that_of_the_rules_and_its_terms_are_told() -> None:
    output, _ = play_in_loop(TASK.id, [LOOK, RIGHT], ARGUMENTS)
    assert output.reward_score == pytest.approx(1.5)
    terms = output.extra_fields["reward_extra_info"]
    assert terms == {"accuracy": 1, "format": 1, "tool": 1, "grounding": 0, "zoom_cost": 1}
    assert output.extra_fields["min_global_steps"] == 1  # of the first reply
    assert output.extra_fields["max_global_steps"] == 2  # of the last


def test_log_probs_are_of_what_was_said() -> None:
    output, _ = play_in_loop(TASK.id, [LOOK, RIGHT], ARGUMENTS)
    assert output.response_logprobs == [-1.5 * mark for mark in output.response_mask]


def test_a_model_may_say_nothing() -> None:
    output, _ = play_in_loop(TASK.id, ["", RIGHT], ARGUMENTS, ends=False)
    assert output.prompt_ids + output.response_ids == whole_ids(["", RIGHT])
    assert output.reward_score == pytest.approx(0.9)
    assert output.response_logprobs == [-1.5 * mark for mark in output.response_mask]


@pytest.mark.parametrize("engine", ["vllm", "sglang"])
def test_a_reply_ends_at_its_stop_text_whatever_the_engine_says_after_it(engine: str) -> None:
    output, server = play_in_loop(TASK.id, [f"{LOOK} And more.", RIGHT], ARGUMENTS, engine=engine)
    assert output.reward_score == pytest.approx(1.5)
    assert said(output) == f"{LOOK}{RIGHT}<|im_end|>"
    assert server.requests[0]["sampling_params"].get("stop") == (
        ["</video_zoom>"] if engine == "vllm" else None
    )


def test_a_place_for_a_picture_that_the_model_samples_ends_its_reply() -> None:
    output, _ = play_in_loop(TASK.id, ["See <|image_pad|> there", RIGHT], ARGUMENTS)
    assert said(output) == f"See {RIGHT}<|im_end|>"
    assert output.response_ids.count(make_processor().image_token_id) == 0
    assert output.reward_score == pytest.approx(0.9)


def test_frames_that_find_no_room_are_left_out_whole_and_the_episode_is_not_answered() -> None:
    whole, _ = play_in_loop(TASK.id, [LOOK, RIGHT], ARGUMENTS)
    room = whole.response_mask.index(0) + 20
    output, server = play_in_loop(TASK.id, [LOOK, RIGHT], ARGUMENTS, response_length=room)
    assert len(server.requests) == 1
    assert said(output) == LOOK
    assert len(output.multi_modal_data["images"]) == 4
    assert output.reward_score == 0


def test_a_reply_is_cut_where_the_response_or_its_own_limit_ends() -> None:
    output, _ = play_in_loop(TASK.id, [LOOK, RIGHT], ARGUMENTS, response_length=5)
    assert output.response_mask == [1] * 5
    output, server = play_in_loop(TASK.id, [LOOK] * 3, ARGUMENTS, max_tokens=6)
    assert [request["sampling_params"]["max_tokens"] for request in server.requests] == [6] * 3
    assert sum(output.response_mask) == 18


def test_a_prompt_that_is_too_long_is_refused_by_verl() -> None:
    with pytest.raises(ValueError, match=r"exceeding rollout.prompt_length=8000"):
        play_in_loop(TASK.id, [RIGHT], {**ARGUMENTS, "num_overview": 600, "frame_budget": 700})


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The words of the command that the example prints, after writing what it names."""
    folder = tmp_path_factory.mktemp("verl")
    command = [sys.executable, "-W", "ignore", "-m", "examples.integrations.verl", str(folder)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()


@pytest.fixture(scope="module")
def batch(written: list[str], tmp_path_factory: pytest.TempPathFactory) -> Batch:
    """What verl's worker makes of three rows of the example, played side by side."""
    folder = tmp_path_factory.mktemp("tiny")
    save_tiny(folder, tokens_per_frame=4)
    [*words, model_path] = written
    assert model_path.startswith("actor_rollout_ref.model.path=")
    overrides = [word for word in words if "=" in word]
    overrides += [
        f"actor_rollout_ref.model.path={folder}",
        "actor_rollout_ref.rollout.calculate_log_probs=true",
    ]
    with initialize_config_module("verl.trainer.config", version_base=None):
        config = compose("ppo_trainer", overrides)
    processor = load_processor(str(folder))
    bind_positions(processor, folder)
    data = RLHFDataset(config.data.train_files, processor.tokenizer, config.data, processor)
    tasks = open_task_set("synthetic")
    scripts = {tasks[0].question: [LOOK, RIGHT], tasks[1].question: ["Hm."] * 5}
    server = ModelServer(load_model(str(folder), device="cpu"), processor, scripts)

    async def play() -> DataProto:
        worker = AgentLoopWorker(config, server)
        worker.processor = processor  # verl makes none of a processor without torchvision
        rows_of_batch = collate_fn([data[0], data[1], data[0]])
        return await worker.generate_sequences(DataProto.from_single_dict(rows_of_batch))

    return Batch(asyncio.run(play()), server)


def bind_positions(processor: Any, folder: Path) -> None:
    """Gives a processor what `verl.utils.tokenizer.hf_processor` gives one of Qwen2.5-VL."""
    processor.config = AutoConfig.from_pretrained(folder)
    for name in ("get_rope_index", "get_vision_position_ids"):
        setattr(processor, name, types.MethodType(getattr(Qwen2_5_VLModel, name), processor))


def test_verls_worker_plays_rows_of_the_example_side_by_side(batch: Batch) -> None:
    data, processor = batch.data, batch.server.processor
    assert data.batch["rm_scores"].sum(1).tolist() == pytest.approx([1.5, 0.0, 1.5])
    assert data.non_tensor_batch["accuracy"].tolist() == [1, 0, 1]
    read = [inputs["image_grid_thw"] for inputs in data.non_tensor_batch["multi_modal_inputs"]]
    assert [len(grids) for grids in read] == [20, 16, 20]
    num_pads = (data.batch["input_ids"] == processor.image_token_id).sum(1)
    assert num_pads.tolist() == [int(grids.prod(1).sum()) // 4 for grids in read]
    pairs = zip(data.batch["responses"], data.batch["response_mask"], strict=True)
    trained = [processor.tokenizer.decode(row[marks == 1]) for row, marks in pairs]
    assert trained[0] == trained[2] == f"{LOOK}{RIGHT}<|im_end|>"
    assert trained[1] == "Hm.<|im_end|>" * 5


def test_the_model_finds_in_verls_batch_what_it_read_when_it_spoke(batch: Batch) -> None:
    rows_of_batch = batch.data.batch
    inputs = batch.data.non_tensor_batch["multi_modal_inputs"]
    with torch.no_grad():
        logits = batch.server.model(
            input_ids=rows_of_batch["input_ids"],
            attention_mask=rows_of_batch["attention_mask"],
            position_ids=rows_of_batch["position_ids"].transpose(0, 1),
            pixel_values=torch.cat([one["pixel_values"] for one in inputs]),
            image_grid_thw=torch.cat([one["image_grid_thw"] for one in inputs]),
        ).logits
    length = rows_of_batch["responses"].shape[1]
    log_probs = logits[:, -length - 1 : -1].log_softmax(-1)
    found = log_probs.gather(-1, rows_of_batch["responses"][..., None])[..., 0]
    is_said = rows_of_batch["response_mask"] == 1
    assert int(is_said.sum()) > 60
    # Float32 rounds log-probs of about 7 by 5e-7; reversed patches change them by 8e-3.
    torch.testing.assert_close(
        found[is_said], rows_of_batch["rollout_log_probs"][is_said], atol=1e-5, rtol=0
    )


def test_rows_are_as_many_as_asked() -> None:
    tasks = open_task_set("synthetic:flash")
    assert len(rows(tasks, 3)) == 3
    assert len(rows(tasks)) == len(tasks)
    assert rows(tasks, 1)[0]["extra_info"] == {"index": 0, "task_id": tasks[0].id}
