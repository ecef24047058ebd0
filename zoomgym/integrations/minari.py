"""Episodes as a Minari dataset, their frames by reference.

A step holds what the Dict observation of `ZoomEnv` holds, but for the pictures: at 112 x 112 they
would take 5 MB a step. Each episode carries its record, which gives the frames again.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.envs.registration import EnvSpec
from minari import EpisodeData, MinariDataset, create_dataset_from_buffers
from minari.data_collector import EpisodeBuffer

from zoomgym.envs import ReplySpace, observation_space, to_dict
from zoomgym.errors import RecordError
from zoomgym.io import encodable
from zoomgym.records import Record
from zoomgym.rules import FrameBudget, Rules

__all__ = ["create_dataset", "record_of"]

PICTURES = ("overview", "clip")
"""Of the Dict observation: they are left out."""
NAMED_CODE = {"overview": "uniform", "finder": "", "grader": "strict"}
"""Settings that may name code, or a judge, and their defaults."""
INFO = "record"


def create_dataset(
    dataset_id: str,
    records: Iterable[Record],
    *,
    description: str | None = None,
    author: str | None = None,
    author_email: str | None = None,
    code_permalink: str | None = None,
    data_format: str | None = None,
) -> MinariDataset:
    """Writes episodes as a Minari dataset without pictures, and returns it.

    No video is opened. Actions are the raw replies; the reward comes with the last step.

    Args:
        dataset_id: as Minari has it: `zoomgym/flash/oracle-v0`.
        records: of episodes by the same rules.
        description: of the dataset, and so are author, author_email and code_permalink.
        author: a name.
        author_email: where to reach them.
        code_permalink: where the code is.
        data_format: `hdf5`, `arrow` or `parquet`; None is Minari's default.

    Raises:
        RecordError: there are no records, or they were played by different rules.
    """
    played = list(records)
    rules = _rules_of(played)
    space = observation_space(rules, (0, 0))
    told = gym.spaces.Dict({name: space[name] for name in space if name not in PICTURES})
    agents = sorted({record.agent for record in played})
    return create_dataset_from_buffers(
        dataset_id,
        [_buffer(number, record) for number, record in enumerate(played)],
        env=_spec_of(played[0]),
        observation_space=told,
        action_space=ReplySpace(rules, max(record.duration_s for record in played)),
        algorithm_name=", ".join(agents),
        description=description,
        author=author,
        author_email=author_email,
        code_permalink=code_permalink,
        data_format=data_format,
    )


def record_of(episode: EpisodeData) -> Record:
    """Returns the record of an episode, whose frames `watch_again` shows again."""
    line = episode.infos[INFO][0]
    return Record.from_json(line.decode() if isinstance(line, bytes) else line)


def _rules_of(records: Sequence[Record]) -> Rules:
    """Returns the rules of all records. Raises RecordError."""
    rules = {record.rules for record in records}
    if len(rules) != 1:
        raise RecordError(
            f"a dataset needs records by the same rules, got {len(rules)} kinds in {len(records)} "
            "records: write a dataset for each"
        )
    return rules.pop()


def _spec_of(record: Record) -> EnvSpec | None:
    """Returns what makes the environment of a record again; None if that would need code."""
    settings = dict(record.settings)
    is_plain = all(settings.get(name, default) == default for name, default in NAMED_CODE.items())
    if settings["tasks"] is None or not is_plain:
        return None
    return replace(gym.spec("ZoomEnv-v0"), kwargs=settings)


def _buffer(number: int, record: Record) -> EpisodeBuffer:
    """Returns an episode as Minari buffers it."""
    num_turns = len(record.turns)
    seen = [_observed(record, turns) for turns in range(num_turns + 1)]
    ends = [turn == num_turns for turn in range(1, num_turns + 1)]
    return EpisodeBuffer(
        id=number,
        seed=record.seed,
        options={"task_id": record.task.id},
        observations={name: [one[name] for one in seen] for name in seen[0]},
        actions=[
            encodable(turn.reply).replace("\0", "\N{REPLACEMENT CHARACTER}")
            for turn in record.turns
        ],
        rewards=[record.reward if is_end else 0.0 for is_end in ends],
        terminations=ends,
        truncations=[False] * num_turns,
        infos={INFO: [record.to_json(), *[""] * num_turns]},
    )


def _observed(record: Record, num_turns: int) -> dict[str, Any]:
    """Returns the Dict observation after so many turns, without pictures."""
    whole = record.episode
    episode = replace(whole, turns=whole.turns[:num_turns])
    if num_turns < len(whole.turns):
        episode = replace(episode, answer=None, named=(), is_right=False)
    shown = len(whole.overview_s) + len(episode.clip_s)
    left = FrameBudget(whole.rules.frame_budget - shown, whole.rules.frames_per_zoom)
    empty = np.zeros((0, 0, 0, 3), np.uint8)
    observation = to_dict(replace(episode, budget=left), empty, empty)
    return {name: value for name, value in observation.items() if name not in PICTURES}
