"""The agent plays the same episode alone, in a batch, or taken up half-way."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agents.qwen.model import policy
from agents.qwen.model.chunks import Chunk
from agents.qwen.model.generation import Conversation, Reply, read, say
from agents.qwen.model.policy import QwenAgent
from agents.qwen.model.tiny import save_tiny
from agents.registry import make_agent
from tests.agents.qwen.small import EVERY_FAMILY, frames, seen, short_episode
from tests.rules.test_peers import T, crop, select
from zoomgym import ZoomEnv
from zoomgym.agent.observation import Frames, Observation
from zoomgym.records import Record
from zoomgym.rollout import run_episodes
from zoomgym.rules.episode import advance
from zoomgym.rules.grammar import GRAMMARS

NUM_TASKS = 3
ZOOM = '<think></think><video_zoom>{"segment": [4, 6], "fps": 2}</video_zoom>'
ANSWER = "<think></think><answer>B</answer>"


def play(
    agent: QwenAgent, num_envs: int, num_times: int = 1, num_overview: int | tuple[int, ...] = 4
) -> list[Record]:
    envs = [
        ZoomEnv(
            "synthetic",
            source="scene",
            grammar="video_zoom",
            max_pixels=784,
            num_overview=num_overview,
            frame_budget=68,
            frame_size=(8, 8),
        )
        for _ in range(num_envs)
    ]
    task_ids = [envs[0].tasks[i].id for i in range(NUM_TASKS) for _ in range(num_times)]
    records = run_episodes(envs, agent, agent_name="x", task_ids=task_ids, seed=3)
    still = [replace(record, agent_s=0.0, decode_s=0.0) for record in records]
    return sorted(still, key=lambda record: task_ids.index(record.task.id))


@EVERY_FAMILY
@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_replies_do_not_depend_on_the_batch(folder: Path, temperature: float) -> None:
    agent = QwenAgent(str(folder), temperature=temperature, max_tokens=10)
    alone = play(agent, 1)
    assert play(agent, 3) == alone
    assert max(len(record.turns) for record in alone) == 5
    assert agent._kept == {}


@pytest.mark.long
@pytest.mark.parametrize("num_overview", [0, (0, 3)])
def test_episodes_without_an_overview_are_played_side_by_side(
    folder: Path, num_overview: int | tuple[int, ...]
) -> None:
    agent = QwenAgent(str(folder), temperature=1.0, max_tokens=10)
    alone = play(agent, 1, num_overview=num_overview)
    assert play(agent, 3, num_overview=num_overview) == alone
    assert 0 in [len(record.overview.times_s) for record in alone]


@pytest.mark.long
def test_episodes_that_show_the_same_are_played_side_by_side(folder: Path) -> None:
    agent = QwenAgent(str(folder), temperature=1.0, max_tokens=10)
    alone = play(agent, 1)
    assert play(agent, 4, num_times=2) == [record for record in alone for _ in range(2)]
    assert len({record.key for record in alone}) == NUM_TASKS
    assert agent._kept == {}


def test_another_seed_samples_other_replies(folder: Path) -> None:
    agent = QwenAgent(str(folder), temperature=1.0, max_tokens=10)
    replies = []
    for seed in (1, 2, 1):
        agent.reset(seed)
        replies.append(agent.act(seen(short_episode())))
    assert replies[0] == replies[2] != replies[1]


@pytest.fixture
def half_way(folder: Path) -> tuple[QwenAgent, list[Observation]]:
    """An agent, and the observations of an episode in which it was made to zoom."""
    episode = short_episode()
    observations = [seen(episode)]
    for reply in (ZOOM, "hello", ZOOM):
        episode = advance(episode, reply)
        observations.append(seen(episode, clip_size=(28, 56)))
    return QwenAgent(str(folder), temperature=1.0, max_tokens=8), observations


def act_all(agent: QwenAgent, observations: Sequence[Observation]) -> list[str]:
    agent.reset(0)
    return [agent.act(observation) for observation in observations]


@EVERY_FAMILY
def test_an_episode_taken_up_half_way_goes_on_the_same(
    half_way: tuple[QwenAgent, list[Observation]], monkeypatch: pytest.MonkeyPatch
) -> None:
    agent, observations = half_way
    replies = act_all(agent, observations)
    assert [act_all(agent, [one])[0] for one in observations] == replies
    monkeypatch.setattr(policy, "MAX_KEPT", 0)
    assert act_all(agent, observations) == replies


def test_episodes_that_differ_in_nothing_but_clips_are_not_mixed_up(
    half_way: tuple[QwenAgent, list[Observation]], monkeypatch: pytest.MonkeyPatch
) -> None:
    agent, observations = half_way
    others = [
        replace(seen, clips=tuple(Frames(c.times_s, 255 - c.images) for c in seen.clips))
        for seen in observations
    ]
    alone = [act_all(agent, played) for played in (observations, others)]
    lengths = spied_lengths(monkeypatch)
    beside = act_all(
        agent, [one for both in zip(observations, others, strict=True) for one in both]
    )
    assert [beside[::2], beside[1::2]] == alone
    assert lengths[4::2] == lengths[5::2]  # what is new, and nothing else, of either episode


def spied_lengths(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Returns the lengths of what an agent reads from now on."""
    lengths: list[int] = []

    def spying(model: Any, talks: Sequence[Conversation], chunks: Sequence[Chunk]) -> None:
        lengths.extend(len(chunk.ids) for chunk in chunks)
        read(model, talks, chunks)

    monkeypatch.setattr(policy, "read", spying)
    return lengths


@EVERY_FAMILY
def test_a_turn_reads_only_what_is_new(
    half_way: tuple[QwenAgent, list[Observation]], monkeypatch: pytest.MonkeyPatch
) -> None:
    agent, observations = half_way
    lengths = spied_lengths(monkeypatch)
    act_all(agent, observations)
    act_all(agent, observations[-1:])
    *turns, whole = lengths
    assert len(turns) == 4
    assert sum(turns) == whole


def test_frames_that_went_missing_are_an_error(
    half_way: tuple[QwenAgent, list[Observation]],
) -> None:
    agent, observations = half_way
    agent.reset(0)
    agent.act(observations[0])
    [clip] = observations[1].clips
    more = replace(observations[1], clips=(clip, clip))
    with pytest.raises(ValueError, match="11 frames were shown, the model reads 7"):
        agent.act(more)
    fewer = replace(observations[1], overview=frames((0.0,), (28, 28), 0))
    agent.reset(0)
    agent.act(observations[0])
    with pytest.raises(ValueError, match="5 frames were shown, the model reads 7"):
        agent.act(fewer)


def told(reply: str) -> Any:
    """Returns a `say` that says reply to everybody."""

    def speak(
        model: Any, tokenizer: Any, talks: Sequence[Conversation], *_: Any, **given: Any
    ) -> Any:
        return [Reply((), (), reply) for _ in talks]

    return speak


def test_an_episode_that_was_answered_is_forgotten(
    half_way: tuple[QwenAgent, list[Observation]], monkeypatch: pytest.MonkeyPatch
) -> None:
    agent, observations = half_way
    for reply, num_kept in ((ZOOM, 1), ("hello", 1), (ANSWER, 0)):
        agent.reset(0)
        monkeypatch.setattr(policy, "say", told(reply))
        assert agent.act(observations[0]) == reply
        assert len(agent._kept) == num_kept


@pytest.mark.parametrize(
    ("grammar", "stop"), [("json", ""), ("video_zoom", "</video_zoom>"), ("own", "done")]
)
def test_replies_stop_where_their_grammar_ends_a_zoom(
    folder: Path, monkeypatch: pytest.MonkeyPatch, grammar: str, stop: str
) -> None:
    own = replace(GRAMMARS["json"], name="own", stop="done")
    monkeypatch.setitem(GRAMMARS, "own", own)
    stops = []

    def spying(*args: Any) -> list[Reply]:
        stops.append(args[-1].stop)
        return say(*args)

    monkeypatch.setattr(policy, "say", spying)
    agent = QwenAgent(str(folder), max_tokens=2)
    act_all(agent, [seen(short_episode(grammar))])
    assert stops == [stop]


def test_the_registry_makes_it_from_a_path(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent = make_agent(f"qwen:{folder}")
    monkeypatch.setattr(policy, "say", told(ANSWER))  # random weights say 1024 tokens
    agent.reset(0)
    assert agent.act(seen(short_episode())) == ANSWER
    with pytest.raises(OSError, match="nowhere"):
        make_agent(f"qwen:{tmp_path}/nowhere")


@pytest.mark.long
def test_a_model_is_loaded_once_and_anew_when_it_was_written_again(tmp_path: Path) -> None:
    save_tiny(tmp_path, seed=0)
    replies, models = [], []
    for seed in (None, None, 1):
        if seed is not None:
            save_tiny(tmp_path, seed=seed)
        agent = QwenAgent(str(tmp_path), temperature=1.0, max_tokens=8)
        replies += act_all(agent, [seen(short_episode())])
        models.append(agent._model)
    assert models[0] is models[1] is not models[2]
    assert replies[0] == replies[1] != replies[2]


def test_frames_of_an_episode_are_its_own() -> None:
    one, other = seen(short_episode()), seen(replace(short_episode(), key="q2@0"))
    assert not np.array_equal(one.overview.images, other.overview.images)


@pytest.mark.parametrize("preset", ["longvt", "paravt", "eva", "dynframe"])
def test_a_model_reads_every_frame_of_a_preset(folder: Path, preset: str) -> None:
    calls = {
        "longvt": T + crop("4", "6"),
        "paravt": T + crop("4", "6") + crop("20", "21") + crop("90", "91"),
        "eva": select("4", "9", "3"),
        "dynframe": "<think>t <span>4 - 6</span><fps>1</fps>",
    }
    env = ZoomEnv(
        "synthetic:flash",
        source="scene",
        preset=preset,
        num_overview=1,
        max_turns=4,
        max_pixels=28 * 28,
    )
    env.reset(seed=0)
    agent = QwenAgent(str(folder), temperature=1.0, max_tokens=4)
    agent.reset(0)
    for reply in (calls[preset], calls[preset]):
        agent.act(env.observation)
        [talk] = agent._kept.values()
        assert talk.num_pictures == env.episode.frames_used
        env.step(reply)
    assert env.episode.turns[0].shown
