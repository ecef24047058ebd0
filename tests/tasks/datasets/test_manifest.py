import json
import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.clips import first_video
from tests.conftest import TASK, new_episode
from zoomgym.agent.observation import Frames, observe
from zoomgym.cli import main
from zoomgym.conversation import text_of, to_messages
from zoomgym.errors import TaskError, VideoError
from zoomgym.tasks.catalog import open_task_set
from zoomgym.tasks.datasets import ManifestTasks, check_manifest, write_manifest
from zoomgym.tasks.synthetic import SyntheticTasks

ROW = {"id": "q1", "video": "a.mp4", "question": "Which?", "options": ["x", "y"], "answer": "B"}


def write_rows(path: Path, *rows: object) -> Path:
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_tasks_come_back_as_they_were_written(tmp_path: Path) -> None:
    open_question = {"id": "ü2", "video": "b/c.mkv", "question": "Wo?", "answer": "5"}
    path = write_rows(tmp_path / "my.jsonl", ROW, "", open_question)
    tasks = ManifestTasks(path)
    assert (len(tasks), tasks[0].options, tasks[0].truth) == (2, ("x", "y"), "B")
    assert (tasks[1].options, tasks[1].evidence, tasks[1].category) == ((), (), "")
    assert tasks.by_id("ü2") == tasks[1]
    written = [replace(TASK, id="first"), tasks[0], tasks[1]]
    write_manifest(tmp_path / "again.jsonl", written)
    again = ManifestTasks(tmp_path / "again.jsonl")
    assert [again[i] for i in range(3)] == written


def test_the_version_is_that_of_the_content(tmp_path: Path) -> None:
    one, same = (write_rows(tmp_path / name, ROW) for name in ("a.jsonl", "b.jsonl"))
    other = write_rows(tmp_path / "c.jsonl", {**ROW, "answer": "A"})
    assert ManifestTasks(one).version == ManifestTasks(same).version
    assert ManifestTasks(one).version != ManifestTasks(other).version


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("{", "needed one JSON object, got '{'"),
        ("[1]", r"needed one JSON object, got \[1\]"),
        ("[" * 5000, "needed one JSON object, got "),
        ({"id": "q"}, r"needed the keys .*, \['video', 'question', 'answer'\] missing"),
        ({**ROW, "option": []}, r"needed no keys but .*, got \['option'\]"),
        ({**ROW, "question": 5}, "question needs a text, got 5"),
        ({**ROW, "options": "xy"}, "options needs a list of texts, got 'xy'"),
        ({**ROW, "options": ["x", 2]}, "options needs a list of texts"),
        ({**ROW, "answer": "C"}, "answer needs to be a letter or one of"),
        ({**ROW, "evidence": [[1]]}, r"evidence needs a list of \[start, end\] in seconds"),
        ({**ROW, "evidence": [[1, "2"]]}, "evidence needs a list"),
        ({**ROW, "evidence": [[1, True]]}, "evidence needs a list"),
        ({**ROW, "evidence": [[0, 10**400]]}, "evidence needs a list"),
        ({**ROW, "labels": [["a", 1]]}, r"labels needs a list of \[kind, value\], both texts"),
        ({**ROW, "labels": {"a": "b"}}, "labels needs a list"),
        ({**ROW, "labels": ["ab"]}, "labels needs a list"),
        ({**ROW, "evidence": [[2, 1]]}, "evidence needs 0 <= start < end"),
        (ROW, "id needs to be unique, got 'q1' as in .*my.jsonl:1"),
    ],
)
def test_a_bad_row_is_an_error_that_names_file_and_line(
    tmp_path: Path, row: object, message: str
) -> None:
    path = write_rows(tmp_path / "my.jsonl", ROW, row)
    with pytest.raises(TaskError, match=rf"my\.jsonl:2: {message}"):
        ManifestTasks(path)


def test_a_file_that_is_no_manifest_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(TaskError, match=r"none\.jsonl: needed a file of tasks"):
        open_task_set(str(tmp_path / "none.jsonl"))
    (tmp_path / "bytes.jsonl").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(TaskError, match=r"bytes\.jsonl: needed a file of tasks, got bytes"):
        open_task_set(str(tmp_path / "bytes.jsonl"))
    (tmp_path / "empty.jsonl").write_bytes(b"\n")
    with pytest.raises(TaskError, match="needed at least one task, got an empty file"):
        open_task_set(str(tmp_path / "empty.jsonl"))
    with pytest.raises(TaskError, match=r"tasks needs `synthetic`, .* got 'footage'"):
        open_task_set("footage")


def test_a_missing_video_is_named_when_it_is_needed(tmp_path: Path) -> None:
    tasks = ManifestTasks(write_rows(tmp_path / "my.jsonl", ROW))
    video = tasks.open_video(tasks[0])
    with pytest.raises(VideoError, match=r"a\.mp4"):
        _ = video.duration_s


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    tasks = SyntheticTasks(("overview",), "train", 30, "easy", "file")
    return first_video(tasks, tmp_path)


def test_check_reports_every_problem_at_once(
    tmp_path: Path, clip: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "text.mp4").write_text("no video")
    good = {**ROW, "video": clip.name, "evidence": [[1, 30]]}
    path = write_rows(
        tmp_path / "my.jsonl",
        good,
        {**good, "id": "q2", "evidence": [[1, 30.5], [29, 31]]},
        {**ROW, "id": "q3", "video": "gone.mp4", "answer": "Z"},
        {**ROW, "id": "q4", "video": "text.mp4"},
        "nonsense",
        {**good, "id": "q1"},
        {**good, "id": "q5", "answer": "Z", "evidence": [[5, 99]]},
        {**good, "id": 5, "options": "x", "evidence": 7},
    )
    rows = list(check_manifest(path))
    assert [len(row.problems) for row in rows] == [0, 2, 2, 1, 1, 1, 2, 3]
    assert (
        rows[1].problems[0] == "evidence needs to end within the video's 30.000 s, got [1.0, 30.5]"
    )
    assert "answer needs to be a letter" in rows[2].problems[0]
    assert "gone.mp4" in rows[2].problems[1]
    assert "text.mp4" in rows[3].problems[0]
    assert main(["check", str(path)]) == 1
    printed = capsys.readouterr().out.splitlines()
    assert len(printed) == 13
    assert printed[0].startswith(f"{path}:2: evidence needs to end within")
    assert printed[-1] == "8 rows, 7 with problems"


def test_check_of_a_good_manifest_exits_with_0(
    tmp_path: Path, clip: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_rows(tmp_path / "my.jsonl", {**ROW, "video": clip.name})
    assert main(["check", str(path)]) == 0
    assert capsys.readouterr().out == "1 row, 0 with problems\n"


def test_check_finds_damage_in_the_middle_of_a_video(tmp_path: Path, clip: Path) -> None:
    content = bytearray(clip.read_bytes())
    third = len(content) // 3
    content[third : 2 * third] = bytes(third)
    (tmp_path / "hurt.mp4").write_bytes(content)
    path = write_rows(tmp_path / "my.jsonl", {**ROW, "video": "hurt.mp4"})
    [row] = check_manifest(path)
    assert "hurt.mp4: needed 16 whole frames" in row.problems[0]


def test_check_of_nothing_exits_with_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(tmp_path / "gone.jsonl")]) == 1
    assert "gone.jsonl: needed a file of tasks" in capsys.readouterr().err
    (tmp_path / "empty.jsonl").write_text("")
    assert main(["check", str(tmp_path / "empty.jsonl")]) == 1
    assert "needed at least one task" in capsys.readouterr().out


def test_a_manifest_comes_back_byte_for_byte(tmp_path: Path) -> None:
    rows = [
        {**ROW, "evidence": [[1.5, 2.0]], "category": "c", "labels": [["k", "v"], ["k", "w"]]},
        {"id": "ü", "video": "b.mp4", "question": "Wo?\n", "answer": "\ud800 5"},
    ]
    tasks = ManifestTasks(write_rows(tmp_path / "my.jsonl", *rows))
    write_manifest(tmp_path / "again.jsonl", [tasks[0], tasks[1]])
    again = ManifestTasks(tmp_path / "again.jsonl")
    write_manifest(tmp_path / "third.jsonl", [again[0], again[1]])
    assert (tmp_path / "my.jsonl").read_bytes() == (tmp_path / "again.jsonl").read_bytes()
    assert (tmp_path / "third.jsonl").read_bytes() == (tmp_path / "again.jsonl").read_bytes()
    assert again.content_hash == tasks.content_hash


def test_the_hash_is_that_of_what_the_rows_say_however_they_say_it(tmp_path: Path) -> None:
    loose = '{"options": ["x", "y"],  "answer": "B", "question": "Which?", "video": "a.mp4",'
    one = ManifestTasks(write_rows(tmp_path / "a.jsonl", ROW))
    same = ManifestTasks(write_rows(tmp_path / "b.jsonl", f'{loose} "id": "q1"}}'))
    other = ManifestTasks(write_rows(tmp_path / "c.jsonl", {**ROW, "category": "new"}))
    assert one.content_hash == same.content_hash != other.content_hash
    assert one.version != same.version


@pytest.mark.parametrize(
    ("options", "answer"),
    [
        (["A. red", "B. blue"], "B"),
        (["(A) red", "(B) blue"], "(B) blue"),
        (["A) red", "B) blue"], "blue"),
        (["A: red", "B: blue"], "B: blue"),
        (["[a] red", "[b] blue"], "[b] blue"),
        (["B. blue", "A. red"], "B. blue"),
    ],
)
def test_options_that_bring_their_letters_are_shown_with_one_letter(
    tmp_path: Path, options: list[str], answer: str
) -> None:
    path = write_rows(tmp_path / "m.jsonl", {**ROW, "options": options, "answer": answer})
    [task] = ManifestTasks(path)
    assert (task.options, task.truth) == (("red", "blue"), "B")
    overview = Frames((0.0,), np.zeros((1, 1, 1, 3), np.uint8))
    [*_, said] = to_messages(observe(new_episode(task, num_overview=1), overview, ()))
    assert "A. red\nB. blue" in text_of(said)
    assert task.grade("B. blue")
    assert not task.grade("A. red")


def test_options_with_letters_in_their_texts_come_back_as_they_were_written(
    tmp_path: Path,
) -> None:
    tasks = [
        replace(TASK, options=("A. red", "B. blue"), answer=answer)
        for answer in ("B", "B. blue", "(A)")
    ]
    tasks = [replace(task, id=str(i)) for i, task in enumerate(tasks)]
    write_manifest(tmp_path / "m.jsonl", tasks)
    assert list(ManifestTasks(tmp_path / "m.jsonl")) == tasks


def test_a_manifest_may_be_one_json_list(tmp_path: Path) -> None:
    (tmp_path / "my.json").write_text(json.dumps([ROW, {**ROW, "id": "q2"}], indent=1))
    tasks = open_task_set(str(tmp_path / "my.json"))
    assert [tasks[index].id for index in range(2)] == ["q1", "q2"]
    (tmp_path / "bad.json").write_text(json.dumps([ROW, 5]))
    with pytest.raises(TaskError, match=r"bad\.json row 2: needed one JSON object, got 5"):
        open_task_set(str(tmp_path / "bad.json"))


def test_two_thousand_rows_cost_under_10_mb(tmp_path: Path) -> None:
    lines = (
        json.dumps(
            {
                "id": f"q{k}",
                "video": f"videos/{k // 3}.mp4",
                "question": f"What is shown as number {k} in this video, and where does it go?",
                "options": [f"option {letter} of question {k}" for letter in "ABCD"],
                "answer": "ABCD"[k % 4],
                "evidence": [[k, k + 1.5]],
                "category": f"kind {k % 7}",
                "labels": [["duration", "long"], ["topic", "cars"]],
            }
        )
        for k in range(2000)
    )
    path = tmp_path / "big.jsonl"
    path.write_text("".join(f"{line}\n" for line in lines))
    tracemalloc.start()
    tasks = ManifestTasks(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (len(tasks), tasks[1999].id) == (2000, "q1999")
    assert peak < 10_000_000
