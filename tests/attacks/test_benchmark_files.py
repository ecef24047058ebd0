"""Files of benchmarks that strangers wrote: valid ones, changed at random.

Whatever a file holds, reading it ends in tasks or in a TaskError, soon. `-m slow` runs all of it.
"""

import copy
import json
import random
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.tasks.datasets import test_clues, test_manifest, test_videomme, test_videomme_v2
from tests.tasks.datasets.layouts import write_parquet
from tests.tasks.datasets.valid import BESIDE, FILES, GIVEN, PARQUET_FILES, ROWS
from zoomgym.errors import TaskError, VideoError
from zoomgym.tasks.catalog import check_task_set, open_task_set
from zoomgym.tasks.datasets import BENCHMARKS
from zoomgym.tasks.datasets.rows import Row
from zoomgym.tasks.datasets.subtitles import read_cues, with_subtitles

ROWS_CHANGED = 3000
"""Of each kind of row."""
FILES_CHANGED = 1500
"""Of each kind of file: in its bytes."""
PARQUET_CHANGED = 60
"""Of each kind of parquet file: a process reads each."""
LIMIT_S = 5.0
"""Processor time for one row or file; the largest rows here have a million characters."""


def hostile_values(rng: random.Random) -> Any:
    """Returns a value that no reader hopes for."""
    many = 10 ** rng.randint(1, 5)
    return rng.choice(
        [
            None, True, False, 0, -1, 1.5, 10**300, -(10**18), float("nan"), float("inf"), 1e308,
            "", " ", "\n", "\0", "\ud800", "A", "Z", "\N{ARABIC-INDIC DIGIT FIVE}", "é" * many,
            "../../etc/passwd", "/etc/passwd", "/dev/zero", "a/" * many, "C:\\x", "~/x", "x" * many,
            " " * many, "\n" * many, "A. " * many, "(A)\n" * many, "\n".join("ABCDEFGH"),
            "options " * many, "answer: " * many, "please only " * many, "<answer>" * many,
            "00:00-" * many, "1:2:3-" * many, "9" * 10_000, "-", ",", "A.\nB.", "<image>" * many,
            [], {}, [[]], [None], [{}], {"": None}, ["x"] * many, [""] * many, [1] * many,
            ["A. x", "B. y"], ["A. x"] * 30, [f"{k}. x" for k in "CBA"], {"A": "x", "B": "y"},
            {"answer_type": "multiple_choice"}, [["a", "b"]], ["B", "A"], ["A", "a"],
        ]
    )  # fmt: skip


def changed(value: Any, rng: random.Random) -> Any:
    """Returns a copy of a JSON value with some of its parts replaced, removed or repeated."""
    value = copy.deepcopy(value)
    for _ in range(rng.randint(1, 3)):
        at = value
        while True:
            keys = list(at) if isinstance(at, dict) else list(range(len(at)))
            if not keys:
                break
            key = rng.choice(keys)
            if isinstance(at[key], dict | list) and rng.random() < 0.5:
                at = at[key]
                continue
            kind = rng.random()
            if kind < 0.15:
                del at[key]
            elif kind < 0.25 and isinstance(at[key], str):
                text = at[key]
                place = rng.randint(0, len(text))
                at[key] = text[:place] + str(hostile_values(rng))[:1000] + text[place:]
            elif kind < 0.3:
                at[key] = [at[key]] * rng.choice([1, 2, 30])
            elif kind < 0.35:
                at[key] = at[rng.choice(keys)]
            else:
                at[key] = hostile_values(rng)
            break
    return value


def changed_bytes(data: bytes, rng: random.Random) -> bytes:
    """Returns data with bytes flipped, cut, repeated, or with something put in."""
    at, end = sorted(rng.randint(0, len(data)) for _ in range(2))
    return rng.choice(
        [
            data[:at],
            data[:at] + data[end:],
            data[:end] + data[at:end] * rng.randint(1, 50) + data[end:],
            data[:at] + bytes(rng.randrange(256) for _ in range(rng.randint(1, 8))) + data[at:],
            data[:at] + json.dumps(hostile_values(rng)).encode() + data[end:],
            data[:at] + rng.choice([b"[", b'{"a":', b'"', b"\\", b"1e"]) * 20_000 + data[at:],
            bytes(byte ^ (1 << rng.randrange(8)) if rng.random() < 0.01 else byte for byte in data),
        ]
    )


def read_all(name: str, split: str) -> None:
    """Reads all tasks of a set and looks for their videos and subtitles. Raises TaskError."""
    list(check_task_set(name))
    tasks = open_task_set(name, split=split)
    for index in range(len(tasks)):
        task = tasks[index]
        assert tasks.by_id(task.id) == task
        assert task.grade(task.truth)
        with pytest.raises(VideoError):  # there is none, but it may be looked for
            assert tasks.open_video(task).duration_s
    assert len(tasks.content_hash) == 12


def seeded(name: str, count: int) -> Iterator[random.Random]:
    """Yields a generator of random numbers for each of count cases."""
    for number in range(count):
        yield random.Random(f"{name} {number}")


def within_limit(started_s: float, what: object) -> None:
    """Raises AssertionError if more processor time than the limit has gone by."""
    took_s = time.process_time() - started_s
    assert took_s < LIMIT_S, f"{took_s:.1f} s for {str(what)[:500]}"


@pytest.mark.slow
@pytest.mark.parametrize("name", BENCHMARKS)
def test_changed_rows_are_tasks_or_task_errors(name: str) -> None:
    layout, num_tasks = BENCHMARKS[name], 0
    for rng in seeded(name, ROWS_CHANGED):
        row = {**changed(rng.choice(ROWS[name]), rng), **GIVEN.get(name, {})}
        started_s = time.process_time()
        try:
            task = layout.to_task(Row("a.json row 1", row))
            assert task.grade(task.truth) or not task.options
            if layout.to_subtitles:
                layout.to_subtitles(Row("a.json row 1", row))
            num_tasks += 1
        except TaskError as error:
            said = str(error)
            assert len(said) < 2000, said[:300]
        within_limit(started_s, row)
    assert 0 < num_tasks < ROWS_CHANGED


@pytest.mark.slow
@pytest.mark.parametrize("name", FILES)
def test_changed_files_are_tasks_or_task_errors(name: str, tmp_path: Path) -> None:
    file_name, split, text = FILES[name]
    if name in BESIDE:
        file_beside, content = BESIDE[name]
        (tmp_path / file_beside).write_text(content, encoding="utf-8")
    (tmp_path / "subtitles").mkdir()
    num_tasks = 0
    for rng in seeded(name, FILES_CHANGED):
        data = changed_bytes(text.encode(), rng)
        (tmp_path / file_name).write_bytes(data)
        started_s = time.process_time()
        try:
            read_all(f"{name}:{tmp_path}", split)
            num_tasks += 1
        except TaskError:
            pass
        within_limit(started_s, data)
    assert 0 < num_tasks < FILES_CHANGED


@pytest.mark.slow
@pytest.mark.parametrize("name", PARQUET_FILES)
def test_changed_parquet_files_are_tasks_or_task_errors(name: str, tmp_path: Path) -> None:
    tracks = ("Perception", "Comprehension", "Adaptation")
    paths = [tmp_path / PARQUET_FILES[name].format(track=track) for track in tracks]
    valid = write_parquet(paths[0], ROWS[name][-1:]).read_bytes()
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(valid)
    read_all(f"{name}:{tmp_path}", "test")
    num_errors = 0
    for rng in seeded(name, PARQUET_CHANGED):
        paths[0].write_bytes(changed_bytes(valid, rng))
        try:
            read_all(f"{name}:{tmp_path}", "test")
        except TaskError:
            num_errors += 1
    assert num_errors > PARQUET_CHANGED / 2


@pytest.mark.slow
def test_changed_manifests_are_tasks_or_task_errors(tmp_path: Path) -> None:
    path = tmp_path / "my.jsonl"
    row = {**test_manifest.ROW, "evidence": [[1, 2]], "labels": [["a", "b"]], "category": "c"}
    for rng in seeded("manifest", ROWS_CHANGED):
        lines = [json.dumps(changed(row, rng)), json.dumps({**row, "id": "q2"})]
        path.write_text("\n".join(lines), encoding="utf-8")
        if rng.random() < 0.3:
            path.write_bytes(changed_bytes(path.read_bytes(), rng))
        started_s = time.process_time()
        with suppress(TaskError):
            read_all(str(path), "train")
        within_limit(started_s, lines)


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".srt", ".json", ".jsonl"])
def test_changed_subtitles_are_lines_or_task_errors(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"a{suffix}"
    cues = [
        {"timestamp": [1.5, None], "text": "<b>Merry</b>"},
        {"start": "00:00:01.5", "end": "00:00:02", "line": "&amp;"},
    ]
    valid = test_videomme.SRT if suffix == ".srt" else json.dumps(cues)
    if suffix == ".jsonl":
        valid = "\n".join(map(json.dumps, test_videomme_v2.WORDS))
    num_read = 0
    for rng in seeded(suffix, ROWS_CHANGED):
        path.write_bytes(changed_bytes(valid.encode(), rng))
        if suffix == ".json" and rng.random() < 0.5:
            path.write_text(json.dumps(changed(cues, rng)), encoding="utf-8")
        started_s = time.process_time()
        try:
            cues_read = read_cues(path, 1.0, 60.0)
            assert len(with_subtitles("?", cues_read)) < 17_000
            num_read += 1
        except TaskError:
            pass
        within_limit(started_s, path)
    assert num_read > 0


@pytest.mark.slow
def test_changed_segments_of_nextgqa_are_tasks_or_task_errors(tmp_path: Path) -> None:
    test_clues.write_next(tmp_path)
    num_tasks = 0
    for rng in seeded("gsub", FILES_CHANGED):
        text = json.dumps(changed(test_clues.GSUB, rng))
        data = changed_bytes(text.encode(), rng) if rng.random() < 0.3 else text.encode()
        (tmp_path / "gsub_test.json").write_bytes(data)
        started_s = time.process_time()
        try:
            read_all(f"nextgqa:{tmp_path}", "test")
            num_tasks += 1
        except TaskError:
            pass
        within_limit(started_s, data)
    assert 0 < num_tasks < FILES_CHANGED
