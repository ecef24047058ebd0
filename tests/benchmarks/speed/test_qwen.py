"""The benchmark of Qwen2.5-VL, small: both sides play the same, and TRL's side is TRL's."""

import copy
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from trl import GRPOTrainer

from agents.qwen.model import tiny
from agents.qwen.model.chunks import encode
from agents.qwen.model.tiny import SIZES, make_model, make_processor
from benchmarks.speed.qwen import __main__ as qwen_speed
from benchmarks.speed.qwen import episodes as qwen_episodes
from benchmarks.speed.qwen import generation as qwen_generation
from benchmarks.speed.qwen import step as qwen_step
from benchmarks.speed.qwen.episodes import OURS, STOCK, TASK_ID, Course, Load, make_env
from benchmarks.speed.qwen.generation import SAID, measure_generation
from benchmarks.speed.qwen.learning import PLAIN, SHARED, measure_learning
from benchmarks.speed.qwen.step import Step, take_step
from benchmarks.speed.qwen.stock import StockTrainer, ending_ids
from zoomgym.conversation import to_messages

pytestmark = [
    pytest.mark.long,
    pytest.mark.filterwarnings(
        "ignore:.*gradient_checkpointing.*:FutureWarning"  # TRL says it by its old names
    ),
]
COURSE = Course((56, 28), num_overview=3, num_zooms=2, frames_per_zoom=2)
new = cache(make_processor)
LOAD = Load("tiny", COURSE, group_size=2, num_tokens=3)


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def one_tokenizer(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (tiny, qwen_episodes, qwen_generation):
        monkeypatch.setattr(module, "make_processor", lambda *args: copy.deepcopy(new(*args)))


@contextmanager
def seen_pixels(model: Any) -> Iterator[list[Any]]:
    """Keeps the patches of each call of the vision encoder."""
    calls: list[Any] = []
    hook = model.model.visual.register_forward_pre_hook(lambda _, args: calls.append(args[0]))
    yield calls
    hook.remove()


def test_every_episode_takes_its_course() -> None:
    env = make_env(Course((56, 28)))
    env.reset(options={"task_id": TASK_ID})
    assert env.observation.overview.images.shape == (64, 28, 56, 3)
    for _ in range(4):
        env.step("anything")
    assert env.episode.frames_used == 64 + 4 * 16
    answers = set()
    for said in ("a", "b", "c", "d"):
        fork = env.fork()
        fork.step(said)
        answers.add(fork.episode.answer)
    assert answers == {"A", "B"}


def test_both_sides_read_and_say_as_much_at_the_same_places(tmp_path: Path) -> None:
    processor = new(LOAD.tokens_per_frame)
    model = make_model(SIZES["tiny"], processor, 0)
    ours = qwen_generation._our_player(model, processor, LOAD)
    stock = qwen_generation._stock_player(model, processor, LOAD, tmp_path)
    with seen_pixels(model) as our_pixels:
        read = ours(0)
    with seen_pixels(model) as stock_pixels:
        assert stock(0) == read
    assert [row.count(SAID) for row in read] == [3 * LOAD.num_tokens] * 2
    assert len({*read}) == 1
    opening, *clips = our_pixels
    whole = torch.cat([opening, *(clip.chunk(2)[0] for clip in clips)])
    assert len(stock_pixels) == 3
    assert torch.equal(stock_pixels[-1], torch.cat([whole, whole]))


def test_no_reply_ends_early() -> None:
    banned = {*ending_ids(new(1))}
    said = new(1).tokenizer.encode('<video_zoom>{"fps": 8}</video_zoom><|im_end|>')
    assert {*said[-2:]} <= banned
    assert "fps" in new(1).tokenizer.decode([id_ for id_ in said if id_ not in banned])


def test_generation_of_the_stock_side_is_that_of_trl() -> None:
    for name in ("_tokenize_prompts", "_generate_single_turn", "_tool_call_loop"):
        assert getattr(StockTrainer, name) is getattr(GRPOTrainer, name)


def test_frames_are_counted_as_they_are_encoded() -> None:
    measured = measure_generation(LOAD, 2, lambda _: None)
    assert [row["side"] for row in measured["runs"]] == [OURS, STOCK] * 2
    assert measured["medians"][OURS]["frames_encoded"] == 3 + 2 * 4
    assert measured["medians"][STOCK]["frames_encoded"] == 2 * (3 + 5 + 7)
    assert measured["ratios"]["frames_encoded"] == pytest.approx(30 / 11)
    for row in measured["runs"]:
        assert row["total_s"] == pytest.approx(sum(row["seconds"].values()))
        assert all(seconds > 0 for seconds in row["seconds"].values())


def test_a_shared_prompt_is_learned_from_once_with_the_same_gradients() -> None:
    measured = measure_learning(LOAD, 1, lambda _: None)
    shared, plain = (measured["medians"][side]["tokens"] for side in (SHARED, PLAIN))
    env = make_env(COURSE)
    env.reset(options={"task_id": TASK_ID})
    prompt = encode(new(LOAD.tokens_per_frame), to_messages(env.observation))
    assert plain - shared == len(prompt.ids)  # two episodes, as long as each other
    assert measured["ratios"]["apart"] < 1e-5


def test_sides_that_read_something_else_are_not_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    def other_player(*_: Any) -> Any:
        return lambda seed: ((1, 2, SAID),)

    monkeypatch.setattr(qwen_generation, "_stock_player", other_player)
    with pytest.raises(ValueError, match="both sides need to read the same conversations"):
        measure_generation(LOAD, 1, lambda _: None)


@pytest.mark.parametrize("side", [OURS, STOCK])
def test_a_step_of_each_side_is_told_in_phases(side: str, tmp_path: Path) -> None:
    load = replace(LOAD, group_size=4)
    qwen_step._save_model(tmp_path / "model", load)
    step = Step(load, micro_batch=2, gradient_checkpointing=True)
    row = take_step(step, side, tmp_path / "model", tmp_path / "run")
    assert row["seconds"].keys() == {"generation", "reference", "scoring", "learning"}
    assert all(seconds > 0 for seconds in row["seconds"].values())
    assert row["tokens_per_s"] == pytest.approx(4 * 3 * 3 / row["seconds"]["generation"])
    assert row["peak_resident_bytes"] > 1e8
    assert not list(tmp_path.glob("run/checkpoint-*"))


def test_the_commands_keep_what_they_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(qwen_step, "fresh", lambda function, *args: function(*args))
    small = ["--quick", "--group", "2", "--tokens", "2", "--out", str(tmp_path)]
    assert qwen_speed.main(["generation", "--repeats", "1", *small]) == 0
    assert qwen_speed.main(["generation", "--repeats", "1", "--frame", "56x28", *small]) == 0
    assert qwen_speed.main(["step", *small]) == 0
    kept = json.loads((tmp_path / "qwen_generation.json").read_text())
    assert list(kept) == ["tiny, 28x28", "tiny, 56x28"]
    assert kept["tiny, 56x28"]["load"]["course"]["frame"] == [56, 28]
    assert kept["tiny, 56x28"]["versions"]["trl"]
    assert list(json.loads((tmp_path / "qwen_step.json").read_text())) == ["tiny, 28x28"]
    out = capsys.readouterr().out
    assert "TRL / KV reuse: " in out
    assert "quick: it runs, but the numbers mean nothing" in out


@pytest.mark.parametrize(
    ("frame", "error"),
    [("28", "needed WxH like 56x28, got '28'"), ("28x30", "needed multiples of 28, got '28x30'")],
)
def test_frames_that_make_no_whole_tokens_are_refused(
    frame: str, error: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        qwen_speed.main(["generation", "--frame", frame])
    assert error in capsys.readouterr().err
