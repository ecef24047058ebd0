"""Files of tasks as a stranger would make them: bombs, pipes, devices, links that lead out."""

import importlib
import json
import os
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.tasks.datasets import test_longvideobench, test_videomme
from tests.tasks.datasets.layouts import (
    all_tasks,
    open_tasks,
    write_file,
    write_json,
    write_lines,
    write_parquet,
)
from tests.tasks.datasets.valid import GIVEN, ROWS
from zoomgym.cli import main
from zoomgym.errors import TaskError, VideoError
from zoomgym.tasks.catalog import open_task_set
from zoomgym.tasks.datasets import BENCHMARKS, parquet
from zoomgym.tasks.datasets.options import letter_options, split_options, tell_apart
from zoomgym.tasks.datasets.parquet import MAX_ROW_CHARS
from zoomgym.tasks.datasets.rows import Row, read_file
from zoomgym.tasks.datasets.subtitles import read_cues

LVB, MME = test_longvideobench.ROW, test_videomme.ROW
MB = 1_000_000
MOST_MB = 700
"""What a process that reads a file may take: 512 MiB (`MAX_BYTES`) beyond Python and pyarrow."""

posix = pytest.mark.skipif(sys.platform == "win32", reason="needs named pipes, links and devices")
linux = pytest.mark.skipif(sys.platform != "linux", reason="memory is bounded on Linux only")


def make_pipe(path: Path) -> None:
    os.mkfifo(path)


def link_to(target: str | Path) -> Callable[[Path], None]:
    return lambda path: path.symlink_to(target)


NO_FILES = pytest.mark.parametrize(
    "make",
    [
        pytest.param(make_pipe, id="a pipe"),
        pytest.param(link_to("/dev/zero"), id="a device"),
        pytest.param(Path.mkdir, id="a folder"),
        pytest.param(lambda path: path.symlink_to(path.name), id="a circle"),
    ],
)


# Pipes and devices --------------------------------------------------------------------------------


@posix
@NO_FILES
@pytest.mark.parametrize("name", ["my.jsonl", "my.json"])
def test_a_manifest_that_is_no_file_is_refused_at_once(
    make: Callable[[Path], None], name: str, tmp_path: Path
) -> None:
    make(tmp_path / name)
    with pytest.raises(TaskError, match=rf"{name}: needed a file of tasks, (got|but)"):
        open_task_set(str(tmp_path / name))
    assert main(["check", str(tmp_path / name)]) == 1


@posix
@NO_FILES
@pytest.mark.parametrize("name", ["a.srt", "a.json"])
def test_subtitles_that_are_no_file_are_refused_at_once(
    make: Callable[[Path], None], name: str, tmp_path: Path
) -> None:
    make(tmp_path / name)
    with pytest.raises(TaskError, match=f"{name}: needed a file of subtitles, got"):
        read_cues(tmp_path / name)


@posix
@NO_FILES
@pytest.mark.parametrize(
    ("name", "file"), [("longvideobench", "lvb_val.json"), ("videomme", "test-0.parquet")]
)
def test_tasks_of_a_benchmark_that_are_no_file_are_refused_at_once(
    make: Callable[[Path], None], name: str, file: str, tmp_path: Path
) -> None:
    make(tmp_path / file)
    with pytest.raises(TaskError, match="in it, got none of them"):
        open_tasks(name, tmp_path)
    with pytest.raises(TaskError, match=rf"{file}: needed a"):
        list(read_file(tmp_path / file, ("question",)))


@posix
@NO_FILES
def test_a_video_that_is_no_file_is_refused_at_once(
    make: Callable[[Path], None], tmp_path: Path
) -> None:
    write_json(tmp_path / "lvb_val.json", [LVB])
    write_lines(
        tmp_path / "my.jsonl", {"id": "q", "video": "v.mp4", "question": "?", "answer": "x"}
    )
    make(tmp_path / "v.mp4")
    make(tmp_path / LVB["video_path"])
    for tasks in (
        open_tasks("longvideobench", tmp_path),
        open_task_set(str(tmp_path / "my.jsonl")),
    ):
        with pytest.raises(VideoError, match="needed"):
            assert tasks.open_video(tasks[0]).duration_s


# Links and paths ----------------------------------------------------------------------------------


@posix
def test_no_link_out_of_the_folder_is_followed(tmp_path: Path) -> None:
    private = write_json(
        tmp_path / "private" / "diary.json", [{"timestamp": [101, 102], "text": "secret"}]
    )
    folder = tmp_path / "from a stranger"
    write_json(folder / "lvb_val.json", [LVB, {**LVB, "video_path": "sub/b.mp4"}])
    (folder / "videos").mkdir()
    (folder / "videos" / LVB["video_path"]).symlink_to(private)
    (folder / "videos" / "sub").symlink_to(private.parent)
    write_file(private.parent / "b.mp4")
    (folder / "subtitles").mkdir()
    (folder / "subtitles" / LVB["subtitle_path"]).symlink_to(private)
    tasks = open_tasks("longvideobench", folder, subtitles=True)
    for get in (lambda: tasks[0], lambda: tasks[1], lambda: tasks.by_id(LVB["id"])):
        with pytest.raises(
            TaskError, match=f"needed a file in {folder}, got a link to {private}: "
        ):
            get()
    plain = open_tasks("longvideobench", folder)
    for index, end in ((0, private), (1, private.parent / "b.mp4")):
        with pytest.raises(VideoError, match=f"got a link to {end}: copy it, or name .* ZOOMGYM_L"):
            plain.open_video(plain[index])


@posix
def test_a_folder_of_subtitles_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    write_file(tmp_path / "private" / f"{MME['videoID']}.srt", test_videomme.SRT.encode())
    folder = tmp_path / "mme"
    write_parquet(folder / "test-0.parquet", [MME])
    (folder / "subtitle").symlink_to(tmp_path / "private")
    tasks = open_tasks("videomme", folder, subtitles=True)
    with pytest.raises(TaskError, match="got a link to"):
        tasks[0]


@posix
def test_a_file_of_tasks_that_leads_out_is_not_read(tmp_path: Path) -> None:
    outside = write_json(tmp_path / "private.json", [LVB])
    (tmp_path / "lvb").mkdir()
    (tmp_path / "lvb" / "lvb_val.json").symlink_to(outside)
    with pytest.raises(
        TaskError, match=f"lvb_val.json: needed a file in .*, got a link to {outside}"
    ):
        open_tasks("longvideobench", tmp_path / "lvb")


@posix
def test_links_that_stay_are_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Within the folder, in the cache of a hub, and to folders that the user names."""
    snapshot = tmp_path / "hub" / "datasets--lvb" / "snapshots" / "abc"
    blobs = snapshot.parent.parent / "blobs"
    write_json(
        blobs / "1", [LVB, {**LVB, "video_path": "in.mp4"}, {**LVB, "video_path": "disk.mp4"}]
    )
    write_json(blobs / "2", [{"timestamp": [101, 102], "text": "now"}])
    for name in ("videos", "subtitles", "more"):
        (snapshot / name).mkdir(parents=True)
    (snapshot / "lvb_val.json").symlink_to(Path("../../blobs/1"))
    (snapshot / "subtitles" / LVB["subtitle_path"]).symlink_to("../../../blobs/2")
    (snapshot / "videos" / LVB["video_path"]).symlink_to("../../../blobs/2")
    write_file(snapshot / "more" / "in.mp4")
    (snapshot / "videos" / "in.mp4").symlink_to("../more/in.mp4")
    write_file(tmp_path / "disk" / "disk.mp4")
    (snapshot / "videos" / "disk.mp4").symlink_to(tmp_path / "disk" / "disk.mp4")
    (tmp_path / "mine").symlink_to(snapshot)  # the folder itself is the user's to name
    tasks = open_tasks("longvideobench", tmp_path / "mine", subtitles=True)
    assert "now" in tasks[0].question
    for index in range(2):
        tasks.open_video(tasks[index])
    with pytest.raises(VideoError, match="got a link to"):
        tasks.open_video(tasks[2])
    named = os.pathsep.join([str(tmp_path / "elsewhere"), str(tmp_path / "disk")])
    monkeypatch.setenv("ZOOMGYM_LINKS", named)
    tasks.open_video(tasks[2])


@pytest.mark.parametrize(
    "path", ["../b.mp4", "a/../../b.mp4", "..", "/../b.mp4", "a/..", "x\0.mp4"]
)
def test_a_path_that_leads_out_is_a_wrong_row(path: str, tmp_path: Path) -> None:
    write_json(tmp_path / "lvb_val.json", [{**LVB, "video_path": path}])
    with pytest.raises(TaskError, match=r"row 1: a path needs to stay below the folder, got"):
        open_tasks("longvideobench", tmp_path)


def test_an_absolute_path_is_looked_for_below_the_folder(tmp_path: Path) -> None:
    secret = write_file(tmp_path / "private" / "b.mp4")
    write_json(tmp_path / "lvb" / "lvb_val.json", [{**LVB, "video_path": str(secret)}])
    tasks = open_tasks("longvideobench", tmp_path / "lvb")
    with pytest.raises(VideoError, match="got no such file"):
        tasks.open_video(tasks[0])


def test_a_manifest_may_name_any_file_since_it_is_the_users_own(tmp_path: Path) -> None:
    video = write_file(tmp_path / "far" / "b.mp4")
    row = {"id": "q", "video": str(video), "question": "?", "answer": "x"}
    path = write_lines(
        tmp_path / "near" / "my.jsonl", row, {**row, "id": "p", "video": "../far/b.mp4"}
    )
    tasks = open_task_set(str(path))
    for index in range(2):
        with pytest.raises(VideoError, match=r"far.b\.mp4: cannot open it"):
            assert tasks.open_video(tasks[index]).duration_s


# Bombs --------------------------------------------------------------------------------------------


def put_hole(path: Path, start: bytes) -> Path:
    """Writes a file of 8 GB that takes no room on the disk."""
    path.write_bytes(start)
    os.truncate(path, 8_000 * MB)
    return path


def peak_mb(call: Callable[[], object], message: str) -> float:
    tracemalloc.start()
    try:
        with pytest.raises(TaskError, match=message):
            call()
        return tracemalloc.get_traced_memory()[1] / MB
    finally:
        tracemalloc.stop()


@linux
@pytest.mark.parametrize(
    ("name", "start", "message"),
    [
        ("my.jsonl", b"", "my.jsonl:1: needed a line of at most 4000000 characters"),
        ("my.jsonl", b'{"id": "', "my.jsonl:1: needed a line of at most 4000000 characters"),
        ("my.json", b"", "my.json:1: needed a line of at most 4000000 characters"),
        (
            "my.json",
            b'[{"id": "',
            "needed a JSON list of objects, got .* more than 4000000 characters",
        ),
        ("my.json", b"[", "needed a JSON list of objects, got Expecting value"),
    ],
)
def test_a_row_of_gigabytes_is_refused_unread(
    name: str, start: bytes, message: str, tmp_path: Path
) -> None:
    path = put_hole(tmp_path / name, start)
    assert peak_mb(lambda: open_task_set(str(path)), message) < 12 * MAX_ROW_CHARS / MB


@linux
def test_subtitles_of_gigabytes_are_refused_unread(tmp_path: Path) -> None:
    path = put_hole(tmp_path / "a.srt", b"")
    assert (
        peak_mb(
            lambda: read_cues(path), "a.srt: needed a file of subtitles, got .*more than 10000000"
        )
        < 30
    )


@pytest.mark.slow
def test_a_row_that_is_all_brackets_takes_a_bounded_multiple_of_its_text(tmp_path: Path) -> None:
    path = tmp_path / "my.json"
    path.write_bytes(b"[[" + b"[]," * MAX_ROW_CHARS)
    lists, text = 2 * MAX_ROW_CHARS / 3, 10 * MAX_ROW_CHARS  # two rows are at hand; 80 bytes a list
    at_most = (80 * lists + text) / MB
    assert peak_mb(lambda: open_task_set(str(path)), "more than 4000000 characters") < at_most


@pytest.mark.slow
def test_a_list_is_read_row_by_row(tmp_path: Path) -> None:
    rows = [{"id": f"q{k}", "pad": "x" * 1000} for k in range(12 * MAX_ROW_CHARS // 1000)]
    path = write_json(tmp_path / "my.json", rows)
    tracemalloc.start()
    ids = [row.fields["id"] for row in read_file(path)]
    peak = tracemalloc.get_traced_memory()[1] / MB
    tracemalloc.stop()
    assert ids == [row["id"] for row in rows]
    assert peak < 10 * MAX_ROW_CHARS / MB  # the text before and after it is filled up; all is 50


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[1, 2", "got '' where ']' is needed in row 2"),
        ("[1 2]", "got '2' where ']' is needed in row 1"),
        ("[1,]", "got Expecting value in row 2"),
        ("[,]", "got Expecting value in row 1"),
        ("[1] 2", "got '2' after the end in row 1"),
        ("[{'a': 1}]", "got Expecting property name enclosed in double quotes in row 1"),
        ("[" + "9" * 5000 + "]", "got Exceeds the limit .* in row 1"),
    ],
)
def test_a_list_that_is_no_json_is_named_with_its_row(
    text: str, message: str, tmp_path: Path
) -> None:
    path = write_file(tmp_path / "my.json", text.encode())
    with pytest.raises(TaskError, match=rf"my\.json: needed a JSON list of objects, {message}"):
        list(read_file(path))


@pytest.mark.parametrize(
    "text", ["[]", " \n[ ]\r\n", '\ufeff[{} ,\n{"a":1}]', "[" + "{}," * 9 + "{}]"]
)
def test_lists_are_read_as_json_says(text: str, tmp_path: Path) -> None:
    path = write_file(tmp_path / "my.json", text.encode())
    numbers = [int(row.where.rpartition(" ")[2]) for row in read_file(path)]
    assert numbers == list(range(1, text.count("{") + 1))


def test_bytes_that_are_no_text_are_counted_from_the_first(tmp_path: Path) -> None:
    start = b'{"a": 1}\n' * 5000
    for name in ("my.jsonl", "my.json"):
        path = write_file(tmp_path / name, (b"[" if name == "my.json" else b"") + start + b"\xff")
        place = path.read_bytes().index(b"\xff")
        with pytest.raises(TaskError, match=f"no utf-8, from byte {place} on"):
            list(read_file(path))


def bombs(folder: Path) -> dict[str, Path]:
    """Writes parquet files of a few kB that mean hundreds of MB."""
    pa, pq = importlib.import_module("pyarrow"), importlib.import_module("pyarrow.parquet")
    row = {key: pa.array([value] * 1000) for key, value in MME.items()}
    single = {key: pa.array([value]) for key, value in MME.items()}
    nulls = 30 * MB

    def write(name: str, columns: dict[str, Any], **options: Any) -> Path:
        path = folder / name / "test-0.parquet"
        path.parent.mkdir()
        pq.write_table(pa.table(columns), path, compression="zstd", **options)
        return path

    return {
        "dictionary": write("dictionary", {**row, "question": repeated("q" * 2 * MB, 1000)}),
        "rows": write("rows", {"question": pa.nulls(5 * MB, pa.string())}),
        "list": write(
            "list",
            {
                **single,
                "options": pa.ListArray.from_arrays([0, nulls], pa.nulls(nulls, pa.int8())),
            },
        ),
        "prefixes": write(
            "prefixes",
            {**row, "question": pa.array(["q" * 90_000] * 1000)},
            use_dictionary=False,
            column_encoding={"question": "DELTA_BYTE_ARRAY"},
        ),
        "page": write(
            "page", {**single, "question": pa.array(["q" * 150 * MB])}, use_dictionary=False
        ),
    }


def repeated(text: str, times: int) -> Any:
    """Returns a column that says a text many times and holds it once."""
    pa = importlib.import_module("pyarrow")
    return pa.DictionaryArray.from_arrays(pa.array([0] * times, pa.int32()), pa.array([text]))


PEAKS = """
import json, resource, sys
from pathlib import Path
from zoomgym import TaskError
from zoomgym.tasks.datasets.parquet import MAX_BYTES, read_parquet

path, columns, max_bytes = sys.argv[1:]
try:
    for row in read_parquet(Path(path), json.loads(columns), int(max_bytes) or MAX_BYTES):
        pass
except TaskError as error:
    print(error)
[own] = [line for line in open("/proc/self/status") if line.startswith("VmHWM")]
print(int(own.split()[1]) // 1000, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1000)
"""


def read_apart(path: Path, max_bytes: int = 0) -> tuple[str, list[int]]:
    """Returns what reading a file says, and the most MB that it and its process took."""
    done = subprocess.run(
        [sys.executable, "-c", PEAKS, str(path), json.dumps(list(MME)), str(max_bytes)],
        check=True,
        capture_output=True,
        text=True,
    )
    *said, peaks = done.stdout.splitlines()
    return "\n".join(said), [int(peak) for peak in peaks.split()]


@pytest.mark.long
@linux
def test_a_parquet_file_of_a_few_kilobytes_takes_no_gigabytes(tmp_path: Path) -> None:
    pa, pq = importlib.import_module("pyarrow"), importlib.import_module("pyarrow.parquet")
    columns = {key: pa.array([value] * 1000) for key, value in MME.items()}
    columns["question"] = repeated("q" * 9 * MB, 1000)
    path = tmp_path / "test-0.parquet"
    pq.write_table(pa.table(columns), path, compression="zstd")
    assert path.stat().st_size < 5000
    said, peaks = read_apart(path)
    assert said == (
        f"{path}: needed a parquet file, got values that take more than 536870912 bytes of memory"
    )
    assert max(peaks) < MOST_MB


@linux
@pytest.mark.slow
def test_no_kind_of_parquet_bomb_takes_more_memory_than_the_bound(tmp_path: Path) -> None:
    said = {}
    for name, path in bombs(tmp_path).items():
        text, peaks = read_apart(path, 64 * MB)
        said[name] = text.removeprefix(f"{path}: needed a parquet file, got ")
        assert max(peaks) < MOST_MB - (parquet.MAX_BYTES - 64 * MB) / MB, name
    too_much = "values that take more than 64000000 bytes of memory"
    rows = said.pop("rows")
    assert rows.startswith("5000000 rows in ")
    assert said == {
        "dictionary": too_much,
        "list": too_much,
        "prefixes": "rows of more text than such a file can say",
        "page": too_much,
    }


@pytest.mark.parametrize("num_rows", [100, 10_000])
def test_more_rows_than_bytes_are_no_tasks(num_rows: int, tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "test-0.parquet", [{**MME, "question": "?"}] * num_rows)
    num_bytes = path.stat().st_size
    if num_rows < num_bytes:
        assert len(open_tasks("videomme", tmp_path)) == num_rows
        return
    with pytest.raises(TaskError, match=f"got {num_rows} rows in {num_bytes} bytes"):
        open_tasks("videomme", tmp_path)


def test_columns_that_nobody_asks_for_are_not_read(tmp_path: Path) -> None:
    pa, pq = importlib.import_module("pyarrow"), importlib.import_module("pyarrow.parquet")
    row = {key: pa.array([value] * 900) for key, value in MME.items()}
    row["thoughts"] = repeated("q" * 9 * MB, 900)
    pq.write_table(pa.table(row), tmp_path / "test-0.parquet")
    assert len(open_tasks("videomme", tmp_path)) == 900


class Asked(dict[str, Any]):
    """A row that notes what it is asked for."""

    def __init__(self, fields: dict[str, Any]) -> None:
        super().__init__(fields)
        self.keys_asked: set[str] = set()

    def get(self, key: str, default: Any = None) -> Any:
        self.keys_asked.add(key)
        return super().get(key, default)


@pytest.mark.parametrize(
    "name",
    [name for name, one in BENCHMARKS.items() if one.columns and name != "videozoomer_rl"],
)
def test_every_column_that_a_row_is_asked_for_is_read(name: str) -> None:
    layout = BENCHMARKS[name]
    for row in ROWS[name]:
        fields = Asked({**row, **GIVEN.get(name, {})})
        layout.to_task(Row("a.parquet row 1", fields))
        if layout.to_subtitles:
            layout.to_subtitles(Row("a.parquet row 1", fields))
        given = GIVEN.get(name, {}).keys()
        # LVBench's rows are made of a video and one of its questions
        known = {*layout.columns.split(", "), *given, *(row if name == "lvbench" else ())}
        assert fields.keys_asked <= known


def test_a_value_that_is_no_text_in_parquet_is_none_here(tmp_path: Path) -> None:
    pa, pq = importlib.import_module("pyarrow"), importlib.import_module("pyarrow.parquet")
    columns = {key: pa.array([value]) for key, value in MME.items()}
    columns["answer"] = pa.array([0], pa.timestamp("s"))
    pq.write_table(pa.table(columns), tmp_path / "test-0.parquet")
    with pytest.raises(
        TaskError, match=r"row 1: answer needs a text, got .'a value of the kind': 'dat"
    ):
        open_tasks("videomme", tmp_path)


def test_a_process_that_dies_is_a_file_that_cannot_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_parquet(tmp_path / "test-0.parquet", [MME])
    for end in ("os.abort()", "print('row {', flush=True); os.abort()", "os._exit(0)"):
        worker = write_file(tmp_path / "worker.py", f"import os; {end}".encode())
        monkeypatch.setattr(parquet, "WORKER", worker)
        with pytest.raises(TaskError, match=r"test-0\.parquet: needed a parquet file, got "):
            all_tasks(open_tasks("videomme", tmp_path))
    assert path.exists()


# Options ------------------------------------------------------------------------------------------


def test_more_options_than_letters_are_refused_before_they_are_compared() -> None:
    many = [""] * 1_000_000
    for read in (tell_apart, letter_options):
        with pytest.raises(TaskError, match="options need 2 to 26 choices, got 1000000"):
            read(many)


@pytest.mark.parametrize("blanks", [" " * 90_000, "\t" * 90_000, "options " * 10_000])
def test_blanks_before_options_cost_linear_time(blanks: str) -> None:
    question, options = split_options(f"Which options{blanks}x\nA. a\nB. b")
    assert (question, options) == (f"Which options{blanks}x", ("a", "b"))
    assert split_options(f"Which?{blanks}\nOptions : \nA. a\nB. b")[0] == f"Which?{blanks}".strip()


@pytest.mark.parametrize("name", BENCHMARKS)
def test_what_is_said_of_a_long_text_is_short(name: str) -> None:
    layout = BENCHMARKS[name]
    for row in ROWS[name]:
        for key in row:
            for value in (
                "x" * 99_999,
                " " * 99_999,
                "\n" * 99_999,
                ["x" * 99_999] * 5,
                {"x" * 9999: 1},
            ):
                try:
                    layout.to_task(Row("r", {**row, **GIVEN.get(name, {}), key: value}))
                except TaskError as error:
                    said = str(error)
                    assert len(said) < 2000, said[:200]
