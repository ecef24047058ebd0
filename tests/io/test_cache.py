import os
import time
from pathlib import Path

import pytest

from zoomgym.errors import TaskError
from zoomgym.io.cache import cache_folder, cached_file, written_file


def test_an_argument_or_the_variable_names_the_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZOOMGYM_CACHE", "/somewhere")
    assert cache_folder("judge") == Path("/somewhere/judge")
    assert cache_folder("judge", "/mine") == Path("/mine/judge")
    monkeypatch.delenv("ZOOMGYM_CACHE")
    assert cache_folder("judge").parent.name == "zoomgym"


def test_a_file_is_made_once(tmp_path: Path) -> None:
    made = []

    def make(part: Path) -> None:
        made.append(part)
        part.write_bytes(b"x")

    for _ in range(2):
        assert cached_file(tmp_path / "in" / "a.mp4", make).read_bytes() == b"x"
    assert len(made) == 1
    assert made[0].parent == tmp_path / "in"  # beside its place, so that it is moved atomically
    assert made[0].suffix == ".mp4"


def test_using_a_file_does_not_make_it_another_one(tmp_path: Path) -> None:
    path = cached_file(tmp_path / "a.mp4", lambda part: None)
    os.utime(path, (1000, 1000))
    cached_file(path, lambda part: None)
    assert path.stat().st_mtime == 1000
    assert path.stat().st_atime > 1000


def test_a_file_is_told_to_be_used_once_a_day_as_that_makes_it_another_one(tmp_path: Path) -> None:
    path = cached_file(tmp_path / "a.mp4", lambda part: None)
    yesterday_s = int(time.time()) - 90_000
    os.utime(path, (yesterday_s, 1000))
    changed_ns = path.stat().st_ctime_ns
    cached_file(path, lambda part: None)
    touched = path.stat()
    assert touched.st_ctime_ns > changed_ns
    assert touched.st_atime > yesterday_s + 80_000
    cached_file(path, lambda part: None)
    assert path.stat().st_ctime_ns == touched.st_ctime_ns


def test_a_file_that_is_not_the_right_one_is_made_again(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(b"wrong")
    (tmp_path / "link.mp4").symlink_to(path)

    def is_right(path: Path) -> bool:
        return path.read_bytes() == b"right"

    for name in ("a.mp4", "link.mp4"):
        cached_file(
            tmp_path / name, lambda part: part.write_bytes(b"right") and None, is_right=is_right
        )
        assert not (tmp_path / name).is_symlink()
        assert (tmp_path / name).read_bytes() == b"right"


def test_an_interrupted_make_leaves_nothing_behind(tmp_path: Path) -> None:
    def make(part: Path) -> None:
        part.write_bytes(b"half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        written_file(tmp_path / "a.mp4", make)
    assert list(tmp_path.iterdir()) == []


def test_the_files_used_longest_ago_go_first(tmp_path: Path) -> None:
    for age, name in enumerate(("new.mp4", "used.mp4", "old.mp4", "other.txt")):
        (tmp_path / name).write_bytes(bytes(10))
        os.utime(tmp_path / name, (1000 - age, 1000 - age))
    cached_file(tmp_path / "used.mp4", lambda part: None)
    cached_file(tmp_path / "made.mp4", lambda part: part.write_bytes(bytes(10)) and None, 30)
    assert {path.name for path in tmp_path.iterdir()} == {
        "new.mp4",
        "used.mp4",
        "made.mp4",
        "other.txt",
    }


def test_what_a_killed_process_left_behind_is_removed_a_day_later(tmp_path: Path) -> None:
    for name, age_s in ((".part-1-old.mp4", 100_000), (".part-2-new.mp4", 1000)):
        (tmp_path / name).write_bytes(b"half")
        then = time.time() - age_s
        os.utime(tmp_path / name, (then, then))
    cached_file(tmp_path / "made.mp4", lambda part: None)
    assert {path.name for path in tmp_path.iterdir()} == {".part-2-new.mp4", "made.mp4"}


def test_a_folder_that_cannot_be_written_to_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(TaskError, match=r"file: needed a folder .* cache_dir or ZOOMGYM_CACHE"):
        written_file(tmp_path / "file" / "a.mp4", lambda part: None)


def test_a_file_larger_than_the_bound_is_kept_alone(tmp_path: Path) -> None:
    (tmp_path / "old.mp4").write_bytes(bytes(10))
    cached_file(tmp_path / "big.mp4", lambda part: part.write_bytes(bytes(100)) and None, 50)
    assert [path.name for path in tmp_path.iterdir()] == ["big.mp4"]


def test_a_written_file_has_ordinary_permissions(tmp_path: Path) -> None:
    (tmp_path / "plain").write_bytes(b"")
    path = written_file(tmp_path / "a.mp4", lambda part: None)
    assert path.stat().st_mode == (tmp_path / "plain").stat().st_mode
