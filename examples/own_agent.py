"""Write an agent: two methods. Then check its contract, and compare it with a baseline."""

import sys

import numpy as np

from agents.synthetic.baselines import GlanceAgent
from agents.synthetic.reader import choose_option
from zoomgym import ZoomEnv
from zoomgym.agent import Agent, Observation
from zoomgym.io.commands import Parser, ends_quietly
from zoomgym.rollout import run_episodes
from zoomgym.rules import Answer, ZoomCall, write_reply
from zoomgym.testing import check_agent


class BrightAgent:
    """Zooms once, around the overview frame that differs most from the others, and answers."""

    def reset(self, seed: int) -> None:
        """Has nothing to seed: it never guesses at random."""

    def act(self, observation: Observation) -> str:
        """Zooms in the first turn, answers in the second."""
        grammar = observation.rules.grammar
        if observation.turns:
            return write_reply(Answer(choose_option(observation) or "A"), grammar)
        frames = observation.overview.images.astype(np.float32)
        strangeness = np.abs(frames - np.median(frames, axis=0)).mean(axis=(1, 2, 3))
        time_s = observation.overview.times_s[int(strangeness.argmax())]
        start_s = max(0.0, time_s - 2.0)
        return write_reply(ZoomCall(start_s, start_s + 4.0, 4.0), grammar)


@ends_quietly
def main() -> int:
    """Checks the agent, and shows how many of 20 tasks it solves beside a baseline."""
    Parser(prog="python -m examples.own_agent", description=__doc__).parse_args()
    check_agent(BrightAgent)
    print("BrightAgent keeps the contract")
    env = ZoomEnv("synthetic:flash", split="test", source="scene", max_pixels=112 * 112)
    task_ids = [env.tasks[index].id for index in range(20)]
    contestants: dict[str, Agent] = {"bright": BrightAgent(), "glance": GlanceAgent()}
    for name, agent in contestants.items():
        records = list(run_episodes(env, agent, agent_name=name, task_ids=task_ids, seed=0))
        right = sum(record.reward_parts.accuracy for record in records)
        print(f"{name}: {right:.0f} of {len(records)} right")
    return 0


if __name__ == "__main__":
    sys.exit(main())
