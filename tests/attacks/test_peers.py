"""Hostile replies in the grammars of peers: each costs a turn, soon, and keeps the rules."""

import json
import random
import time

import pytest

from tests.attacks.test_replies import LIMIT_S, SIZES
from tests.attacks.test_replies import PARTS as COMMON
from tests.conftest import TASK, new_episode
from tests.rules.test_peers import TRANSCRIPTS
from zoomgym import ZoomEnv
from zoomgym.conversation import to_messages
from zoomgym.errors import ReplyError
from zoomgym.records import Record, replay
from zoomgym.rollout import to_record
from zoomgym.rules import PRESETS, grammar_of
from zoomgym.rules.actions import ZoomCall
from zoomgym.rules.episode import Episode, advance
from zoomgym.rules.grammar import read_reply, write_reply
from zoomgym.rules.relative import RelativeCall, Standing
from zoomgym.testing import nasty_replies

pytestmark = pytest.mark.slow

NUM_REPLIES = 10_000
"""In each grammar, to the rules alone."""
NUM_STEPS = 300
"""In each preset, to an environment."""
PARTS = (
    *COMMON, "<tool_call>", "</tool_call>", '"name"', '"arguments"', '"crop_video"', "<retrieve>",
    "</retrive>", "<action>", "</action>", "choose frames between ", " and ", "output answer: B",
    "<span>", "</span><fps>", "</fps>", " - ", '"start_time"', '"end_time"', '"nframes"', '"num"',
    '"segment_id"', '"ZOOM_IN"', '"action"', '"type"', '"args"', ",", "9" * 5000, "0.", "MM:SS",
)  # fmt: skip
PRESET_OF = {str(preset.arguments["grammar"]): name for name, preset in PRESETS.items()}
SHAPES = (
    "<tool_call>", "<tool_call></tool_call>", "<answer></answer>", "<action>", "<span>", "</span>",
    "<retrieve>1,1", "<think><span>", '{"action": ', "choose frames between 1 ",
)  # fmt: skip
"""Pieces whose repetition breaks a reader that goes back."""


def hostile(rng: random.Random, grammar: str) -> str:
    kind = rng.random()
    if kind < 0.01:
        size = rng.choice(SIZES)
        shape = rng.choice(SHAPES)
        return rng.choice([*nasty_replies(size).values(), shape * (size // len(shape))])
    if kind < 0.3:
        return "".join(rng.choices(PARTS, k=rng.randint(0, 12)))
    known = [reply for reply, _ in TRANSCRIPTS[grammar]]
    text = rng.choice(known)
    for _ in range(rng.randint(0, 3)):
        at, end = sorted(rng.randint(0, len(text)) for _ in range(2))
        put = rng.choice((rng.choice(PARTS), "", text[at:end] * 2, rng.choice(known)))
        text = text[:at] + put + text[rng.choice((at, min(at + 1, len(text)), end)) :]
    return text


def begin(grammar: str) -> Episode:
    preset = PRESET_OF[grammar]
    arguments = {**PRESETS[preset].arguments, "preset": preset}
    del arguments["reward_weights"]
    return new_episode(TASK, **arguments)


def check_reading(reply: str, grammar: str) -> None:
    """Raises AssertionError if a zoom that was read is another one when it is written."""
    try:
        action = read_reply(reply, grammar).action
    except ReplyError:
        return
    zoom = action.fit(Standing(60.0, 16)) if isinstance(action, RelativeCall) else action
    if isinstance(zoom, ZoomCall) and 1e-9 < zoom.fps < 1e9 and zoom.end_s < 60:
        again = read_reply(write_reply(zoom, grammar), grammar)
        fitted = again.action
        if isinstance(fitted, RelativeCall):
            fitted = fitted.fit(Standing(60.0, 10**9))
        assert again.is_well_formed
        assert isinstance(fitted, ZoomCall)  # which is what mypy needs to know
        assert fitted.num_frames == pytest.approx(zoom.num_frames, abs=1)


@pytest.mark.parametrize("grammar", TRANSCRIPTS)
def test_a_reply_costs_a_turn_and_keeps_the_rules(grammar: str) -> None:
    rng, episode, num_usable = random.Random(grammar), begin(grammar), 0
    for _ in range(NUM_REPLIES):
        reply, before = hostile(rng, grammar), episode
        began_s = time.process_time()
        episode = advance(before, reply)
        assert time.process_time() - began_s < LIMIT_S, reply[:1000]
        turn = episode.turns[-1]
        assert episode.turns[:-1] == before.turns
        assert episode.frames_used == len(episode.overview_s) + len(episode.clip_s)
        assert episode.frames_used <= episode.rules.frame_budget
        assert all(0 <= time_s < episode.duration_s for time_s in episode.clip_s)
        for zoom in turn.all_zooms:
            assert 1 <= zoom.num_frames <= episode.rules.frames_per_zoom
        assert len(turn.all_zooms) <= episode.rules.most_calls
        if grammar_of(grammar).says_zooms:
            check_reading(reply, grammar)
        num_usable += not turn.error
        if episode.is_over:
            episode = begin(grammar)
    assert NUM_REPLIES / 50 < num_usable < NUM_REPLIES * 9 / 10  # both are tried


@pytest.mark.parametrize(
    "preset", [name for name, one in PRESETS.items() if one.arguments["grammar"] in TRANSCRIPTS]
)
def test_a_reply_makes_an_observation_messages_and_a_record(preset: str) -> None:
    grammar = str(PRESETS[preset].arguments["grammar"])
    rng = random.Random(preset)
    env = ZoomEnv(
        "synthetic", source="scene", preset=preset, num_overview=1, frame_size=(1, 1), max_pixels=4
    )
    env.reset(seed=0)
    for _ in range(NUM_STEPS):
        observation, _, terminated, truncated, info = env.step(hostile(rng, grammar))
        assert env.observation_space.contains(observation)
        assert not truncated
        assert json.loads(json.dumps(info)) == info
        assert all(message["content"] for message in to_messages(env.observation))
        if terminated:
            record = to_record(env, agent_name="stranger", seed=0, agent_s=0.0)
            assert Record.from_json(record.to_json()) == record
            replay(record)
            env.reset()
