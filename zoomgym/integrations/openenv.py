"""ZoomEnv as an OpenEnv server, and its client.

An action is the raw text of a reply. An observation holds the messages that are new, as OpenAI's
API has them, with pictures as data URLs. The rules are exact: the server keeps the episode, and a
reply that is malformed costs a turn.

Source: openenv 0.10, `openenv.core.env_server`.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from gymnasium.error import ResetNeeded
from openenv.core import EnvClient
from openenv.core.client_types import StepResult
from openenv.core.env_server.http_server import create_app
from openenv.core.env_server.interfaces import Environment
from openenv.core.env_server.types import Action, EnvironmentMetadata, Observation, State
from pydantic import Field, field_validator

from zoomgym.conversation import Message, to_openai
from zoomgym.envs import ZoomEnv
from zoomgym.errors import TaskError, ZoomGymError
from zoomgym.integrations.session import Session
from zoomgym.io import encodable

__all__ = ["ZoomAction", "ZoomClient", "ZoomObservation", "ZoomServer", "ZoomState", "make_app"]

MOST_LISTED = 1000
"""Most tasks that a listing names."""


class ZoomAction(Action):
    """A reply."""

    reply: str = Field(description="What the model said, as it said it")

    @field_validator("reply", mode="before")
    @classmethod
    def _readable(cls, reply: Any) -> Any:
        """Replaces halves of characters, which JSON can hold and no text: they cost a turn."""
        return encodable(reply) if isinstance(reply, str) else reply


class ZoomObservation(Observation):
    """What is new since the last reply."""

    messages: list[dict[str, Any]] = Field(default_factory=list)
    """Messages of OpenAI's API: the opening, or what came back; empty at the end."""
    terms: dict[str, float] = Field(default_factory=dict)
    """Terms of the reward, unweighted, at the end."""
    task_id: str = ""


class ZoomState(State):
    """Where an episode is."""

    task_id: str = ""
    frames_left: int = 0
    turns_left: int = 0


@dataclass(frozen=True, slots=True)
class Sources:
    """What all sessions of a server share: the environment that theirs are forks of."""

    env: ZoomEnv
    split: str
    jpeg_quality: int


class ZoomServer(Environment[ZoomAction, ZoomObservation, ZoomState]):
    """One session: an episode after another. Sessions play side by side."""

    SUPPORTS_CONCURRENT_SESSIONS = True

    def __init__(self, sources: Sources) -> None:
        super().__init__()
        self._sources, self._session = sources, Session(sources.env.fork())
        self._state = ZoomState()

    def reset(
        self,
        seed: int | None = None,
        episode_id: str | None = None,
        task_id: str | None = None,
        split: str | None = None,
        index: int | None = None,
        **others: Any,
    ) -> ZoomObservation:
        """Starts an episode.

        Args:
            seed: of the environment; None draws one.
            episode_id: what the state calls it.
            task_id: the task; None draws one.
            split: that of the server.
            index: of the task in its set, instead of an id.
            others: are ignored.

        Raises:
            TaskError: the task or the split is unknown.
            VideoError: its video cannot be shown.
        """
        if index is not None:
            task_id = str(self.get_task(split or self._sources.split, index)["id"])
        elif split is not None:
            self._check_split(split)
        seed = secrets.randbits(31) if seed is None else seed
        opening = self._session.open(task_id, seed)
        self._state = ZoomState(episode_id=episode_id)
        return self._observation(opening)

    def step(
        self, action: ZoomAction, timeout_s: float | None = None, **others: Any
    ) -> ZoomObservation:
        """Plays a turn. Raises ResetNeeded, VideoError, FinderError and GradingError."""
        response = self._session.reply(action.reply)
        self._state = self._state.model_copy(update={"step_count": self._state.step_count + 1})
        return self._observation(response)

    @property
    def state(self) -> ZoomState:
        """Where the episode is."""
        return self._state

    def close(self) -> None:
        """Closes the video."""
        self._session.env.close()

    def get_metadata(self) -> EnvironmentMetadata:
        """Returns what the environment is."""
        return EnvironmentMetadata(
            name="zoomgym",
            description="Answer a question about a long video: glance at it, then zoom in.",
            version=self._sources.env.tasks.version,
        )

    # tasks, see OpenEnv's `TaskProvider`

    def list_splits(self) -> list[str]:
        """Returns the split of the server."""
        return [self._sources.split]

    def num_tasks(self, split: str) -> int:
        """Returns the number of tasks. Raises TaskError for another split."""
        self._check_split(split)
        return len(self._sources.env.tasks)

    def list_tasks(self, split: str) -> list[dict[str, Any]]:
        """Returns the first tasks, at most MOST_LISTED. Raises TaskError for another split."""
        return [self.get_task(split, k) for k in range(min(self.num_tasks(split), MOST_LISTED))]

    def get_task(self, split: str, index: int) -> dict[str, Any]:
        """Returns a task's id and index. Raises IndexError, and TaskError for another split."""
        self._check_split(split)
        return {"id": self._sources.env.tasks[index].id, "index": index}

    def _check_split(self, split: str) -> None:
        if split != self._sources.split:
            raise TaskError(f"the server has the split {self._sources.split!r}, got {split!r}")

    def _observation(self, messages: list[Message]) -> ZoomObservation:
        """Returns an observation with these messages."""
        session = self._session
        episode = session.env.episode
        self._state = self._state.model_copy(
            update={
                "task_id": episode.task.id,
                "frames_left": episode.budget.left,
                "turns_left": episode.turns_left,
            }
        )
        return ZoomObservation(
            done=session.is_over,
            reward=session.reward,
            messages=to_openai(messages, jpeg_quality=self._sources.jpeg_quality),
            terms=session.terms if session.is_over else {},
            task_id=episode.task.id,
        )


class ZoomClient(EnvClient[ZoomAction, ZoomObservation, ZoomState]):
    """A session on a server: `ZoomClient("http://localhost:8000").sync()`."""

    def _step_payload(self, action: ZoomAction) -> dict[str, Any]:
        return {"reply": action.reply}

    def _parse_result(self, payload: dict[str, Any]) -> StepResult[ZoomObservation]:
        seen = ZoomObservation(
            **payload["observation"], reward=payload.get("reward"), done=payload.get("done", False)
        )
        return StepResult(observation=seen, reward=payload.get("reward"), done=seen.done)

    def _parse_state(self, payload: dict[str, Any]) -> ZoomState:
        return ZoomState(**payload)


def make_app(
    arguments: Mapping[str, Any] | None = None,
    *,
    jpeg_quality: int = 90,
    max_concurrent: int = 16,
) -> FastAPI:
    """Returns the server of an environment, for uvicorn.

    Args:
        arguments: of ZoomEnv.
        jpeg_quality: of pictures, 1 to 100; 0 sends them as PNG, without loss.
        max_concurrent: sessions at once.

    Raises:
        ValueError, TypeError, TaskError: the arguments make no environment.
    """
    given = dict(arguments or {})
    env = ZoomEnv(**given)
    sources = Sources(env, str(given.get("split", "train")), jpeg_quality)
    app = create_app(
        partial(ZoomServer, sources),
        ZoomAction,
        ZoomObservation,
        "zoomgym",
        max_concurrent,
        state_cls=ZoomState,
    )
    for kind in (ZoomGymError, ResetNeeded):
        app.add_exception_handler(kind, _refuse)
    return app


def _refuse(request: Request, error: Exception) -> JSONResponse:
    """Answers a request that cannot be done: its error says why."""
    return JSONResponse({"detail": str(error)}, status_code=400)
