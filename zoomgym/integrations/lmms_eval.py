"""An agent as a model of lmms-eval: its tasks, its scorers, and our episodes in between.

Each request becomes an episode on the task's video. The agent is asked what lmms-eval would ask its
model, options and all, and lmms-eval scores the text of its answer.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from lmms_eval.api.instance import GenerationResult, Instance, TokenCounts
from lmms_eval.api.model import lmms
from lmms_eval.models.registry_v2 import ModelManifest
from tqdm import tqdm

from zoomgym.agent import Agent
from zoomgym.envs import ZoomEnv
from zoomgym.errors import TaskError
from zoomgym.io import import_named
from zoomgym.records import Record
from zoomgym.rollout import Start, try_episodes
from zoomgym.rules import VideoQuestion
from zoomgym.tasks import hash_tasks
from zoomgym.video import VideoFile

__all__ = ["MANIFEST", "ZoomModel"]

MANIFEST = ModelManifest("zoomgym", simple_class_path=f"{__name__}.ZoomModel")
"""Registers the model: `--model zoomgym`."""
UNKNOWN = "unknown"
"""The answer of tasks here, for lmms-eval alone knows it."""


class OneQuestion:
    """A task set of a single question about a file."""

    name = "lmms_eval"
    version = "0"

    def __init__(self, question: VideoQuestion) -> None:
        self._question = question
        self.content_hash = hash_tasks([question])

    def __len__(self) -> int:
        return 1

    def __getitem__(self, index: int) -> VideoQuestion:
        return [self._question][index]

    def by_id(self, task_id: str) -> VideoQuestion:
        """Returns the question. Raises TaskError if it has another id."""
        if task_id != self._question.id:
            raise TaskError(f"needed the task {self._question.id}, got {task_id}")
        return self._question

    def open_video(self, task: VideoQuestion) -> VideoFile:
        """Returns the video. Raises VideoError."""
        return VideoFile(Path(task.video))


class ZoomModel(lmms):
    """Plays an episode of `ZoomEnv` for each request.

    Args:
        agent: an `Agent`, or `module:function`, which returns one.
        name: what that function is told; empty for nothing.
        arguments: of `ZoomEnv`, also as JSON: grammar, numbers of frames and turns, tools.
        seed: of agent and environments.
        batch_size: how many episodes to play at once.
        device: is lmms-eval's, and not used.

    Raises:
        ValueError: there is no such agent.
    """

    def __init__(
        self,
        agent: Agent | str,
        name: str = "",
        arguments: Mapping[str, Any] | str = "{}",
        seed: int = 0,
        batch_size: int | str = 1,
        device: str | None = None,
    ) -> None:
        super().__init__()
        self._name = name or str(agent)
        if isinstance(agent, str):
            make: Callable[..., Agent] = import_named("agent", agent, agent, "make_agent")
            agent = make(name) if name else make()
        self._agent, self._seed, self._num_games = agent, seed, int(batch_size)
        self._arguments = json.loads(arguments) if isinstance(arguments, str) else arguments

    def generate_until(self, requests: Sequence[Instance]) -> list[GenerationResult]:
        """Returns the text of the answer to each request, empty if there is none.

        Raises:
            VideoError: a video cannot be shown.
            AgentError: the agent cannot reply.
        """
        self._agent.reset(self._seed)
        answers: dict[str, GenerationResult] = {}
        played = try_episodes(
            self._starts(requests), self._agent, num_games=self._num_games,
            agent_name=self._name, seed=self._seed,
        )  # fmt: skip
        for start, outcome in tqdm(played, total=len(requests), disable=None, leave=False):
            if not isinstance(outcome, Record):
                raise outcome
            start.env.close()
            used = (outcome.usage.get(name) for name in ("input_tokens", "output_tokens"))
            counts = TokenCounts(*(None if one is None else int(one) for one in used))
            answers[outcome.task.id] = GenerationResult(outcome.answer or "", counts)
        return [answers[str(number)] for number in range(len(requests))]

    def _starts(self, requests: Sequence[Instance]) -> Iterator[Start]:
        """Yields the episode of each request, whose id is its number."""
        for number, request in enumerate(requests):
            asked, _, doc_to_visual, doc_id, task, split = request.args
            visuals = doc_to_visual(self.task_dict[task][split][doc_id])
            if len(visuals) != 1 or not isinstance(visuals[0], str):
                raise TaskError(f"{task}: needed one path of a video a question, got {visuals}")
            question = VideoQuestion(str(number), visuals[0], asked, UNKNOWN)
            yield Start(ZoomEnv(OneQuestion(question), **self._arguments), question.id)

    def loglikelihood(self, requests: Sequence[Instance]) -> list[tuple[float, bool]]:
        """Raises NotImplementedError: an agent's answers have no likelihood."""
        raise NotImplementedError("zoomgym plays tasks of the type generate_until only")

    def generate_until_multi_round(self, requests: Sequence[Instance]) -> list[str]:
        """Raises NotImplementedError: the rounds of an episode are ours."""
        raise NotImplementedError("zoomgym plays tasks of the type generate_until only")
