"""Plays episodes: an agent in one environment or many, from reset to record."""

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import version
from typing import Any, NamedTuple

import gymnasium as gym

from zoomgym.agent import Agent, Observation, is_privileged, reply_to, usage_of
from zoomgym.envs import ZoomEnv
from zoomgym.errors import AgentError, FinderError, OverviewError, RecordError, VideoError
from zoomgym.io import attempt
from zoomgym.records import Record
from zoomgym.rules import FindCall, Found, Overview, score
from zoomgym.video import cost_s

__all__ = [
    "Start",
    "finish_episode",
    "is_skipped",
    "run_episodes",
    "to_record",
    "try_episodes",
    "watch_again",
]

VERSION = version("zoomgym")

logger = logging.getLogger(__name__)


class Start(NamedTuple):
    """An episode that is to be played."""

    env: gym.Env[Any, Any]
    task_id: str | None
    """None draws one."""
    overview: Overview | None = None
    """None picks one."""
    found: Mapping[FindCall, Found] | None = None
    """What searches are told; None searches."""


@dataclass(slots=True)
class Game:
    """An episode that is being played, and the ZoomEnv that its environment wraps."""

    start: Start
    zoom_env: ZoomEnv
    agent_s: float = 0.0


def finish_episode(env: gym.Env[Any, Any], agent: Agent, *, agent_name: str, seed: int) -> Record:
    """Plays an episode that has begun (see `watch_again`) to its end, and returns its record.

    Args:
        env: a ZoomEnv in the middle of an episode, wrapped or not.
        agent: already reset.
        agent_name: what the record calls it.
        seed: of the episode.

    Raises:
        VideoError: the task's video cannot be shown.
        AgentError: the agent cannot reply.
    """
    game = Game(Start(env, None), _inside(env))
    while not game.zoom_env.episode.is_over:
        [reply] = _ask([game], agent)
        _step(game, reply)
    return _finish(game, agent, agent_name, seed)


def run_episodes(
    env: gym.Env[Any, Any] | Sequence[gym.Env[Any, Any]],
    agent: Agent,
    *,
    agent_name: str,
    task_ids: Iterable[str],
    seed: int,
) -> Iterator[Record]:
    """Plays one episode on each task, and yields each record as it is finished.

    Args:
        env: a ZoomEnv, wrapped or not, or several alike to play side by side: an agent with
            `act_batch` then replies to all at once. Only order and seconds of records differ.
        agent: is reset first, with seed.
        agent_name: what the records call it.
        task_ids: the tasks to play; with one environment, in order.
        seed: of agent and environments.

    Raises:
        VideoError: a task's video cannot be shown. Episodes beside it are lost. With
            `on_video_error="skip"`, the task is skipped with a warning instead.
        AgentError: the agent cannot reply. Episodes beside it are lost.
    """
    agent.reset(seed)
    envs = list(env) if isinstance(env, Sequence) else [env]
    free = envs[::-1]
    starts = (Start(free.pop(), task_id) for task_id in task_ids)
    for start, outcome in try_episodes(
        starts, agent, num_games=len(envs), agent_name=agent_name, seed=seed
    ):
        free.append(start.env)
        if isinstance(outcome, Record):
            yield outcome
        elif is_skipped(start.env, outcome):
            logger.warning("task %s is not shown: %s", start.task_id, outcome)
        else:
            raise outcome


def try_episodes(
    starts: Iterable[Start], agent: Agent, *, num_games: int, agent_name: str, seed: int
) -> Iterator[tuple[Start, Record | BaseException]]:
    """Plays episodes side by side, and yields the record of each, or the error that ended it.

    An error, other than Ctrl-C, ends its episode only.

    Args:
        starts: episodes, taken as places get free, each with an environment of its own. The
            environment of an episode may come again once that is yielded.
        agent: already reset. With `act_batch` it replies to all at once; if that fails, to each.
        num_games: how many to play at once.
        agent_name: what the records call the agent.
        seed: of the environments.
    """
    waiting, games = iter(starts), list[Game]()
    while True:
        while len(games) < num_games and (start := next(waiting, None)):
            begun = attempt(partial(_begin, start, seed))
            if isinstance(begun, Game):
                games.append(begun)
            else:
                yield start, begun
        if not games:
            return
        playing = []
        for game, trouble in zip(games, _try_turn(games, agent), strict=True):
            if trouble is not None:
                yield game.start, trouble
            elif game.zoom_env.episode.is_over:
                finish = partial(_finish, game, agent, agent_name, seed)
                yield game.start, attempt(finish)
            else:
                playing.append(game)
        games = playing


def is_skipped(env: gym.Env[Any, Any], trouble: BaseException) -> bool:
    """Returns whether env, a ZoomEnv, wrapped or not, skips an episode that trouble ended."""
    return isinstance(trouble, VideoError) and _inside(env).on_video_error == "skip"


def watch_again(
    env: gym.Env[Any, Any], record: Record, num_turns: int | None = None
) -> Observation:
    """Plays the replies of a record again, and returns what the agent saw at the end.

    Args:
        env: a ZoomEnv with the settings of the record, see `env_to_watch`, wrapped or not. Its
            episode can be continued, for instance by `finish_episode`.
        record: of an episode.
        num_turns: how many of its turns to play; None plays all.

    Raises:
        VideoError: the video cannot be shown.
        RecordError: task, rules or turns differ from the record's.
    """
    picked = None if record.picked_s is None else record.overview
    try:
        game = _begin(Start(env, record.task.id, picked, record.found or None), record.seed)
        turns = record.turns[:num_turns]
        for turn in turns:
            _step(game, turn.reply)
    except (OverviewError, FinderError) as error:
        raise RecordError(f"{record.key}: {error}") from error
    episode = game.zoom_env.episode
    came = (episode.task, episode.rules, episode.turns)  # keys differ with the size of pictures
    if came != (record.task, record.rules, turns):
        raise RecordError(
            f"{record.key}: needed the episode of the record, got another: use the settings, the "
            "task set and the version it was played with"
        )
    return game.zoom_env.observation


def to_record(env: ZoomEnv, *, agent_name: str, seed: int, agent_s: float) -> Record:
    """Returns the record of the episode that has ended in env, with the agent's wall clock."""
    episode, parts = env.episode, score(env.episode, env.reward_weights)
    return Record(
        version=VERSION,
        agent=agent_name,
        seed=seed,
        task_set=env.tasks.name,
        task_set_version=env.tasks.version,
        task_set_hash=env.tasks.content_hash,
        settings=env.settings,
        task=episode.task,
        rules=episode.rules,
        key=episode.key,
        duration_s=episode.duration_s,
        last_frame_s=episode.last_frame_s,
        turns=episode.turns,
        answer=episode.answer,
        end_reason=episode.end_reason,
        frames_used=episode.frames_used,
        reward_parts=parts,
        reward=parts.total(env.reward_weights),
        agent_s=agent_s,
        decode_s=env.decode_s,
        grading=episode.graded_by,
        picked_s=None if episode.rules.is_overview_fixed else episode.overview_s,
        frames_scanned=episode.frames_scanned,
    )


def _begin(start: Start, seed: int) -> Game:
    """Resets an environment to a task. Raises TypeError and VideoError."""
    zoom_env = _inside(start.env)
    given = {"task_id": start.task_id, "overview": start.overview, "found": start.found}
    options = {name: value for name, value in given.items() if value is not None} or None
    start.env.reset(seed=seed, options=options)
    return Game(start, zoom_env)


def _inside(env: gym.Env[Any, Any]) -> ZoomEnv:
    """Returns what env wraps. Raises TypeError."""
    zoom_env = env.unwrapped
    if not isinstance(zoom_env, ZoomEnv):
        raise TypeError(f"a rollout needs a ZoomEnv, got {type(zoom_env).__name__}")
    return zoom_env


def _finish(game: Game, agent: Agent, agent_name: str, seed: int) -> Record:
    record = to_record(game.zoom_env, agent_name=agent_name, seed=seed, agent_s=game.agent_s)
    return replace(record, usage=usage_of(agent, record.key))


def _ask(games: Sequence[Game], agent: Agent) -> list[str]:
    """Returns the agent's next reply in every game. Raises AgentError."""
    observations = [game.zoom_env.observation for game in games]
    if is_privileged(agent):
        observations = [
            replace(seen, evidence=game.zoom_env.episode.task.evidence)
            for seen, game in zip(observations, games, strict=True)
        ]
    started_s = cost_s()
    replies = reply_to(agent, observations)
    agent_s = (cost_s() - started_s) / len(games)
    if len(replies) != len(games):
        raise AgentError(f"act_batch needs to return {len(games)} replies, got {len(replies)}")
    for game in games:
        game.agent_s += agent_s
    return replies


def _step(game: Game, reply: str) -> None:
    """Plays a turn of a game. Raises VideoError."""
    game.start.env.step(reply)
    if game.zoom_env.video_error is not None:  # half an episode is no record
        raise game.zoom_env.video_error


def _try_turn(games: Sequence[Game], agent: Agent) -> list[BaseException | None]:
    """Plays one turn of every game, and returns what went wrong in each."""
    replies = attempt(partial(_ask, games, agent))
    if not isinstance(replies, BaseException):
        return [
            attempt(partial(_step, game, reply)) for game, reply in zip(games, replies, strict=True)
        ]
    if len(games) == 1:
        return [replies]
    return [trouble for game in games for trouble in _try_turn([game], agent)]
