"""Records of drawn and picked overviews: replayed exactly, and without running their code."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from agents.registry import make_agent
from benchmarks.leaderboard import blocks
from zoomgym import Record, RecordError, ZoomEnv, read_records, replay, run_episodes, write_records
from zoomgym.records import env_to_watch
from zoomgym.rollout import watch_again
from zoomgym.rules import overview_times

OWN = "tests.envs.test_pickers:any_times"


def played(num_tasks: int = 3, agent: str = "uniform", **settings: Any) -> list[Record]:
    """Returns records of the first tasks of `flash`."""
    given = {"source": "scene", "max_pixels": 1024, "frame_size": (0, 0), **settings}
    env = ZoomEnv("synthetic:flash", **given)
    task_ids = [env.tasks[index].id for index in range(num_tasks)]
    return list(run_episodes(env, make_agent(agent), agent_name=agent, task_ids=task_ids, seed=4))


def test_a_record_of_the_default_is_written_as_before() -> None:
    [record] = played(1)
    row = json.loads(record.to_json())
    assert not {"picked_s", "frames_scanned"} & row.keys()
    assert list(row["rules"]) == [
        "grammar", "num_overview", "frames_per_zoom", "frame_budget", "max_turns",
    ]  # fmt: skip
    assert "overview" not in row["settings"]
    assert record.overview == (overview_times(record.last_frame_s, 64), 0)


@pytest.mark.long
@pytest.mark.parametrize("overview", ["uniform", "random", "change", OWN])
@pytest.mark.parametrize("num_overview", [(0, 4, 9), 5, 0])
def test_a_record_is_replayed_with_the_times_that_were_shown(
    tmp_path: Path, overview: str, num_overview: Any
) -> None:
    records = played(overview=overview, num_overview=num_overview)
    write_records(tmp_path / "records.jsonl", records)
    again = list(read_records(tmp_path / "records.jsonl"))
    assert again == [record.checked() for record in records]
    for record in again:
        episode = replay(record)
        assert record.overview == (episode.overview_s, episode.frames_scanned)
        seen = watch_again(env_to_watch(record), record)
        assert seen.overview.times_s == record.overview.times_s
        assert sum(map(len, (seen.overview.times_s, *(c.times_s for c in seen.clips)))) == (
            record.frames_used
        )
        assert (record.frames_scanned > 0) == (overview == "change" and record.picked_s != ())


def test_the_code_that_a_record_names_is_not_run(tmp_path: Path) -> None:
    [record] = played(1, overview=OWN, num_overview=3)
    (tmp_path / "trap_of_strangers.py").write_text("raise SystemExit('trapped')")
    text = record.to_json().replace(OWN, "trap_of_strangers:pick")
    sys.path.insert(0, str(tmp_path))
    try:
        forged = Record.from_json(text)
        assert forged.rules.overview == "trap_of_strangers:pick"
        seen = watch_again(env_to_watch(forged), forged)
    finally:
        sys.path.remove(str(tmp_path))
    assert seen.overview.times_s == record.picked_s
    assert "trap_of_strangers" not in sys.modules


def test_the_same_settings_pick_the_same_overview_again() -> None:
    for record in played(overview="change", num_overview=(4, 9)):
        env = ZoomEnv(**record.checked().settings)
        env.reset(seed=record.seed, options={"task_id": record.task.id})
        assert env.episode.overview_s == record.picked_s


@pytest.mark.parametrize(
    ("settings", "changes", "message"),
    [
        ({}, {"picked_s": [0.0]}, "picked_s needs no times of the overview, got "),
        ({"overview": "random"}, {"picked_s": None}, "picked_s needs the times of the overview"),
        ({"overview": "random"}, {"picked_s": [0.0]}, "an overview needs 4 times, got 1"),
        ({"overview": "random"}, {"picked_s": [3, 2, 4, 5]}, "times in ascending order"),
        ({"overview": "random"}, {"picked_s": [3, 4, 5, 61]}, "times in seconds from 0 to 59.9"),
        ({"overview": "random"}, {"picked_s": [3, 4, 5, "6"]}, "picked_s needs a number, got '6'"),
        ({"overview": "random"}, {"picked_s": "0123"}, "picked_s needs a list of times, got"),
        ({"overview": "random"}, {"frames_scanned": -1}, "frames_scanned needs a number from 0"),
        ({"overview": "random"}, {"frames_scanned": 0.5}, "frames_scanned needs a whole number"),
        ({"num_overview": (0, 4)}, {"picked_s": [1] * 3}, "needs 0 or 4 times, got 3"),
    ],
)
def test_an_overview_that_no_record_has_is_refused(
    settings: dict[str, Any], changes: dict[str, Any], message: str
) -> None:
    [record] = played(1, **{"num_overview": 4, **settings})
    row = json.loads(record.to_json()) | changes
    with pytest.raises(RecordError, match=message):
        Record.from_json(json.dumps(row))


def test_forged_times_of_an_even_overview_are_found_by_a_replay() -> None:
    record = next(one for one in played(num_overview=(0, 4)) if one.picked_s)
    row = json.loads(record.to_json()) | {"picked_s": [0, 1, 2, 3]}
    with pytest.raises(RecordError, match="a uniform overview needs evenly spread times"):
        replay(Record.from_json(json.dumps(row)))


def test_a_record_does_not_play_in_another_video() -> None:
    [record] = played(1, overview="random", num_overview=3, duration_s=60)
    env = ZoomEnv("synthetic:flash", source="scene", overview="random", num_overview=2)
    with pytest.raises(RecordError, match="an overview needs 2 times, got 3"):
        watch_again(env, record)


def test_tables_part_drawn_numbers_and_count_what_was_scanned() -> None:
    records = played(9, agent="glance", overview="change", num_overview=(0, 4, 9))
    drawn = sorted({len(record.overview.times_s) for record in records})
    assert drawn == [0, 4, 9]
    [block] = blocks(records)
    assert "num_overview [0, 4, 9]" in block.title
    assert "overview change" in block.title
    sheets = {sheet.name: sheet for sheet in block.sheets}
    assert [line.labels for line in sheets["frames"].lines] == [
        ("glance", "0"), ("glance", "4"), ("glance", "9"),
    ]  # fmt: skip
    assert sheets["costs"].columns[-1] == "frames scanned"
    plain = played(9, agent="glance")
    several = blocks([*plain, *played(9, agent="blind", num_overview=(4, 64))])
    assert len(several) == 3  # two rules, and their comparison
    [sheets_of_plain] = [{s.name: s for s in one.sheets} for one in blocks(plain)]
    assert "frames scanned" not in sheets_of_plain["costs"].columns
