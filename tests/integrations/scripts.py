"""Forty episodes whose replies are known beforehand: what each loop has to make the same of.

No reply goes on after a text that ends generation (`Grammar.stop`): a model never says that.
"""

from typing import Any, NamedTuple

from zoomgym import ZoomEnv, open_task_set
from zoomgym.rules import GRAMMARS, Answer, ZoomCall, write_reply

ARGUMENTS: dict[str, Any] = {
    "tasks": "synthetic",
    "source": "scene",
    "num_overview": 4,
    "frames_per_zoom": 4,
    "frame_budget": 10,
    "max_turns": 3,
    "max_pixels": 28 * 28,
}
"""Arguments of ZoomEnv for all of them; `grammar` is the script's."""
NUM_TASKS = 2
KINDS = {
    "looks and is right": (["look", "right"], 1.5),
    "answers at once": (["right"], 1.0),
    "is wrong": (["look", "wrong"], 0.1),
    "breaks its call": (["broken", "right"], 0.9),
    "calls twice in a reply": (["twice", "right"], 0.9),
    "answers and calls": (["both", "right"], 0.9),
    "asks for too much": (["much", "look", "right"], 1.4),
    "never answers": (["look", "talk", "talk"], 0.0),
    "calls in the last turn": (["look", "much", "look"], 0.0),
    "talks around its answer": (["look", "around"], 1.4),
}
"""What an episode consists of, and its reward."""


class Script(NamedTuple):
    """One episode."""

    kind: str
    grammar: str
    task_id: str
    replies: list[str]
    reward: float

    @property
    def name(self) -> str:
        return f"{self.grammar}: {self.kind} ({self.task_id})"

    @property
    def arguments(self) -> dict[str, Any]:
        return {**ARGUMENTS, "grammar": self.grammar}


def scripts() -> list[Script]:
    """Returns all forty."""
    tasks = open_task_set("synthetic")
    found = []
    for grammar in GRAMMARS:
        for kind, (names, reward) in KINDS.items():
            for task in [tasks[index] for index in range(NUM_TASKS)]:
                others = [letter for letter in "AB" if letter != task.truth]
                said = _replies(grammar, task.truth, others[0])
                found.append(Script(kind, grammar, task.id, [said[name] for name in names], reward))
    return found


def _replies(grammar: str, right: str, wrong: str) -> dict[str, str]:
    """Returns the replies of a grammar by name."""
    look = write_reply(ZoomCall(4, 6, 2), grammar, "I look.")
    answer = write_reply(Answer(right), grammar, "I know.")
    is_json = grammar == "json"
    body = "<video_zoom>" + write_reply(ZoomCall(4, 6, 2), "json")
    return {
        "look": look,
        "much": write_reply(ZoomCall(0, 60, 1), grammar, "I look at all."),
        "right": answer,
        "wrong": write_reply(Answer(wrong), grammar, "I guess."),
        "broken": look.replace("6", "") if is_json else look.replace("]", ""),
        "twice": f"{look}\n{look}" if is_json else f"<think></think>{body}{body}</video_zoom>",
        "both": f"{answer}\n{look}",
        "talk": "Let me see: what could it be?",
        "around": f"So: {answer}" if is_json else f"{answer} That is it.",
    }


def play_in_env(task_id: str, replies: list[str], arguments: dict[str, Any]) -> float:
    """Returns the reward of an episode that is played by hand."""
    env = ZoomEnv(**arguments)
    env.reset(seed=0, options={"task_id": task_id})
    reward = 0.0
    for reply in replies:
        _, reward, is_over, *_ = env.step(reply)
    assert is_over
    env.close()
    return float(reward)
