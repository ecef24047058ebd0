"""What is said of a missing file, folder or name tells what is there."""

from pathlib import Path

import pytest

from zoomgym.cli import main
from zoomgym.io.hints import did_you_mean, file_in, in_words, no_folder, unreadable


def message_of(path: Path) -> str:
    """Returns what is said of a path after an attempt to read it as text."""
    try:
        path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        return unreadable(path, "a records file", error, (".jsonl",))
    raise AssertionError(path)


def test_a_missing_file_is_said_to_be_missing_and_a_near_one_is_named(tmp_path: Path) -> None:
    path = tmp_path / "record.jsonl"
    needed = f"{path}: needed a records file, but"
    assert message_of(path) == f"{needed} there is no such file: check its name"
    (tmp_path / "records.jsonl").touch()
    assert message_of(path) == f"{needed} there is no such file: did you mean 'records.jsonl'?"


def test_the_first_folder_that_is_missing_is_named(tmp_path: Path) -> None:
    (tmp_path / "results").mkdir()
    path = tmp_path / "result" / "quick" / "records.jsonl"
    assert message_of(path) == (
        f"{path}: needed a records file, but there is no folder {tmp_path / 'result'}: "
        "did you mean 'results'?"
    )


def test_a_folder_in_place_of_a_file_is_told_with_a_file_in_it(tmp_path: Path) -> None:
    needed = f"{tmp_path}: needed a records file, got a folder: name a file in it"
    assert message_of(tmp_path) == needed
    for name in ("b.jsonl", "a.jsonl", "a.html"):
        (tmp_path / name).touch()
    assert message_of(tmp_path) == f"{needed}, like {tmp_path / 'a.jsonl'}"
    assert file_in(tmp_path, (".csv",)) is None


def test_bytes_that_are_no_text_are_told_with_their_place(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"{}\n\xff")
    assert message_of(path).endswith(
        "a.jsonl: needed a records file, got bytes that are no utf-8, from byte 3 on: "
        "is it a text file?"
    )


def test_a_file_in_place_of_a_folder_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a"
    assert no_folder(path, "the folder of it").endswith(
        "but there is no such folder: check its name"
    )
    path.touch()
    assert no_folder(path, "the folder of it") == f"{path}: needed the folder of it, got a file"


@pytest.mark.parametrize("name", ["x" * 5000, "a\0b", "\ud800"])
def test_names_that_no_file_can_have_are_told_too(name: str, tmp_path: Path) -> None:
    assert "needed a records file" in message_of(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("blnd", ": did you mean 'blind'?"),
        ("coarse-to-fine", ": did you mean 'coarse_to_fine'?"),
        ("nothing", ": check its name"),
        ("", ": check its name"),
    ],
)
def test_a_name_is_compared_with_those_that_are_known(name: str, hint: str) -> None:
    assert did_you_mean(name, ["blind", "glance", "coarse_to_fine"]) == hint


@pytest.mark.parametrize(
    ("act", "said"),
    [
        (lambda path: (path / "no").read_text(), "no: there is no such file: check its name"),
        (lambda path: (path / "no" / "x").mkdir(), "x: there is no folder {0}/no: check its name"),
        (
            lambda path: (path / "file").mkdir(),
            "file: needed a folder, got a file there: choose another name",
        ),
        (lambda path: (path / "file").rmdir(), "got a file there: choose another name"),
        (lambda path: int("x"), "invalid literal for int() with base 10: 'x'"),
    ],
)
def test_errors_of_the_system_are_told_in_words(act: object, said: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises((OSError, ValueError)) as caught:
        act(tmp_path)  # type: ignore[operator]
    assert in_words(caught.value).endswith(said.format(tmp_path))
    assert "Errno" not in in_words(caught.value)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("check nothing.jsonl", "nothing.jsonl: needed a file of tasks, but there is no such file"),
        ("check manifes.jsonl", "there is no such file: did you mean 'manifest.jsonl'?"),
        ("check .", "got the folder .: name its manifest, manifest.jsonl, or a benchmark, like"),
        ("check empty", "got the folder empty: name a manifest in it, or a benchmark, like"),
        ("check synthetic", "synthetic has no files to check, it is made from a seed: name a"),
        ("check synthetic:flash", "synthetic:flash has no files to check"),
        ("check videome:empty", "got 'videome:empty': did you mean 'videomme:empty'?"),
        ("check videomme:no", "no: needed the folder that holds the files, but there is no such"),
        ("tasks flash", "got 'flash': did you mean 'synthetic:flash'?"),
        ("tasks syntetic:flash", "got 'syntetic:flash': did you mean 'synthetic:flash'?"),
        ("play --tasks no.jsonl", "no.jsonl: needed a file of tasks, but there is no such file"),
        ("play --video manifest.mp4", "manifest.mp4: needed a video file, but there is no such"),
        ("play --out manifest.jsonl", "manifest.jsonl: needed a folder, got a file there"),
        ("synth manifest.jsonl", "manifest.jsonl: needed a folder, got a file there"),
        ("grade . --judge-url http://x --model y", "got a folder: name a file in it, like man"),
    ],
)
def test_a_command_says_what_is_missing(
    arguments: str,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("manifest.jsonl").touch()
    Path("empty").mkdir()
    assert main(arguments.split()) == 1
    shown = capsys.readouterr()
    assert said in shown.err
    assert "Errno" not in shown.err
    assert shown.err.count("\n") == 1
