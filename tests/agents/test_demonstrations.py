"""What is kept to learn from is right, and says so when read again."""

import json
from pathlib import Path

import pytest

from agents.qwen.demonstrations import Demonstration, append_demonstration, read_demonstrations
from agents.registry import make_agent
from zoomgym import RecordError, ZoomEnv
from zoomgym.records import Record
from zoomgym.rollout import run_episodes


def small_env(tasks: str = "synthetic:flash", **settings: object) -> ZoomEnv:
    """Returns an environment of small pictures without a codec."""
    given = {"grammar": "video_zoom", "source": "scene", "max_pixels": 1600, "frame_size": (8, 8)}
    return ZoomEnv(tasks, **{**given, **settings})  # type: ignore[arg-type]


def play(agent: object, env: ZoomEnv, index: int = 0) -> Record:
    [record] = run_episodes(
        env,
        agent,  # type: ignore[arg-type]
        agent_name="tutor",
        task_ids=[env.tasks[index].id],
        seed=0,
    )
    return record


@pytest.fixture(scope="module")
def record() -> Record:
    return play(make_agent("tutor"), small_env())


def test_demonstrations_come_back_as_they_were_written(record: Record, tmp_path: Path) -> None:
    path = tmp_path / "demos.jsonl"
    written = [Demonstration(record), Demonstration(record, 1)]
    for demonstration in written:
        append_demonstration(path, demonstration)
    assert list(read_demonstrations(path)) == written
    rows = [json.loads(line) for line in path.read_text(encoding="ascii").splitlines()]
    assert [row["first_turn"] for row in rows] == [0, 1]
    assert rows[0]["record"] == json.loads(record.to_json())


@pytest.mark.parametrize("first_turn", [-1, 2, True, 0.0, "0"])
def test_a_demonstration_begins_at_one_of_its_turns(record: Record, first_turn: int) -> None:
    with pytest.raises(RecordError, match=rf"0 to below 2, .*, got {first_turn!r}"):
        Demonstration(record, first_turn)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", r'needed \{"first_turn": .., "record": ..\}, got \'\{\''),
        ("[]", r'needed \{"first_turn": .., "record": ..\}, got \'\[\]\''),
        ("[" * 100_000, r'needed \{"first_turn": .., "record": ..\}'),
        ('{"record": {}}', r"KeyError\('first_turn'\)"),
        ('{"first_turn": 0}', r"KeyError\('record'\)"),
        ('{"first_turn": 0, "record": {}}', "needed an episode's record"),
        ('{"first_turn": 0, "record": {"schema": 9}}', "needed schema 1, got 9"),
    ],
)
def test_a_line_that_is_no_demonstration_is_named(
    record: Record, tmp_path: Path, line: str, message: str
) -> None:
    path = tmp_path / "demos.jsonl"
    append_demonstration(path, Demonstration(record))
    path.write_text(path.read_text() + line + "\n")
    with pytest.raises(RecordError, match=rf"demos\.jsonl:2: .*{message}.*: mend or delete"):
        list(read_demonstrations(path))


def test_a_line_that_was_cut_off_is_passed_over(
    record: Record, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "demos.jsonl"
    append_demonstration(path, Demonstration(record))
    path.write_text(path.read_text() + path.read_text()[:100])
    assert list(read_demonstrations(path)) == [Demonstration(record)]
    assert "the last line was cut off" in caplog.text
