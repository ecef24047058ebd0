"""What tests of the runner play: a small suite, and agents like `random`, each in its own way."""

import os
import threading
from asyncio import CancelledError
from collections.abc import Mapping, Sequence
from threading import Barrier

from tqdm import tqdm

from agents.synthetic.baselines import RandomAgent
from benchmarks.evaluation.suites import Part, Suite
from zoomgym.agent.observation import Observation

SMALL = {"split": "test", "max_pixels": 1024}
SHORT = Suite(
    "short-v0",
    "a test",
    (
        Part(6, {"tasks": "synthetic:flash", "source": "scene", **SMALL}),
        Part(2, {"tasks": "synthetic:overview", "source": "file", "duration_s": 30, **SMALL}),
        Part(6, {"tasks": "synthetic:relay", "source": "scene", **SMALL}),
    ),
    agents=("blind", "random", "uniform", "oracle"),
)


class Served(RandomAgent):
    """Is asked by threads, and replies to no first look before as many are asked at once."""

    max_concurrent = 3
    meeting = Barrier(3, timeout=60)

    def act(self, observation: Observation) -> str:
        if not observation.turns:
            self.meeting.wait()
        return super().act(observation)


class Threaded(RandomAgent):
    """Is asked by a thread."""

    max_concurrent = 1


class Gated(RandomAgent):
    """Is asked by a thread, and waits at a gate after a few episodes."""

    NUM_FREE = 2
    max_concurrent = 1
    begun: list[str] = []  # noqa: RUF012 - a test looks here
    gate = threading.Event()

    def act(self, observation: Observation) -> str:
        if not observation.turns:
            self.begun.append(observation.episode_key)
        if len(self.begun) > self.NUM_FREE:
            self.gate.wait()
        return super().act(observation)


class Showing(RandomAgent):
    """Shows how far it is, as writing a long video does."""

    def act(self, observation: Observation) -> str:
        [reply] = [super(Showing, self).act(observation) for _ in tqdm([0], disable=True)]
        return reply


class Local(RandomAgent):
    """Replies in batches, and notes how large they are."""

    sizes: list[int] = []  # noqa: RUF012 - a test looks here

    def act_batch(self, observations: Sequence[Observation]) -> list[str]:
        self.sizes.append(len(observations))
        return [super(Local, self).act(observation) for observation in observations]


class Failing(RandomAgent):
    """Fails where a star is an option."""

    def act(self, observation: Observation) -> str:
        if "magenta star" in observation.options:
            raise ZeroDivisionError("no\x1b[31m\nstars")
        return super().act(observation)


class FailingShared(Failing):
    max_concurrent = 2


class FailingBatch(Failing):
    def act_batch(self, observations: Sequence[Observation]) -> list[str]:
        return [self.act(observation) for observation in observations]


class Ending(RandomAgent):
    """Ends in ways that are no errors, where a star is an option."""

    end: BaseException = SystemExit("enough")

    def act(self, observation: Observation) -> str:
        if "magenta star" in observation.options:
            raise self.end
        return super().act(observation)


class EndingShared(Ending):
    max_concurrent = 2


class EndingBatch(Ending):
    def act_batch(self, observations: Sequence[Observation]) -> list[str]:
        return [self.act(observation) for observation in observations]


class Cancelled(Ending):
    end = CancelledError("enough")


class CancelledShared(EndingShared):
    end = CancelledError("enough")


class CancelledBatch(EndingBatch):
    end = CancelledError("enough")


class Interrupted(Ending):
    end = KeyboardInterrupt("enough")


class InterruptedShared(EndingShared):
    end = KeyboardInterrupt("enough")


class InterruptedBatch(EndingBatch):
    end = KeyboardInterrupt("enough")


class MuteError(Exception):
    """Cannot be shown."""

    def __str__(self) -> str:
        raise ValueError("no words")


class MuteShared(EndingShared):
    end = MuteError()


class Unready(RandomAgent):
    """Cannot be reset."""

    def reset(self, seed: int) -> None:
        raise OSError("no weights")


class UnreadyBatch(Unready):
    def act_batch(self, observations: Sequence[Observation]) -> list[str]:
        raise NotImplementedError


class Dying(RandomAgent):
    """Takes its process along where a star is an option."""

    def act(self, observation: Observation) -> str:
        if "magenta star" in observation.options:
            os._exit(7)
        return super().act(observation)


class Boasting(RandomAgent):
    """Says that it used what is no number."""

    def usage(self, episode_key: str) -> Mapping[str, float]:
        return {"tokens": float("nan")}
