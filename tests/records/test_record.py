import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.playing import play_episode
from zoomgym import RecordError, ZoomEnv
from zoomgym.io.files import open_own
from zoomgym.records import (
    Record,
    append_record,
    drop_cut_line,
    read_records,
    replay,
    write_records,
)
from zoomgym.records import bounds as record_bounds
from zoomgym.records import record as records
from zoomgym.rules.grammar import MAX_REPLY_CHARS
from zoomgym.rules.rewards import RewardParts, merge_weights
from zoomgym.rules.settings import MOST
from zoomgym.tasks.synthetic import SyntheticTasks

REPLIES = ['{"segment": [4, 70], "fps": 0.2}', "\ud800 no reply \x00", '{"answer": "A"}']


class Scripted:
    """Replies what it is told to."""

    def __init__(self, replies: list[str]) -> None:
        self._replies = replies

    def reset(self, seed: int) -> None:
        pass

    def act(self, observation: Any) -> str:
        return self._replies[len(observation.turns)]


@pytest.fixture(scope="module")
def record() -> Record:
    env = ZoomEnv("synthetic:flash", source="scene", max_pixels=256, frame_size=(16, 16))
    return play_episode(env, Scripted(REPLIES), agent_name="scripted", seed=3)


def test_a_record_holds_what_happened(record: Record) -> None:
    assert [turn.reply for turn in record.turns] == REPLIES
    assert (record.agent, record.seed, record.end_reason, record.answer) == (
        "scripted", 3, "answered", "A",
    )  # fmt: skip
    assert record.frames_used == 75
    assert record.settings["tasks"] == "synthetic:flash"
    tasks = SyntheticTasks(("flash",), "train", 60, "easy", "scene")
    assert (record.task_set, record.task_set_version) == ("synthetic:flash", tasks.version)
    assert record.task_set_hash == tasks.content_hash


def test_a_record_survives_the_disk_whatever_the_agent_wrote(
    record: Record, tmp_path: Path
) -> None:
    path = tmp_path / "records.jsonl"
    for _ in range(2):
        append_record(path, record)
    assert list(read_records(path)) == [record, record]
    assert path.read_bytes().isascii()
    assert json.loads(path.read_text().split("\n")[0])["schema"] == 1


def test_an_episode_is_replayed_and_scored_again_from_its_record_alone(record: Record) -> None:
    again = Record.from_json(record.to_json())
    episode = replay(again)
    assert episode.turns == record.turns
    assert episode.clip_s == tuple(4 + 5.0 * k for k in range(11))
    assert again.reward_parts.total(merge_weights(None)) == record.reward
    assert again.reward_parts.total(merge_weights({"zoom_cost": -1})) == record.reward - 1


def test_a_record_says_what_its_episode_used_if_the_agent_counts() -> None:
    class Counting(Scripted):
        def usage(self, episode_key: str) -> dict[str, float]:
            return {"input_tokens": 500, "cost": 0.25, "letters": len(episode_key)}

    env = ZoomEnv("synthetic:flash", source="scene", max_pixels=256, frame_size=(16, 16))
    record = play_episode(env, Counting(REPLIES), agent_name="scripted", seed=3)
    used = {"input_tokens": 500, "cost": 0.25, "letters": len(record.key)}
    assert record.usage == used
    assert Record.from_json(record.to_json()) == record
    assert replay(record).turns == record.turns


def test_a_record_names_its_suite_or_none(record: Record) -> None:
    assert Record.from_json(replace(record, suite="quick-v0").to_json()).suite == "quick-v0"
    row = json.loads(record.to_json())
    assert row.pop("suite") == ""
    assert Record.from_json(json.dumps(row)) == record


def test_a_record_from_before_usage_was_counted_is_read(record: Record) -> None:
    row = json.loads(record.to_json())
    assert row.pop("usage") == {}
    assert Record.from_json(json.dumps(row)) == record


def test_an_edited_record_is_found_out(record: Record) -> None:
    with pytest.raises(RecordError, match="needed the turns and scores of version"):
        replay(replace(record, reward_parts=RewardParts(accuracy=1, tool=1, zoom_cost=1)))
    with pytest.raises(RecordError, match="the rules have changed, or the record was edited"):
        replay(replace(record, turns=record.turns[:2]))
    for edited in (
        {"reward": 99.0},
        {"answer": "B"},
        {"frames_used": 1},
        {"end_reason": "x"},
        {"turns": (*record.turns, record.turns[0])},
        {"turns": tuple(replace(turn, feedback="") for turn in record.turns)},
    ):
        with pytest.raises(RecordError, match="or the record was edited"):
            replay(replace(record, **edited))  # type: ignore[arg-type]


def test_an_episode_that_was_not_finished_is_found_out(record: Record) -> None:
    cut = replace(record, turns=record.turns[:1], answer=None, end_reason="", frames_used=75)
    with pytest.raises(RecordError, match="or the record was edited"):
        replay(replace(cut, reward=0.0, reward_parts=RewardParts()))


@pytest.mark.parametrize("field", ["seed", "duration_s", "last_frame_s", "frames_used", "reward"])
@pytest.mark.parametrize("value", ['"x"', "null", "NaN"])
def test_a_number_that_is_none_is_refused(record: Record, field: str, value: str) -> None:
    row = json.loads(record.to_json())
    row[field] = 123454321
    with pytest.raises(RecordError, match=r"needs a number|NaN is no JSON"):
        Record.from_json(json.dumps(row).replace("123454321", value))


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (("agent",), 5, "agent needs a text, got 5"),
        (("agent",), "a\x1b[31m", "agent needs a text on one line"),
        (("task_set",), [], r"task_set needs a text, got \[\]"),
        (("grading",), None, "grading needs a text, got None"),
        (("task", "category"), 5, "category needs a text, got 5"),
        (("task", "id"), "a\ud800", "id needs a text on one line"),
        (("turns", 0, "reply"), None, "reply needs a text, got None"),
        (("turns", 0, "zoom", "fps"), 10**400, "needed an episode's record"),
        (("turns", 0, "zoom", "fps"), True, "fps needs a number, got True"),
        (("turns", 0, "zoom", "fps"), 1e-300, "zoom needs at least 1 frame, got 0"),
        (("turns", 0, "zoom", "end_s"), 1e200, r"end_s needs a number from 0 to 60, got 1e\+200"),
        (("turns", 0, "zoom", "start_s"), -1, "start_s needs a number from 0 to 60, got -1"),
        (("turns", 0, "is_well_formed"), 1, "is_well_formed needs true or false, got 1"),
        (("turns",), [], "turns needs a list of 1 to 5, got 0"),
        (("turns",), {}, "turns needs a list of 1 to 5, got 0"),
        (("answer",), ["A"], r"answer needs a text, got \['A'\]"),
        (("agent",), "a" * 10_001, "agent needs at most 10000 characters, got 10001"),
        (("frames_used",), -100, "frames_used needs a number from 64 to 128, got -100"),
        (("frames_used",), 1e16, r"frames_used needs a number from 64 to 128, got 1e\+16"),
        (("frames_used",), 76, "frames_used needs 75, as shown, got 76"),
        (("frames_used",), 75.0, "frames_used needs a whole number from 64 to 128, got 75.0"),
        (("seed",), -1, "seed needs a number from 0 to"),
        (("seed",), 1.5, "seed needs a whole number"),
        (("duration_s",), 1e200, r"duration_s needs a number from 0 to 864000, got 1e\+200"),
        (("duration_s",), 0, "duration_s needs a number above 0, and from last_frame_s 59.9"),
        (("duration_s",), 59, "from last_frame_s 59.9.* up, got 59"),
        (("last_frame_s",), -1e-9, "last_frame_s needs a number from 0 to 864000"),
        (("reward",), -1e13, r"reward needs a number from -1e\+12 to 1e\+12"),
        (("agent_s",), -1, r"agent_s needs a number from 0 to 1e\+09, got -1"),
        (("decode_s",), 1e10, r"decode_s needs a number from 0 to 1e\+09"),
        (("rules", "num_overview"), 10**9, "num_overview needs a whole number from 0 to 10000"),
        (("task", "evidence"), [[0, 1]] * 1001, "evidence needs a list of at most 1000, got 1001"),
        (("task", "evidence"), "no list", "evidence needs a list of at most 1000, got 'no list'"),
        (("task", "evidence"), [[0, 1e200]], "evidence needs a number from 0 to"),
        (("task", "evidence"), [[0, "1"]], "evidence needs a number, got '1'"),
        (("task", "labels"), [["a"]], "needed an episode's record, got one that is wrong"),
        (("task", "labels"), [["a", 5]], "label needs a text, got 5"),
        (("task", "options"), "ABCD", "options needs a list of at most 1000, got 'ABCD'"),
        (("task", "options"), ["a", 5], "task needs a text, got 5"),
        (("task", "id"), "a" * 10_001, "id needs at most 10000 characters"),
        (("settings", "grader"), "x" * 10**5, "settings need at most 100000 characters"),
        (("settings", "max_pixels"), 10**16, "a whole number above 0, got 1000"),
        (("settings", "reward_weights", "tool"), 1e20, "reward_weights needs a number from -1e"),
        (("usage",), {"tokens": 1e20}, "usage of tokens needs a number from -1e"),
        (("usage",), {f"{k}": k for k in range(1001)}, "usage needs an object of at most 1000"),
        (("reward_parts", "accuracy"), 0.5, "accuracy needs 0 or 1, got 0.5"),
        (("reward_parts", "grounding"), -0.1, "grounding needs a number from 0 to 1, got -0.1"),
        (("reward_parts", "zoom_cost"), 6, "zoom_cost needs a number from 0 to 5, got 6"),
        (("agent_s",), None, "agent_s needs a number, got None"),
        (("frames_used",), 10**400, "frames_used needs a number, got 1000"),
        (("reward_parts", "accuracy"), 5, "accuracy needs a number from 0 to 1, got 5"),
        (("reward_parts", "zoom_cost"), "x", "zoom_cost needs a number, got 'x'"),
        (("usage",), [], r"usage needs an object of at most 1000, got 0"),
        (("suite",), "a\nb", "suite needs a text on one line"),
        (("agent_hash",), 7, "agent_hash needs a text, got 7"),
        (("usage",), {"tokens": "x"}, "usage of tokens needs a number, got 'x'"),
        (("usage",), {"\u202e": "x"}, r"usage of \\u202e needs a number, got 'x'"),
        (("usage",), {"to\nkens": 1}, "name in usage needs a text on one line"),
        (("settings",), {}, "needed an episode's record, got .*'reward_weights'"),
        (("settings", "reward_weights", "tool"), "x", "reward_weights needs finite numbers"),
        (("settings", "reward_weights", "tool"), 10**400, "needed an episode's record"),
    ],
)
def test_a_value_that_no_record_has_is_refused(
    record: Record, place: tuple[Any, ...], value: object, message: str
) -> None:
    row = inner = json.loads(record.to_json())
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    with pytest.raises(RecordError, match=message):
        Record.from_json(json.dumps(row))


MISSING = object()


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("max_pixels", MISSING, "a whole number above 0, got none"),
        ("max_pixels", [64], r"a whole number above 0, got \[64\]"),
        ("max_pixels", 64.0, "got 64.0"),
        ("max_pixels", True, "got True"),
        ("max_pixels", 0, "got 0"),
        ("duration_s", MISSING, "a number above 0, got none"),
        ("duration_s", "60", "got '60'"),
        ("duration_s", 10**400, "got 1000"),
        ("tasks", 7, "a text or null, got 7"),
        ("split", None, "a text, got None"),
        ("difficulty", ["easy"], "a text or an object, got"),
        ("source", MISSING, "a text, got none"),
    ],
)
def test_settings_that_are_missing_or_of_another_kind_are_named_with_their_line(
    record: Record, tmp_path: Path, name: str, value: object, message: str
) -> None:
    settings = {**record.settings, name: value}
    if value is MISSING:
        del settings[name]
    path = tmp_path / "records.jsonl"
    write_records(path, [record, replace(record, settings=settings)])
    with pytest.raises(RecordError, match=rf"records\.jsonl:2: settings need {name}, .*{message}"):
        list(read_records(path))


@pytest.mark.parametrize("settings", [{"tasks": None}, {"difficulty": {"preset": "hard"}}])
def test_settings_of_each_kind_that_an_environment_has_are_read(
    record: Record, settings: dict[str, object]
) -> None:
    changed = replace(record, settings={**record.settings, **settings})
    assert Record.from_json(changed.to_json()) == changed


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "needed an episode's record, got no JSON "),
        ("[]", "needed an episode's record, got no JSON object"),
        ("[" * 100_000, "needed an episode's record, got more than 16 levels"),
        ("[" * 17 + "]" * 17, "needed an episode's record, got more than 16 levels"),
        ("[" + "0," * 100_000 + "0]", "needed an episode's record, got more than 100000 values"),
        ('"' + r"\"" * 100_000, "needed an episode's record, got no JSON "),
        ("9" * 5000, "needed an episode's record, got no JSON "),
        ('{"schema": 1, "schema": 1}', r"needed an episode's record, got no JSON \(a key appears "),
        ('{"schema": 1e999}', "needed schema 1, got inf"),
        ("{}", r"needed an episode's record, got one that is wrong \(no 'schema'\)"),
        ('{"schema": "%s"}' % ("x" * 10**6), "needed schema 1, got 'xxx.{,300}: use the version"),
        ("secret", r"needed an episode's record, got no JSON \(Expecting value: line 1 column 1"),
        ("\xff", "needed a record, got bytes that are no ascii, from byte 0 on"),
        ('{"schema": 99}', "needed schema 1, got 99"),
        ('{"schema": 1, "task": 5}', "needed an episode's record"),
    ],
)
def test_a_line_that_is_no_record_is_named(
    record: Record, tmp_path: Path, line: str, message: str
) -> None:
    path = tmp_path / "records.jsonl"
    append_record(path, record)
    path.write_text(path.read_text() + line + "\n", encoding="latin-1")
    with pytest.raises(RecordError, match=rf"records\.jsonl:2: {message}") as caught:
        list(read_records(path))
    assert "secret" not in str(caught.value)  # a link may lead to any file: it is not quoted
    assert len(str(caught.value)) < 1000


def test_evidence_and_frames_together_are_bounded(record: Record) -> None:
    row = json.loads(record.to_json())
    row["rules"] |= {"num_overview": 10_000, "frame_budget": 100_000}
    row["task"]["evidence"] = [[0, 1]] * 99
    row["frames_used"] = 10_011
    assert Record.from_json(json.dumps(row)).frames_used == 10_011
    row["task"]["evidence"] = [[0, 1]] * 100
    message = "evidence needs at most 99 segments beside 10011 frames, got 100"
    with pytest.raises(RecordError, match=message):
        Record.from_json(json.dumps(row))


def test_an_infinite_number_in_settings_is_refused(record: Record) -> None:
    line = replace(record, settings={**record.settings, "x": "1e999"}).to_json()
    with pytest.raises(RecordError, match=r"got one that is wrong .*not JSON compliant"):
        Record.from_json(line.replace('"1e999"', "1e999"))


def test_the_longest_replies_of_the_longest_episode_fit_into_a_line() -> None:
    longest = json.dumps("\U0001f600" * (MAX_REPLY_CHARS + 1))
    assert MOST["max_turns"] * len(longest) < record_bounds.MOST_LINE_BYTES


def test_texts_of_a_record_do_not_count_as_values(record: Record) -> None:
    long = replace(record.turns[1], reply='",[{\\' * 200_000)
    changed = replace(record, turns=(record.turns[0], long, record.turns[2]))
    assert Record.from_json(changed.to_json()) == changed


def test_what_a_stranger_calls_a_key_does_not_steer_the_terminal(record: Record) -> None:
    row = json.loads(record.to_json()) | {"\x1b[2Jgone\u202e" + "x" * 10**6: 1}
    with pytest.raises(RecordError) as caught:
        Record.from_json(json.dumps(row))
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 500


def test_an_endless_line_is_refused_before_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(records, "MOST_LINE_BYTES", 1000)
    monkeypatch.setattr(record_bounds, "MOST_LINE_BYTES", 1000)
    path = tmp_path / "records.jsonl"
    with path.open("wb") as file:
        file.truncate(10**10)  # of zeros, without a line break; the disk holds none of them
    with pytest.raises(RecordError, match=r"jsonl:1: needed .* got more than 1000 characters"):
        list(read_records(path))


def test_what_is_no_file_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(RecordError, match="needed a records file, got no regular file"):
            list(read_records(path))


def test_a_zoom_of_more_frames_than_the_rules_allow_is_refused(record: Record) -> None:
    row = json.loads(record.to_json())
    row["turns"][0]["zoom"] = {"start_s": 0, "end_s": 50, "fps": 1e300}
    with pytest.raises(RecordError, match="zoom needs at most 16 frames, got 1000000000"):
        Record.from_json(json.dumps(row))


def test_a_line_that_was_cut_off_is_passed_over_and_can_be_dropped(
    record: Record, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "records.jsonl"
    append_record(path, record)
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:100])
    assert list(read_records(path)) == [record]
    assert "the last line was cut off" in caplog.text
    drop_cut_line(path)
    assert path.read_bytes() == whole
    path.write_bytes(whole + whole[:-1])  # a whole record, but for its line break
    drop_cut_line(path)
    assert path.read_bytes() == whole
    path.write_bytes(whole[:100])
    drop_cut_line(path)
    assert path.read_bytes() == b""


def test_whole_lines_stand_in_the_file_while_a_cut_one_is_dropped(
    record: Record, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "records.jsonl"
    append_record(path, record)
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:100])
    opened: list[str] = []
    monkeypatch.setattr(
        records, "open_own", lambda path, mode: opened.append(mode) or open_own(path, mode)
    )
    drop_cut_line(path)
    assert opened == ["r+b"]  # "w" would empty it first, and a kill then lose every record


def test_records_are_written_to_no_file_that_a_link_leads_to(
    record: Record, tmp_path: Path
) -> None:
    (tmp_path / "private").write_text("no line break, so all of it looks cut off")
    path = tmp_path / "records.jsonl"
    path.symlink_to(tmp_path / "private")
    (tmp_path / "records.jsonl.part").symlink_to(tmp_path / "private")
    for write in (lambda: append_record(path, record), lambda: drop_cut_line(path)):
        with pytest.raises(OSError, match="a symbolic link: put the file itself there"):
            write()
    write_records(path, [record])
    assert list(read_records(path)) == [record]
    assert (tmp_path / "private").read_text() == "no line break, so all of it looks cut off"


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match=r"none\.jsonl: needed a records file"):
        list(read_records(tmp_path / "none.jsonl"))


def test_terms_that_weights_name_are_recorded_and_replayed(record: Record) -> None:
    env = ZoomEnv(
        "synthetic:flash", source="scene", max_pixels=256, frame_size=(16, 16),
        reward_weights={"evidence_iou": 1, "repeat_cost": -0.5},
    )  # fmt: skip
    zoom = '{"segment": [4, 6], "fps": 4}'
    answer = '{"answer": "A", "evidence": [[4, 6]]}'
    played = play_episode(env, Scripted([zoom, zoom, answer]), agent_name="scripted", seed=3)
    assert played.reward_parts.repeat_cost == 1.0
    again = Record.from_json(played.to_json())
    assert again == played
    assert replay(again) == played.episode
    assert [list(one) for one in played.episode.named] == [[4.0, 6.0]]
    cheating = replace(played, reward_parts=replace(played.reward_parts, repeat_cost=0.0))
    with pytest.raises(RecordError, match="needed the turns and scores"):
        replay(cheating)
    for name, wrong in (("repeat_cost", 6), ("evidence_iou", 2), ("repeat_cost", "x")):
        row = json.loads(played.to_json())
        row["reward_parts"][name] = wrong
        with pytest.raises(RecordError, match=f"{name} needs a number"):
            Record.from_row(row)


def test_a_record_without_further_terms_is_as_it_always_was(record: Record) -> None:
    row = json.loads(record.to_json())
    assert list(row["reward_parts"]) == ["accuracy", "format", "tool", "grounding", "zoom_cost"]
    assert record.episode == replay(record)
