"""What holds for every benchmark, whatever its layout."""

import importlib
import json
import os
import pickle
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from gymnasium.utils.env_checker import check_env

from tests.clips import first_video
from tests.playing import play_episode
from tests.tasks.datasets.layouts import open_tasks, write_file, write_json, write_parquet
from tests.tasks.datasets.test_longvideobench import ROW
from zoomgym.agent import Observation
from zoomgym.cli import main
from zoomgym.conversation import text_of, to_messages
from zoomgym.envs.env import ZoomEnv
from zoomgym.errors import RecordError, TaskError, VideoError
from zoomgym.records import Record, replay
from zoomgym.render import describe, paint
from zoomgym.tasks.catalog import check_task_set, open_task_set
from zoomgym.tasks.datasets import BENCHMARKS
from zoomgym.tasks.synthetic import SyntheticTasks


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    tasks = SyntheticTasks(("overview",), "train", 30, "easy", "file")
    return first_video(tasks, tmp_path_factory.mktemp("clip"))


@pytest.mark.parametrize("name", BENCHMARKS)
def test_a_folder_that_holds_nothing_says_what_is_needed(name: str, tmp_path: Path) -> None:
    [split, *_] = BENCHMARKS[name].files
    with pytest.raises(TaskError, match=r"needed .* in it, got none of them"):
        open_tasks(name, tmp_path, split=split)
    with pytest.raises(
        TaskError, match="gone: needed the folder that holds the files, but there is no such"
    ):
        open_tasks(name, tmp_path / "gone", split=split)
    with pytest.raises(TaskError, match=f"{name} needs the folder of its files, like {name}:/data"):
        open_task_set(name)


@pytest.mark.parametrize("name", BENCHMARKS)
def test_train_and_test_share_no_file(name: str) -> None:
    files = BENCHMARKS[name].files
    assert set(files) <= {"train", "test"}
    assert not set(files.get("train", ())) & set(files.get("test", ()))


def test_an_unknown_name_is_told_the_known_ones() -> None:
    with pytest.raises(TaskError, match=r"a benchmark \(egoschema, .*, videozoomer_rl\) with `:`"):
        open_task_set("activitynet:/data")
    with pytest.raises(TaskError, match="synthetic has no files to check"):
        check_task_set("synthetic")


def test_parquet_without_pyarrow_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_parquet(tmp_path / "test-0.parquet", [{"a": 1}])

    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(TaskError, match="parquet needs pyarrow, got none: pip install pyarrow"):
        open_tasks("videomme", tmp_path)


@pytest.mark.parametrize(("kind", "content"), [("string", b"\xff"), ("date32", b"\xff\xff\xff?")])
def test_a_parquet_value_that_python_has_no_word_for_is_named(
    tmp_path: Path, kind: str, content: bytes
) -> None:
    pyarrow = importlib.import_module("pyarrow")
    column = pyarrow.array([content], pyarrow.binary(len(content)))
    column = column.cast(pyarrow.binary()) if kind == "string" else column
    parts = [None, *column.buffers()[1:]]
    table = pyarrow.table({"x": pyarrow.Array.from_buffers(getattr(pyarrow, kind)(), 1, parts)})
    importlib.import_module("pyarrow.parquet").write_table(table, tmp_path / "test-0.parquet")
    with pytest.raises(TaskError, match=r"test-0\.parquet: needed a parquet file, got"):
        open_tasks("videomme", tmp_path)


def test_repeated_ids_are_numbered_in_linear_time(tmp_path: Path) -> None:
    rows = [{**ROW, "id": name} for name in ["a", "a#2", *["a"] * 20_000]]
    write_json(tmp_path / "lvb_val.json", rows)
    started_s = time.process_time()
    tasks = open_tasks("longvideobench", tmp_path)
    assert time.process_time() - started_s < 10  # 2e8 tries of a number take longer
    ids = [tasks[index].id for index in range(len(tasks))]
    assert ids[:4] == ["a", "a#2", "a#3", "a#4"]
    assert len(set(ids)) == 20_002


@pytest.mark.parametrize("name", ["x" * 300, "\ud800.mp4"])
def test_a_name_that_no_file_can_have_is_a_missing_video(tmp_path: Path, name: str) -> None:
    write_json(tmp_path / "lvb_val.json", [{**ROW, "video_path": name}])
    tasks = open_tasks("longvideobench", tmp_path)
    with pytest.raises(VideoError, match=r"lvb_val\.json row 1: needed the video .* fetch it"):
        tasks.open_video(tasks[0])


def test_a_row_with_many_keys_makes_a_short_message(tmp_path: Path) -> None:
    write_json(tmp_path / "lvb_val.json", [{f"key {i}": i for i in range(10_000)}])
    with pytest.raises(TaskError, match="needed the key") as caught:
        open_tasks("longvideobench", tmp_path)
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"PAR1 no", "needed a parquet file, got"),
        (b"", "needed a parquet file, got"),
    ],
)
def test_a_broken_parquet_file_is_named(tmp_path: Path, content: bytes, message: str) -> None:
    write_file(tmp_path / "test-0.parquet", content)
    with pytest.raises(TaskError, match=rf"test-0\.parquet: {message}"):
        open_tasks("videomme", tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"[", "needed a JSON list of objects, got"),
        (b"[" * 100_000, "needed a JSON list of objects, got"),
        (b"\xff[]", "needed a file of tasks, got bytes that are no utf-8, from byte 0 on"),
        (b'{"a": 1}', "lvb_val.json:1: needed the key"),
        (b"[[1]]", r"lvb_val.json row 1: needed one JSON object, got \[1\]"),
        (b"[]", "needed at least one task of longvideobench, got none"),
    ],
)
def test_a_broken_json_file_is_named(tmp_path: Path, content: bytes, message: str) -> None:
    write_file(tmp_path / "lvb_val.json", content)
    with pytest.raises(TaskError, match=message):
        open_tasks("longvideobench", tmp_path)


@pytest.mark.long
def test_an_environment_plays_a_benchmark(tmp_path: Path, clip: Path) -> None:
    write_json(tmp_path / "lvb_val.json", [ROW])
    write_file(tmp_path / "videos" / "86CxyhFV9MI.mp4", clip.read_bytes())
    write_json(
        tmp_path / "subtitles" / "86CxyhFV9MI_en.json", [{"timestamp": [101, 102], "text": "now"}]
    )
    env = ZoomEnv(f"longvideobench:{tmp_path}", split="test", subtitles=True, frame_size=(8, 8))
    observation, info = env.reset(seed=1)
    assert observation["question"].startswith("What does he do when the subtitle says 'now'?")
    assert "[1.0, 2.0] now" in observation["question"]
    assert observation["question"].endswith("E. nothing")
    assert (info["video_id"], info["category"]) == ("86CxyhFV9MI.mp4", "TAA")
    *_, info = env.step('{"answer": "E"}')
    assert info["is_success"]
    assert env.settings["subtitles"] is True
    env.close()


def test_a_tool_tells_what_is_said_in_a_benchmark(tmp_path: Path, clip: Path) -> None:
    write_json(tmp_path / "lvb_val.json", [ROW])
    write_file(tmp_path / "videos" / "86CxyhFV9MI.mp4", clip.read_bytes())
    cues = [{"timestamp": [101, 102], "text": "now"}, {"timestamp": [110, 112], "text": "then"}]
    write_json(tmp_path / "subtitles" / "86CxyhFV9MI_en.json", cues)
    name = f"longvideobench:{tmp_path}"
    env = ZoomEnv(name, split="test", tools=["transcript", "zoom"], frame_size=(8, 8))
    check_env(env, skip_render_check=True)
    observation, _ = env.reset(seed=1)
    assert "now" not in observation["question"].partition("'now'")[2]
    twin = env.fork()
    for one in (env, twin, pickle.loads(pickle.dumps(env))):
        observation, *_ = one.step('{"transcript": [0, 5]}')
        assert observation["feedback"] == (
            "Said in [0.00, 5.00) s:\n[1.0, 2.0] now\nFrames left: 64. Turns left: 4."
        )
    record = play_episode(env, Asking(), agent_name="asking", seed=1)
    assert Record.from_json(record.to_json()) == record
    assert [turn.told for turn in record.turns] == ["[10.0, 12.0] then", ""]
    assert (record.reward, record.settings["tools"]) == (1.5, ["zoom", "transcript"])
    assert replay(record).turns == record.turns
    forged = replace(record.turns[0], told="[10.0, 12.0] now")
    with pytest.raises(RecordError, match="needed the turns and scores"):
        replay(replace(record, turns=(forged, *record.turns[1:])))
    for told, message in (("x" * 2001, "told needs at most 2000"), (5, "told needs a text")):
        row = json.loads(record.to_json())
        row["turns"][0]["told"] = told
        with pytest.raises(RecordError, match=message):
            Record.from_row(row)
    seen = env.observation
    assert "transcript call" in text_of(to_messages(seen)[0])
    assert "Said in" in text_of(to_messages(seen)[3])
    assert "transcript" in describe(env.episode, env.reward_weights)
    assert paint(env.episode, seen.overview, seen.clips, env.reward_weights).ndim == 3
    env.close()


class Asking:
    """Asks what is said, and answers."""

    def reset(self, seed: int) -> None:
        pass

    def act(self, observation: Observation) -> str:
        return ['{"transcript": [10, 11]}', '{"answer": "E"}'][len(observation.turns)]


def test_tasks_without_subtitles_cannot_offer_them(tmp_path: Path) -> None:
    with pytest.raises(TaskError, match="synthetic has no subtitles: leave the tool transcript"):
        ZoomEnv(source="scene", tools=["transcript"])
    own = ZoomEnv(SyntheticTasks(("flash",), "train", 60, "easy", "scene"), tools=["transcript"])
    with pytest.raises(TaskError, match="synthetic:flash has no subtitles: leave the tool"):
        own.reset(seed=0)


def test_nothing_but_the_files_of_tasks_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_json(tmp_path / "lvb_val.json", [ROW] * 20)
    opened: list[str] = []
    open_file, is_file = os.open, Path.is_file

    def noted(path: Any, *args: Any) -> int:
        opened.append(Path(path).name)
        return open_file(path, *args)

    def looked(path: Path) -> bool:
        opened.append(path.name)
        return is_file(path)

    monkeypatch.setattr(os, "open", noted)
    monkeypatch.setattr(Path, "is_file", looked)
    monkeypatch.setattr(Path, "open", None)
    assert len(open_tasks("longvideobench", tmp_path, subtitles=True)) == 20
    assert set(opened) == {"lvb_val.json"}


def test_check_names_every_row_whose_video_is_missing_or_broken(
    tmp_path: Path, clip: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [
        {**ROW, "video_path": "good.mp4"},
        {**ROW, "video_path": "broken.mp4"},
        {**ROW, "video_path": "gone.mp4"},
        {**ROW, "correct_choice": 9},
        {**ROW, "video_path": "good.mp4"},
    ]
    path = write_json(tmp_path / "lvb_val.json", rows)
    write_file(tmp_path / "videos" / "good.mp4", clip.read_bytes())
    write_file(tmp_path / "videos" / "broken.mp4")
    assert main(["check", f"longvideobench:{tmp_path}"]) == 1
    printed = capsys.readouterr().out.splitlines()
    assert len(printed) == 4
    assert printed[0].startswith(f"{path} row 2: ")
    assert "broken.mp4" in printed[0]
    assert printed[1].startswith(f"{path} row 3: needed the video 'gone.mp4' in {tmp_path}")
    assert printed[2] == f"{path} row 4: answer needs an index of 5 options, got 9"
    assert printed[3] == "5 rows, 3 with problems"


def test_check_looks_at_the_splits_that_are_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", f"longvideoreason:{tmp_path}"]) == 1
    assert "needed train.jsonl or train.json or" in capsys.readouterr().err
    row = {"problem_id": 1, "problem": "?\nA. x\nB. y", "answer": "A", "videos": "a.mp4"}
    write_json(tmp_path / "test.json", [row])
    assert main(["check", f"longvideoreason:{tmp_path}"]) == 1
    assert capsys.readouterr().out.endswith("1 row, 1 with problems\n")


def test_tasks_lists_what_a_benchmark_holds(
    tmp_path: Path, clip: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    three = {**ROW, "candidates": ["a", "b", "c"], "correct_choice": 0, "question_category": "E2O"}
    write_json(tmp_path / "lvb_val.json", [ROW, three, {**three, "duration_group": 15}])
    write_file(tmp_path / "videos" / "86CxyhFV9MI.mp4", clip.read_bytes())
    arguments = ["tasks", f"longvideobench:{tmp_path}", "--split", "test"]
    content_hash = open_tasks("longvideobench", tmp_path).content_hash
    assert main(arguments) == 0
    plain = capsys.readouterr().out
    assert plain == (
        "name           longvideobench\n"
        "version        0\n"
        f"hash           {content_hash}\n"
        "tasks          3\n"
        "videos         1\n"
        "with evidence  0\n"
        "\n"
        "category  tasks\n"
        "E2O           2\n"
        "TAA           1\n"
        "\n"
        "options  tasks\n"
        "3            2\n"
        "5            1\n"
        "\n"
        "duration  tasks\n"
        "15            1\n"
        "600           2\n"
        "\n"
        "level        tasks\n"
        "L2-Relation      3\n"
        "\n"
        "topic            tasks\n"
        "MR-Movie-Recaps      3\n"
    )
    assert main([*arguments, "--durations"]) == 0
    measured = capsys.readouterr().out
    line = "video seconds  30.0 to 30.0, median 30.0, sum 30.0\n"
    assert measured == plain.replace("\n\ncategory", f"\n{line}\ncategory")
    assert main(["tasks", f"longvideobench:{tmp_path}"]) == 1
    assert "longvideobench has no split 'train': give split='test'" in capsys.readouterr().err
