"""Replies that strangers' agents send: each costs a turn, soon, and keeps the rules."""

import json
import random
import time

import pytest

from tests.conftest import new_episode
from tests.rules.test_grammar import JSON_REPLIES, VIDEO_ZOOM_REPLIES
from zoomgym import ZoomEnv
from zoomgym.errors import ReplyError
from zoomgym.records import Record
from zoomgym.rollout import to_record
from zoomgym.rules.actions import ZoomCall
from zoomgym.rules.episode import Episode, advance
from zoomgym.rules.grammar import GRAMMARS, read_reply, write_reply
from zoomgym.rules.rewards import score
from zoomgym.testing import nasty_replies

pytestmark = pytest.mark.slow

NUM_REPLIES = 300_000
"""In each grammar, to the rules alone."""
NUM_STEPS = 10_000
"""In each grammar, to an environment."""
LIMIT_S = 2.0
"""Processor time of one reply: the slowest known one of 64 KiB takes 0.1 s."""
SIZES = (30, 1000, 65_000, 70_000)
KNOWN = {
    "json": [reply for reply, *_ in JSON_REPLIES],
    "video_zoom": [reply for reply, *_ in VIDEO_ZOOM_REPLIES],
}
PARTS = (
    "<think>", "</think>", "<answer>", "</answer>", "<video_zoom>", "</video_zoom>", "<|im_end|>",
    "{", "}", "[", "]", '"', ":", ",", "\\", "\\u0000", "\\ud800", "```json\n", "```", "\n", " ",
    '"answer"', '"segment"', '"fps"', '{"answer": "B"}', '{"segment": [4, 6], "fps": 2}', "true",
    '"evidence"', '{"answer": "B", "evidence": [[4, 6]]}', "[[", "]]",
    "null", "NaN", "-Infinity", "1e999", "-0.0", "0", "1e-320", "9" * 400, "12.5", "60", "16",
    "\0", "\ud800", "\u202e", "\x1b[2J", "é", "\N{FULLWIDTH LATIN CAPITAL LETTER B}", "B", "A.",
)  # fmt: skip


def hostile(rng: random.Random, grammar: str) -> str:
    """Returns a reply: one that is known, changed, or one put together from parts."""
    kind = rng.random()
    if kind < 0.01:
        return rng.choice(list(nasty_replies(rng.choice(SIZES)).values()))
    if kind < 0.3:
        return "".join(rng.choices(PARTS, k=rng.randint(0, 12)))
    text = rng.choice(KNOWN[grammar])
    for _ in range(rng.randint(0, 3)):
        at, end = sorted(rng.randint(0, len(text)) for _ in range(2))
        put = rng.choice((rng.choice(PARTS), "", text[at:end] * 2, rng.choice(KNOWN[grammar])))
        text = text[:at] + put + text[rng.choice((at, min(at + 1, len(text)), end)) :]
    return text


def check_turn(before: Episode, after: Episode) -> None:
    """Raises AssertionError if a turn broke the rules."""
    turn = after.turns[-1]
    assert after.turns[:-1] == before.turns
    assert 64 <= after.frames_used == 64 + len(after.clip_s) <= 128
    assert all(0 <= time_s < after.duration_s for time_s in after.clip_s)
    assert after.is_over == (after.answer is not None or len(after.turns) == 5)
    assert (turn.zoom is not None) + bool(turn.error) + (after.answer is not None) == 1
    assert len(turn.feedback) < 1000
    parts = score(after)
    assert {parts.accuracy, parts.format, parts.tool} <= {0.0, 1.0}
    assert parts.tool <= parts.accuracy


def check_reading(reply: str, grammar: str) -> None:
    """Raises AssertionError if what is read of a reply is not read again when it is written."""
    try:
        reading = read_reply(reply, grammar)
    except ReplyError:
        return
    if isinstance(reading.action, ZoomCall):
        again = read_reply(write_reply(reading.action, grammar), grammar)
        assert (again.action, again.is_well_formed) == (reading.action, True)


@pytest.mark.parametrize("grammar", GRAMMARS)
def test_a_reply_costs_a_turn_and_keeps_the_rules(grammar: str) -> None:
    rng, episode, num_usable = random.Random(grammar), new_episode(grammar=grammar), 0
    for _ in range(NUM_REPLIES):
        reply, before = hostile(rng, grammar), episode
        began_s = time.process_time()
        episode = advance(before, reply)
        assert time.process_time() - began_s < LIMIT_S, reply[:1000]
        check_turn(before, episode)
        check_reading(reply, grammar)
        num_usable += not episode.turns[-1].error
        if episode.is_over:
            episode = new_episode(grammar=grammar)
    assert NUM_REPLIES / 10 < num_usable < NUM_REPLIES * 9 / 10  # both are tried


@pytest.mark.parametrize("grammar", GRAMMARS)
def test_a_reply_makes_an_observation_and_a_record(grammar: str) -> None:
    rng = random.Random(grammar)
    env = ZoomEnv(
        "synthetic",
        source="scene",
        grammar=grammar,
        num_overview=1,
        frame_size=(1, 1),
        max_pixels=4,
    )
    env.reset(seed=0)
    for _ in range(NUM_STEPS):
        observation, reward, terminated, truncated, info = env.step(hostile(rng, grammar))
        assert env.observation_space.contains(observation)
        assert 0 <= reward <= 1.5
        assert not truncated
        assert json.loads(json.dumps(info)) == info
        if terminated:
            record = to_record(env, agent_name="stranger", seed=0, agent_s=0.0)
            assert Record.from_json(record.to_json()) == record
            env.reset()
