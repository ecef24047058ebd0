"""Groups of episodes, played by a model while it learns.

A group is one task, played many times from the same reset: its overview is decoded, encoded and
read once, and the episodes fork from there. Replies stay as they were sampled, token by token, as
the trainer learns from them; their text goes to the environment, which plays by its rules.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor, nn

from agents.qwen.model.chunks import Chunk, encode, encode_response
from agents.qwen.model.generation import Conversation
from agents.qwen.model.loading import Processor
from agents.qwen.model.policy import sampling_in
from agents.qwen.model.speakers import ModelSpeaker, Speaker
from zoomgym.agent import episode_rng
from zoomgym.conversation import images_of, new_messages, to_messages
from zoomgym.envs import ZoomEnv
from zoomgym.errors import GradingError, VideoError
from zoomgym.records import Record
from zoomgym.rollout import to_record

NAME = "qwen"
"""Name of the agent in records of training."""
MAX_UNSHOWN = 20
"""Most tasks in a row whose videos cannot be shown; after that, something else must be wrong."""
FLAT = 1e-4
"""Least standard deviation of rewards that teach something, as in VideoZoomer's code."""


logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A frame as the model reads it."""

    pixels: Tensor
    """Patches, (patches, patch size) float32."""
    grid: tuple[int, int, int]
    """Size in patches: (time, height, width)."""


@dataclass(frozen=True, slots=True, eq=False)
class Rollout:
    """One episode as the trainer learns from it."""

    prompt_ids: list[int]
    completion_ids: list[int]
    is_said: list[bool]
    """Marks the completion's ids that the model sampled; the others are responses."""
    log_probs: list[float]
    """Log-probs of the completion's ids when they were sampled; 0 where they were not."""
    pictures: list[Picture]
    """Frames of overview and clips, in order."""
    record: Record | None
    """The episode; None if the video failed in a zoom, or the answer could not be graded."""


@dataclass(frozen=True, slots=True, eq=False)
class RolloutGroup:
    """All rollouts of one task."""

    task_id: str
    rollouts: list[Rollout]

    @property
    def rewards(self) -> list[float]:
        """Rewards of the rollouts that have one."""
        return [rollout.record.reward for rollout in self.rollouts if rollout.record]

    @property
    def is_flat(self) -> bool:
        """Whether all rewards are the same, so that the group teaches nothing."""
        return len(self.rewards) < 2 or float(np.std(self.rewards)) < FLAT


@dataclass(slots=True, eq=False)
class Seat:
    """One episode that is being played."""

    env: ZoomEnv
    talk: Conversation
    rng: np.random.Generator
    num_prompt_ids: int
    pictures: list[Picture]
    is_graded: bool = True

    @property
    def is_over(self) -> bool:
        """Whether nothing more can be said."""
        lost = self.env.video_error is not None or not self.is_graded
        return lost or self.env.episode.is_over


@dataclass
class Player:
    """Plays groups of episodes with a model, up to `rows` episodes, or one group, at once.

    Besides the ids of pictures, `banned_ids` are never sampled.
    """

    processor: Processor
    make_env: Callable[[], ZoomEnv]
    group_size: int
    temperature: float = 1.0
    max_tokens: int = 1024
    rows: int = 64
    seed: int = 0
    banned_ids: Sequence[int] = ()
    envs: list[ZoomEnv] = field(default_factory=list, init=False)
    num_tokens: int = field(default=0, init=False)
    """Tokens sampled so far."""

    def play(
        self,
        speaker: nn.Module | Speaker,
        task_ids: Sequence[str],
        turn_of_seed: int,
        instead_of: Callable[[str], str] | None = None,
    ) -> list[RolloutGroup]:
        """Plays a group on each task.

        What is sampled depends on the task, the place in its group and the seeds, not on the other
        tasks: it is the same on one process and on many (unless vLLM samples).

        Args:
            speaker: or a model, with adapters or not.
            task_ids: of the environments' task set.
            turn_of_seed: another number samples other replies.
            instead_of: names the task to play instead of one whose video cannot be shown.

        Raises:
            VideoError: a video cannot be shown, nor, with `instead_of`, twenty in a row.
            ValueError: the model was shown another number of pictures than the rules count.
        """
        if isinstance(speaker, nn.Module):
            speaker = ModelSpeaker(speaker, self.processor.tokenizer)
        at_once = max(1, self.rows // self.group_size)
        groups: list[RolloutGroup] = []
        for first in range(0, len(task_ids), at_once):
            wave = task_ids[first : first + at_once]
            self.envs += [self.make_env() for _ in range(len(wave) - len(self.envs))]
            envs = self.envs[: len(wave)]
            for env, task_id in zip(envs, wave, strict=True):
                self._open(env, task_id, instead_of)
            groups += self._play_wave(speaker, envs, turn_of_seed)
        return groups

    def _open(self, env: ZoomEnv, task_id: str, instead_of: Callable[[str], str] | None) -> None:
        """Resets env to a task, or to one instead of it."""
        for num_unshown in range(1, MAX_UNSHOWN + 1):
            try:
                env.reset(seed=self.seed, options={"task_id": task_id})
            except VideoError as error:
                if instead_of is None or num_unshown == MAX_UNSHOWN:
                    raise
                logger.warning("%s is not played: %s", task_id, error)
                task_id = instead_of(task_id)
            else:
                return

    def _play_wave(
        self, speaker: Speaker, envs: Sequence[ZoomEnv], turn_of_seed: int
    ) -> list[RolloutGroup]:
        """Plays groups side by side, each from where its environment was reset."""
        messages = [to_messages(env.observation) for env in envs]
        chunks = [encode(self.processor, opening) for opening in messages]
        openings = [Conversation() for _ in envs]
        speaker.read(openings, chunks, [images_of(opening) for opening in messages])
        seats = [
            self._seat(env, opening, chunk, turn_of_seed, place)
            for env, opening, chunk in zip(envs, openings, chunks, strict=True)
            for place in range(self.group_size)
        ]
        going = seats
        while going:
            self._play_turn(speaker, going)
            going = [seat for seat in going if not seat.is_over]
        rollouts = [self._rollout(seat) for seat in seats]
        return [
            RolloutGroup(
                env.episode.task.id,
                rollouts[index * self.group_size : (index + 1) * self.group_size],
            )
            for index, env in enumerate(envs)
        ]

    def _seat(
        self, env: ZoomEnv, opening: Conversation, chunk: Chunk, turn_of_seed: int, place: int
    ) -> Seat:
        """Returns an episode that starts from the reset of env."""
        [entropy] = episode_rng(self.seed, env.observation).integers(2**63, size=1)
        rng = np.random.default_rng([int(entropy), turn_of_seed, place])
        return Seat(env.fork(), opening.copy(), rng, len(opening.ids), _pictures(chunk))

    def _play_turn(self, speaker: Speaker, seats: Sequence[Seat]) -> None:
        """Plays a turn in every seat, and reads what comes back."""
        sampling = sampling_in(
            seats[0].env.rules.grammar, self.processor, self.temperature, self.max_tokens
        )
        banned_ids = (*sampling.banned_ids, *self.banned_ids)
        replies = speaker.say(
            [seat.talk for seat in seats],
            [seat.rng for seat in seats],
            replace(sampling, banned_ids=banned_ids),
        )
        self.num_tokens += sum(len(reply.ids) for reply in replies)
        for seat, reply in zip(seats, replies, strict=True):
            try:
                seat.env.step(reply.text)
            except GradingError:
                seat.is_graded = False
        going = [seat for seat in seats if not seat.is_over]
        if not going:
            return
        messages = [new_messages(seat.env.observation)[1:] for seat in going]
        chunks = [
            encode_response(self.processor, response, seat.talk.ids[-1])
            for seat, response in zip(going, messages, strict=True)
        ]
        pictures = [images_of(response) for response in messages]
        speaker.read([seat.talk for seat in going], chunks, pictures)
        for seat, chunk in zip(going, chunks, strict=True):
            seat.pictures += _pictures(chunk)
            episode = seat.env.episode
            if len(seat.pictures) != episode.frames_used:
                raise ValueError(
                    f"{episode.key}: {episode.frames_used} frames were shown, the model read "
                    f"{len(seat.pictures)}: check the chat template"
                )

    def _rollout(self, seat: Seat) -> Rollout:
        """Returns the episode of a seat, which is over."""
        talk, start = seat.talk, seat.num_prompt_ids
        is_whole = seat.env.video_error is None and seat.is_graded
        return Rollout(
            prompt_ids=talk.ids[:start],
            completion_ids=talk.ids[start:],
            is_said=talk.is_said[start:],
            log_probs=talk.log_probs[start:],
            pictures=seat.pictures,
            record=to_record(seat.env, agent_name=NAME, seed=self.seed, agent_s=0.0)
            if is_whole
            else None,
        )


def _pictures(chunk: Chunk) -> list[Picture]:
    """Returns the pictures of a chunk, each by itself."""
    if chunk.pixels is None:
        return []
    sizes = [time * height * width for time, height, width in chunk.grids]
    parts = torch.split(chunk.pixels, sizes)
    return [Picture(*pair) for pair in zip(parts, chunk.grids, strict=True)]
