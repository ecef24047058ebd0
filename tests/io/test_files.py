"""Files in folders that others can write to: no link is followed, no pipe is waited for."""

import os
from pathlib import Path

import pytest

from zoomgym.io.files import open_named, open_own, replaced


def test_a_named_file_is_read_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"abc")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    with open_named(tmp_path / "link") as file:
        assert file.read() == b"abc"


@pytest.mark.parametrize("open_it", [open_named, lambda path: open_own(path, "ab")])
def test_a_pipe_is_refused_at_once(tmp_path: Path, open_it: object) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match=r"no regular file|No such device"):
        open_it(tmp_path / "pipe")  # type: ignore[operator]


def test_what_never_ends_is_refused() -> None:
    with pytest.raises(OSError, match="no regular file: name one: '/dev/zero'"):
        open_named(Path("/dev/zero"))


@pytest.mark.parametrize("mode", ["rb", "ab", "r+b"])
def test_a_file_of_ours_is_never_behind_a_link(tmp_path: Path, mode: str) -> None:
    (tmp_path / "private").write_bytes(b"abc")
    (tmp_path / "link").symlink_to(tmp_path / "private")
    (tmp_path / "dangling").symlink_to(tmp_path / "new")
    for name in ("link", "dangling"):
        with pytest.raises(OSError, match="a symbolic link: put the file itself there"):
            open_own(tmp_path / name, mode)
    assert (tmp_path / "private").read_bytes() == b"abc"
    assert not (tmp_path / "new").exists()


def test_a_device_is_not_replaced() -> None:
    ends = os.openpty()  # a terminal, not /dev/null: others would miss that
    try:
        with (
            pytest.raises(OSError, match="a device: name a file"),
            replaced(Path(os.ttyname(ends[1]))),
        ):
            pass
    finally:
        for end in ends:
            os.close(end)


def test_a_file_is_replaced_as_a_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def half() -> None:
        with replaced(path) as file:
            file.write(b"ne")
            assert path.read_bytes() == b"old"
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        half()
    assert {one.name: one.read_bytes() for one in tmp_path.iterdir()} == {"file": b"old"}
    with replaced(path) as file:
        file.write(b"new")
    assert {one.name: one.read_bytes() for one in tmp_path.iterdir()} == {"file": b"new"}


def test_a_replaced_file_takes_the_place_of_a_link_and_has_ordinary_permissions(
    tmp_path: Path,
) -> None:
    (tmp_path / "private").write_bytes(b"abc")
    (tmp_path / "link").symlink_to(tmp_path / "private")
    with replaced(tmp_path / "link") as file:
        file.write(b"new")
    assert (tmp_path / "private").read_bytes() == b"abc"
    assert not (tmp_path / "link").is_symlink()
    modes = {(tmp_path / name).stat().st_mode for name in ("link", "private")}
    assert len(modes) == 1
