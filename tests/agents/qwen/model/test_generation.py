"""Generation with memory says what a plain forward over everything says, and reads less."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from agents.qwen.model.chunks import Chunk, encode, encode_response
from agents.qwen.model.generation import Conversation, Reply, Sampling, read, say
from tests.agents.qwen.small import EVERY_FAMILY, ROUNDING, Loaded, seen, short_episode
from zoomgym.conversation import new_messages, to_messages
from zoomgym.rules.episode import advance

SIZES = [(28, 28), (28, 56), (56, 56), (56, 28)]
REPLIES = [
    '{"segment": [4, 6], "fps": 8}',
    '{"segment": [9, 10], "fps": 3}',
    "hello",
    '{"segment": [1, 2], "fps": 1}',
]


def full_forward(tiny: Loaded, chunks: list[Chunk], ids: list[int], **changes: Tensor) -> Tensor:
    """Returns the log-probs of ids[1:] by one plain forward, without memory or padding."""
    row = torch.tensor([ids])
    given = {
        "input_ids": row,
        "mm_token_type_ids": (row == tiny.processor.image_token_id).int(),
        "pixel_values": torch.cat([chunk.pixels for chunk in chunks if chunk.pixels is not None]),
        "image_grid_thw": torch.tensor([grid for chunk in chunks for grid in chunk.grids]),
    }
    with torch.no_grad():
        logits = tiny.model(**{**given, **changes}, use_cache=False).logits[0, :-1]
    return logits.log_softmax(-1).gather(1, row[0, 1:, None])[:, 0]


def largest_difference(
    tiny: Loaded, talk: Conversation, chunks: list[Chunk], **changes: Tensor
) -> float:
    plain = full_forward(tiny, chunks, talk.ids, **changes)
    said = torch.tensor(talk.is_said[1:])
    kept = torch.tensor(talk.log_probs[1:], dtype=torch.float64)
    return float((plain - kept)[said].abs().max())


def rngs(count: int) -> list[np.random.Generator]:
    return [np.random.default_rng(seed) for seed in range(count)]


def speak(tiny: Loaded, talks: list[Conversation], seeds: Any, **settings: Any) -> list[Reply]:
    given = {"temperature": 1.0, "max_tokens": 12, "banned_ids": banned(tiny), **settings}
    return say(tiny.model, tiny.processor.tokenizer, talks, seeds, Sampling(**given))


def banned(tiny: Loaded) -> tuple[int, int]:
    return tiny.processor.image_token_id, tiny.processor.video_token_id


@EVERY_FAMILY
def test_ragged_turns_of_mixed_sizes_agree_with_a_plain_forward(tiny: Loaded) -> None:
    episodes = [short_episode("json") for _ in SIZES]
    talks = [Conversation() for _ in SIZES]
    chunks = [
        [encode(tiny.processor, to_messages(seen(episode, size)))]
        for episode, size in zip(episodes, SIZES, strict=True)
    ]
    read(tiny.model, talks, [past[-1] for past in chunks])
    live, num_said = [0, 1, 2, 3], 0
    for turn in range(3):
        replies = speak(
            tiny, [talks[row] for row in live], rngs(len(live)), max_tokens=3 + 4 * turn
        )
        num_said += sum(len(reply.ids) for reply in replies)
        live = live[1:]  # one row falls out in every turn, so memories come to differ in length
        for row in live:
            # the environment's side is scripted: random weights say nothing that can be executed
            episodes[row] = advance(episodes[row], REPLIES[(row + turn) % 4])
            [_, response] = new_messages(seen(episodes[row], SIZES[row], SIZES[-row]))
            last_id = talks[row].ids[-1]
            chunks[row].append(encode_response(tiny.processor, [response], last_id))
        if live:
            read(tiny.model, [talks[row] for row in live], [chunks[row][-1] for row in live])
    speak(tiny, [talks[row] for row in live], rngs(len(live)))
    assert [len(past) for past in chunks] == [1, 2, 3, 4]
    assert len({len(talk.ids) for talk in talks}) == 4
    for talk, past in zip(talks, chunks, strict=True):
        assert len(talk.ids) == len(talk.is_said) == len(talk.log_probs)
        assert largest_difference(tiny, talk, past) < ROUNDING


@EVERY_FAMILY
def test_a_mistake_is_much_larger_than_rounding(tiny: Loaded) -> None:
    chunk = encode(tiny.processor, to_messages(seen(short_episode(), (56, 56))))
    talk = Conversation()
    read(tiny.model, [talk], [chunk])
    speak(tiny, [talk], rngs(1))
    assert largest_difference(tiny, talk, [chunk]) < ROUNDING
    assert chunk.pixels is not None
    first, second, third = chunk.pixels.chunk(3)
    positions, num_read = chunk.positions(0), len(chunk.ids)
    said = torch.arange(len(talk.ids) - num_read).expand(3, -1) + positions.max() + 1
    other_ids = torch.tensor([talk.ids])
    other_ids[0, 1] += 1
    mistakes = [
        {"pixel_values": torch.cat([second, first, third])},
        {"input_ids": other_ids},
        {"position_ids": torch.cat([positions, said + 1], dim=1)[:, None]},
    ]
    for mistake in mistakes:
        assert largest_difference(tiny, talk, [chunk], **mistake) > 100 * ROUNDING, mistake


@contextmanager
def counted_pictures(model: Any) -> Iterator[list[int]]:
    """Notes how many pictures each call of the vision encoder sees."""
    counts: list[int] = []
    hook = model.model.visual.register_forward_pre_hook(
        lambda _, args, given: counts.append(len(given["grid_thw"])), with_kwargs=True
    )
    yield counts
    hook.remove()


@EVERY_FAMILY
def test_a_group_reads_its_prompt_once_and_each_clip_once(tiny: Loaded) -> None:
    episode = short_episode("json")
    prompt = encode(tiny.processor, to_messages(seen(episode)))
    with counted_pictures(tiny.model) as counts:
        first = Conversation()
        read(tiny.model, [first], [prompt])
        group = [first.copy() for _ in range(4)]
        replies = speak(tiny, group, rngs(4))
        assert counts == [3]
        [_, response] = new_messages(seen(advance(episode, REPLIES[1])))
        clips = [encode_response(tiny.processor, [response], talk.ids[-1]) for talk in group]
        read(tiny.model, group, clips)
        speak(tiny, group, rngs(4))
        assert counts == [3, 4 * 3]
    assert len({reply.ids for reply in replies}) == 4  # each by its own random numbers
    assert all(talk.memory[0] is first.memory[0] for talk in group)  # and kept once
    for talk, clip in zip(group, clips, strict=True):
        assert largest_difference(tiny, talk, [prompt, clip]) < ROUNDING
        assert talk.num_pictures == 6


@EVERY_FAMILY
def test_a_batch_says_what_each_row_says_alone(tiny: Loaded) -> None:
    chunks = [encode(tiny.processor, to_messages(seen(short_episode(), size))) for size in SIZES]
    together = [Conversation() for _ in SIZES]
    read(tiny.model, together, chunks)
    replies = speak(tiny, together, rngs(4))
    for row, chunk in enumerate(chunks):
        alone = Conversation()
        read(tiny.model, [alone], [chunk])
        [reply] = speak(tiny, [alone], [np.random.default_rng(row)])
        assert reply.ids == replies[row].ids
        assert reply.log_probs == pytest.approx(replies[row].log_probs, abs=ROUNDING)


@pytest.mark.parametrize("max_tokens", [1, 300, 700])
def test_reading_in_smaller_batches_changes_nothing(tiny: Loaded, max_tokens: int) -> None:
    chunks = [encode(tiny.processor, to_messages(seen(short_episode(), size))) for size in SIZES]
    one, many = ([Conversation() for _ in SIZES] for _ in range(2))
    read(tiny.model, one, chunks)
    read(tiny.model, many, chunks, max_tokens=max_tokens)
    for left, right in zip(one, many, strict=True):
        assert left.next_logits is not None
        assert right.next_logits is not None
        assert float((left.next_logits - right.next_logits).abs().max()) < ROUNDING


def test_a_reply_ends_with_its_stop_text_wherever_tokens_break(tiny: Loaded) -> None:
    script = "<think>a</think><video_zoom>{}</video_zoom> and more"
    replies = scripted(tiny, script, stop="</video_zoom>")
    assert replies.text == "<think>a</think><video_zoom>{}</video_zoom>"
    assert scripted(tiny, script, stop="ink>a").text == "<think>a"
    assert scripted(tiny, script, stop="").text == script


def test_a_reply_ends_with_the_end_token(tiny: Loaded) -> None:
    reply = scripted(tiny, "yes<|im_end|>no", stop="")
    assert reply.text == "yes"
    assert reply.ids[-1] == tiny.processor.tokenizer.eos_token_id


def scripted(tiny: Loaded, script: str, stop: str) -> Reply:
    """Returns the reply of a model that wants to say a text, whatever it reads."""
    tokenizer = tiny.processor.tokenizer
    ids = [*tokenizer.encode(script), tokenizer.eos_token_id]

    def want(_: Any, __: Any, logits: Tensor) -> None:
        logits.zero_()[..., ids.pop(0)] = 99.0

    hook = tiny.model.lm_head.register_forward_hook(want)
    try:
        talk = Conversation()
        read(tiny.model, [talk], [encode(tiny.processor, to_messages(seen(short_episode())))])
        settings: dict[str, Any] = {"temperature": 0.0, "max_tokens": 60, "stop": stop}
        [reply] = say(tiny.model, tokenizer, [talk], rngs(1), Sampling(**settings))
    finally:
        hook.remove()
    return reply


def test_ids_are_drawn_as_often_as_the_model_expects(tiny: Loaded) -> None:
    first = Conversation()
    read(tiny.model, [first], [encode(tiny.processor, to_messages(seen(short_episode())))])
    assert first.next_logits is not None
    first.next_logits[:4] += 6.0
    likely = (first.next_logits / 0.7).softmax(-1)
    group = [first.copy() for _ in range(4000)]
    replies = speak(tiny, group, rngs(4000), temperature=0.7, max_tokens=1)
    drawn = np.bincount([reply.ids[0] for reply in replies], minlength=4)[:4] / 4000
    four_deviations = 4 * (likely[:4] * (1 - likely[:4]) / 4000).sqrt()
    assert torch.all((torch.from_numpy(drawn) - likely[:4]).abs() < four_deviations)
    chosen = replies[0].ids[0]
    assert replies[0].log_probs[0] == pytest.approx(float(likely[chosen].log()), abs=ROUNDING)


def test_banned_ids_are_never_said_and_log_probs_stay_those_of_the_model(tiny: Loaded) -> None:
    talk = Conversation()
    read(tiny.model, [talk], [encode(tiny.processor, to_messages(seen(short_episode())))])
    assert talk.next_logits is not None
    [best, second] = talk.next_logits.topk(2).indices.tolist()
    expected = talk.next_logits.log_softmax(-1)
    given = {"temperature": 0.0, "max_tokens": 1}
    [free] = speak(tiny, [talk.copy()], rngs(1), **given)
    [bound] = speak(tiny, [talk], rngs(1), **given, banned_ids=[best])
    assert (free.ids, bound.ids) == ((best,), (second,))
    assert bound.log_probs[0] == pytest.approx(float(expected[second]), abs=ROUNDING)


def test_who_has_read_nothing_has_nothing_to_say(tiny: Loaded) -> None:
    with pytest.raises(ValueError, match="needs to have read something before a reply"):
        speak(tiny, [Conversation()], rngs(1))


@EVERY_FAMILY
@pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing.:FutureWarning")  # peft's own use
def test_an_adapted_model_generates_too(folder: Any) -> None:
    from agents.qwen.model.loading import add_lora, load_model, load_processor

    loaded = Loaded(
        add_lora(load_model(str(folder)), rank=2, seed=0).eval(), load_processor(str(folder))
    )
    chunk = encode(loaded.processor, to_messages(seen(short_episode())))
    talk = Conversation()
    read(loaded.model, [talk], [chunk])
    speak(loaded, [talk], rngs(1))
    assert largest_difference(loaded, talk, [chunk]) < ROUNDING
