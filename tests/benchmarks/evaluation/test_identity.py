"""Records of one run are joined, each once, in one order; others are refused."""

import random
from dataclasses import replace
from typing import Any

import pytest

from agents.registry import make_agent
from benchmarks.evaluation.identity import Identity, difference, identity_of, join_records
from zoomgym import ZoomEnv
from zoomgym.errors import RecordError
from zoomgym.records import Record
from zoomgym.rollout import run_episodes


@pytest.fixture(scope="module")
def records() -> list[Record]:
    """Six episodes: two agents on three tasks of two sets."""
    played = []
    for family, indices in (("flash", (0, 1)), ("overview", (0,))):
        env = ZoomEnv(f"synthetic:{family}", source="scene", max_pixels=256, frame_size=(1, 1))
        task_ids = [env.tasks[index].id for index in indices]
        for name in ("blind", "glance"):
            played += run_episodes(
                env, make_agent(name), agent_name=name, task_ids=task_ids, seed=0
            )
    return [replace(record, suite="s-v0") for record in played]


def test_an_episode_is_told_by_run_settings_and_task(records: list[Record]) -> None:
    identity = identity_of(records[0])
    assert (identity.suite, identity.seed) == ("s-v0", 0)
    assert identity.task_id == "flash-easy-60s-train-00000"
    assert '"max_pixels": 256' in identity.settings
    assert len({identity_of(record) for record in records}) == 3


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({}, ""),
        ({"suite": "t-v0", "seed": 4}, "suite t-v0, not s-v0"),
        ({"version": "9"}, "version 9, not 1"),
        ({"seed": 4}, "seed 4, not 0"),
        ({"task_set_hash": "d"}, "task set hash d, not c"),
        ({"settings": "{}"}, "other settings"),
        ({"task_id": "q"}, "task id q, not p"),
    ],
)
def test_the_first_difference_is_told(changed: dict[str, Any], told: str) -> None:
    own = Identity("s-v0", "1", 0, "0", "c", '{"a": 1}', "p")
    assert difference(own._replace(**changed), own) == told


def test_records_are_joined_in_one_order_each_once(records: list[Record]) -> None:
    joined = join_records({"a": records})
    assert sorted(map(Record.to_json, joined)) == sorted(map(Record.to_json, records))
    rng = random.Random(0)
    again = [replace(record) for record in records]  # equal, not the same
    shuffled = rng.sample([*records, *again], 2 * len(records))
    assert join_records({"b": shuffled[:5], "a": shuffled[5:], "c": []}) == joined


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"suite": "t-v0"}, "b and a hold episodes of different runs: suite t-v0, not s-v0. Join"),
        ({"seed": 4}, "b and a hold episodes of different runs: seed 4, not 0"),
        ({"version": "9"}, "the same package version, got version 0.1.0 .*a.* and version 9 .*b"),
        ({"task_set_version": "9"}, "the same tasks, shown alike, got .* version 0 .* version 9"),
        ({"task_set_hash": "d"}, "the same tasks, shown alike, got .* hash d"),
        ({"agent_s": 9.0}, "needed once, got agent blind on flash-.*00 with seed 0 in a and .* b"),
    ],
)
def test_what_is_not_of_one_run_is_refused_and_its_files_are_named(
    records: list[Record], changed: dict[str, Any], told: str
) -> None:
    with pytest.raises(RecordError, match=told):
        join_records({"a": records, "b": [replace(records[0], **changed)]})
