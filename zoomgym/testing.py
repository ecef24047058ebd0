"""Contract checks for those who write agents, and replies that break careless parsers."""

from collections.abc import Callable

from zoomgym.agent import Agent
from zoomgym.envs import ZoomEnv
from zoomgym.records import Record, replay
from zoomgym.rollout import run_episodes
from zoomgym.rules import GRAMMARS, read_reply

__all__ = ["check_agent", "nasty_replies"]

NUM_TASKS = 3


def check_agent(make: Callable[[], Agent]) -> list[Record]:
    """Plays an agent in both grammars and checks that it keeps its contract.

    The contract: replies are texts; episodes end; every reply is one that its grammar can read;
    and an episode is the same whatever was played before it.

    Args:
        make: returns a new agent.

    Returns:
        The records of the episodes that were played.

    Raises:
        AssertionError: the agent breaks its contract; says how.
        ReplyError: a reply cannot be read.
    """
    records = []
    for grammar in GRAMMARS:
        env = ZoomEnv("synthetic", source="scene", grammar=grammar, max_pixels=112 * 112)
        task_ids = [env.tasks[index].id for index in range(NUM_TASKS)]
        forward, backward = (
            list(run_episodes(env, make(), agent_name="checked", task_ids=order, seed=7))
            for order in (task_ids, task_ids[::-1])
        )
        env.close()
        for one, other in zip(forward, reversed(backward), strict=True):
            if one.turns != other.turns:
                raise AssertionError(
                    f"{one.key}: needed the same replies whatever was played before, got "
                    f"{[t.reply for t in one.turns]} and {[t.reply for t in other.turns]}: key "
                    "randomness and state by observation.episode_key"
                )
            for turn in one.turns:
                read_reply(turn.reply, grammar)
            replay(one)
        records += forward
    return records


def nasty_replies(size: int) -> dict[str, str]:
    """Returns texts of about size characters, by what is nasty about them."""
    return {
        "open braces": "{" * size,
        "open objects": '{"a":' * (size // 5),
        "closed objects": "{}" * (size // 2),
        "nested lists": '{"answer": ' + "[" * (size // 2) + "]" * (size // 2 - 20) + "}",
        "open string": '{"answer": "' + "x" * size,
        "quotes": '{"' + '"' * size,
        "escapes": '{"' + "\\" * size,
        "escaped quotes": '{"' + '\\"' * (size // 2),
        "digits": '{"answer": ' + "1" * size + "}",
        "keys": "{" + ",".join(f'"{i:06}": 0' for i in range(size // 12)) + "}",
        "thoughts": "<think></think>" * (size // 15),
        "open thoughts": "<think>" * (size // 7),
        "ends of thoughts": "</think>" * (size // 8),
        "ends of thoughts in braces": "{</think>" * (size // 9),
        "ends of thoughts in open strings": '{"</think>' * (size // 10),
        "ends of thoughts in strings": '{"</think>" ' * (size // 12),
        "ends of thoughts in objects": '{"a":"</think>"}' * (size // 16) + "</think>",
        "ends of thoughts in answers": "<answer></think>" * (size // 16),
        "open tags": "<video_zoom>" * (size // 12),
        "answers": "<answer></answer>" * (size // 17),
        "blanks": " " * size,
        "blanks inside": "<think></think>" + " " * size + "<answer>B</answer>",
        "angles": "<" * size,
        "surrogates": "\ud800" * size,
        "a long letter": "<think></think><answer>option" + " " * size + "</answer>",
    }
