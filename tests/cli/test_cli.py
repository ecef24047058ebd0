"""The command `zoomgym`, as a person uses it."""

import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest

from benchmarks.speed.decoding.awkward.clips import write
from tests.clips import first_video
from zoomgym import ZoomEnv
from zoomgym.cli import main
from zoomgym.cli.play import HELP, play, to_reply
from zoomgym.tasks.datasets import ManifestTasks, write_manifest
from zoomgym.tasks.synthetic import SyntheticTasks
from zoomgym.video import VideoFile


@pytest.mark.parametrize(
    ("line", "reply"),
    [
        ("zoom 4 6 8", '{"segment": [4.0, 6.0], "fps": 8.0}'),
        ("zoom  4   6 .5", '{"segment": [4.0, 6.0], "fps": 0.5}'),
        ("answer B", '{"answer": "B"}'),
        ('answer "two words"', '{"answer": "\\"two words\\""}'),
        ('{"answer": 5}', '{"answer": 5}'),
        ("zoom 4 6", None),
        ("zoom a b c", None),
        ("zoom nan 2 3", None),
        ("answer ", None),
        ("B", None),
        ("", None),
        ("help", None),
    ],
)
def test_a_typed_line_becomes_a_reply_or_help(line: str, reply: str | None) -> None:
    assert to_reply(line) == reply


def typed(*lines: str) -> Iterator[str]:
    yield from lines


def played(folder: Path, *lines: str, is_graded: bool = True) -> tuple[ZoomEnv, str]:
    """Plays a task that is known, and returns the environment and all that was said."""
    env = ZoomEnv("synthetic:flash", source="scene", max_pixels=1024, frame_size=(8, 8))
    said: list[str] = []
    script = typed(*lines)

    def ask(prompt: str) -> str:
        try:
            return next(script)
        except StopIteration:
            raise EOFError from None

    play(
        env, folder, task_id="flash-easy-60s-train-00000", seed=1, is_graded=is_graded,
        ask=ask, say=said.append,
    )  # fmt: skip
    return env, "\n".join(said)


def test_a_person_plays_an_episode_and_gets_its_pictures(tmp_path: Path) -> None:
    truth = SyntheticTasks(("flash",), "train", 60, "easy", "scene")[0].truth
    env, said = played(tmp_path, "what?", "zoom 4 6 8", f"answer {truth}")
    assert env.episode.end_reason == "answered"
    assert said.count(HELP) == 2  # at the start, and after the line that meant nothing
    assert "Zoom 1: 16 frames of [4.00, 6.00) s at 8 fps." in said
    assert said.endswith("right")
    assert len(list((tmp_path / "overview").iterdir())) == 64
    clip_names = sorted(path.name for path in (tmp_path / "zoom1").iterdir())
    assert (clip_names[0], clip_names[-1]) == ("000_4.00s.png", "015_5.88s.png")
    assert {path.name for path in tmp_path.glob("*.png")} == {
        "turn0.png", "turn1.png", "turn2.png",
    }  # fmt: skip


def test_a_wrong_answer_is_told_the_right_one(tmp_path: Path) -> None:
    _, said = played(tmp_path, "answer nothing")
    truth = SyntheticTasks(("flash",), "train", 60, "easy", "scene")[0].truth
    assert said.endswith(f"wrong: it is {truth}")


@pytest.mark.parametrize("lines", [("quit",), ()])
def test_a_person_can_stop_at_any_time(tmp_path: Path, lines: tuple[str, ...]) -> None:
    env, said = played(tmp_path, *lines)
    assert said.endswith("stopped")
    assert not env.episode.is_over


@pytest.mark.long
def test_play_takes_a_file_and_a_question_of_ones_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clip = tmp_path / "clip.mp4"
    write(clip)  # 4 s of small pictures, each of which is saved
    lines = typed("zoom 1 2 4", "answer B")
    monkeypatch.setattr("builtins.input", lambda prompt: next(lines))
    arguments = [
        "--video",
        str(clip),
        "--question",
        "What is it?",
        "--option",
        "x",
        "--option",
        "y",
    ]
    assert main(["play", *arguments, "--out", str(tmp_path / "first")]) == 0
    printed = capsys.readouterr().out
    assert "What is it?" in printed
    assert "your answer: B (no --answer was given to grade it by)" in printed
    assert "True:" not in printed
    lines = typed("answer B")
    assert main(["play", *arguments, "--answer", "y", "--out", str(tmp_path / "second")]) == 0
    assert capsys.readouterr().out.endswith("right\n")


@pytest.mark.long
def test_play_shows_the_overview_that_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("builtins.input", lambda prompt: "quit")
    arguments = ["play", "--tasks", "synthetic:flash", "--seed", "1", "--duration", "30"]
    arguments += ["--cache-dir", str(tmp_path / "cache"), "--num-overview", "3"]
    out = tmp_path / "out"
    assert main([*arguments, "--overview", "random", "--out", str(out)]) == 0
    names = sorted(path.name for path in (out / "overview").iterdir())
    assert len(names) == 3
    assert names[0] != "000_0.00s.png"
    assert main([*arguments, "0", "--seed", "2", "--out", str(tmp_path / "other")]) == 0
    assert len(list((tmp_path / "other" / "overview").iterdir())) in (0, 3)
    assert main([*arguments, "--overview", "chagne"]) == 1
    assert "got 'chagne': did you mean 'change'?" in capsys.readouterr().err


def test_play_offers_the_tools_that_a_family_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = typed('{"transcript": [0, 60]}', "quit")
    monkeypatch.setattr("builtins.input", lambda prompt: next(lines))
    arguments = ["play", "--tasks", "synthetic:spoken", "--seed", "1", "--out", str(tmp_path)]
    assert main(arguments) == 1
    assert "give tools=['zoom', 'transcript']" in capsys.readouterr().err
    arguments += ["--source", "scene", "--num-overview", "4", "--tools", "zoom", "transcript"]
    assert main(arguments) == 0
    assert "Said in [0.00, 60.00) s:" in capsys.readouterr().out


def test_play_of_a_file_that_is_no_video_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "no.mp4").write_text("text")
    assert main(["play", "--video", str(tmp_path / "no.mp4")]) == 1
    assert "no.mp4" in capsys.readouterr().err


@pytest.mark.usefixtures("short_videos")
def test_synth_writes_videos_and_a_manifest_that_check_accepts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    arguments = ["synth", str(out), "--family", "flash", "--num", "2", "--duration", "8"]
    assert main(arguments) == 0
    tasks = ManifestTasks(out / "manifest.jsonl")
    assert [task.answer for task in (tasks[0], tasks[1])] == [
        SyntheticTasks(("flash",), "train", 8, "easy", "scene")[i].answer for i in range(2)
    ]
    with VideoFile(out / tasks[0].video) as video:
        assert video.duration_s == 8.0
    capsys.readouterr()
    assert main(["check", str(out / "manifest.jsonl")]) == 0
    assert capsys.readouterr().out == "2 rows, 0 with problems\n"
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*.mp4")}
    assert main(arguments) == 0  # again: nothing is written twice
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*.mp4")} == before


def test_commands_that_open_videos_take_limits(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tasks = SyntheticTasks(("overview",), "train", 30, "easy", "file")
    video = first_video(tasks, tmp_path)
    manifest = str(tmp_path / "my.jsonl")
    write_manifest(Path(manifest), [replace(tasks[0], video=video.name)])
    few, many = '{"call_s": 1e-06}', '{"call_s": 100, "wait_s": 1e3}'
    capsys.readouterr()
    assert main(["check", manifest, "--limits", few]) == 1
    assert "within 1e-06 s of processor time" in capsys.readouterr().out
    assert main(["check", manifest, "--limits", many]) == 0
    assert main(["tasks", manifest, "--durations", "--limits", few]) == 1
    assert "within 1e-06 s of processor time" in capsys.readouterr().err
    assert main(["play", "--tasks", manifest, "--limits", few]) == 1
    assert "within 1e-06 s of processor time" in capsys.readouterr().err
    assert main(["play", "--video", str(video), "--limits", few]) == 1
    assert "within 1e-06 s of processor time" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["check", manifest, "--limits", '{"seconds": 3}'])
    assert "--limits: limits need a mapping from names" in capsys.readouterr().err


@pytest.mark.parametrize(
    "row",
    [
        {"video": "\ud800\x1b[31m.mp4"},
        {"video": ["x"] * 10_000},
        {"options": list(range(10_000))},
        {"evidence": [[1]] * 10_000},
        {"labels": [["x"]] * 10_000},
        {"id": "x" * 10_000, "options": []},
        {f"key {number}": 1 for number in range(10_000)},
    ],
)
def test_check_shows_hostile_rows_in_short_lines(
    tmp_path: Path, row: dict[str, object], capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [{"id": "q", "video": "no.mp4", "question": "?", "answer": "x", **row}] * 2
    lines = "".join(f"{json.dumps(row)}\n" for row in rows)
    (tmp_path / "m.jsonl").write_text(lines, encoding="utf-8")
    assert main(["check", str(tmp_path / "m.jsonl")]) == 1
    printed = capsys.readouterr().out
    assert max(map(len, printed.splitlines())) < 1000
    assert printed.replace("\n", "").isprintable()


def test_the_lengths_of_synthetic_videos_are_listed_without_writing_any(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ZOOMGYM_CACHE", str(tmp_path))
    monkeypatch.setattr("zoomgym.tasks.synthetic.task_set.TASKS_PER_SPLIT", 3)
    assert main(["tasks", "synthetic:flash", "--durations"]) == 0
    assert "video seconds  60.0 to 60.0, median 60.0, sum 180.0" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []


def test_wrong_arguments_end_with_a_message(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["synth", str(tmp_path), "--duration", "5"]) == 1
    assert "duration_s needs 30 to 36000 seconds, got 5.0" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main([])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["play", "--video", "a.mp4", "--tasks", "synthetic"], "--tasks does not go with --video"),
        (["play", "--option", "x"], "--option goes with --video"),
        (["synth", "/dev/null/x"], "/dev/null"),
        (["play", "--cache-dir", "/dev/null/x"], "by cache_dir or ZOOMGYM_CACHE"),
    ],
)
def test_what_cannot_be_done_ends_with_one_line(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 1
    said = capsys.readouterr().err
    assert message in said
    assert said.startswith("zoomgym: ")
    assert said.count("\n") == 1


@pytest.mark.parametrize("arguments", [["play", "--seed", "-1"], ["synth", "x", "--num", "-3"]])
def test_a_number_below_zero_is_refused(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(arguments)
    assert "needed a whole number from 0 on, got '-" in capsys.readouterr().err


@pytest.mark.usefixtures("short_videos")
def test_a_difficulty_may_be_settings_in_json(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = '{"preset": "hard", "symbols": 6, "num_decoys": 1}'
    wanted = ["--family", "flash", "--num", "1", "--duration", "8"]
    hard, medium = tmp_path / "hard", tmp_path / "medium"
    assert main(["synth", str(hard), *wanted, "--difficulty", given]) == 0
    tasks = SyntheticTasks(("flash",), "train", 8, json.loads(given), "scene")
    assert ManifestTasks(hard / "manifest.jsonl")[0].id == tasks[0].id
    assert tasks[0].id.startswith("flash-hard_")
    assert main(["synth", str(medium), *wanted, "--difficulty", '{"preset": "medium"}']) == 0
    assert ManifestTasks(medium / "manifest.jsonl")[0].id == "flash-medium-8s-train-00000"


@pytest.mark.usefixtures("short_videos")
def test_synth_writes_into_no_folder_with_other_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["synth", str(tmp_path), "--family", "flash", "--duration", "8"]
    assert main([*arguments, "--num", "1"]) == 0
    [video] = tmp_path.glob("videos/*")
    (tmp_path / "manifest.jsonl").unlink()  # as if it had been killed
    (tmp_path / "videos" / ".part-7-ab.mp4").touch()
    assert main([*arguments, "--num", "2"]) == 0  # more of the same: it goes on
    before = sorted(tmp_path.rglob("*"))
    capsys.readouterr()
    assert main([*arguments, "--num", "1"]) == 1
    assert "needed a new or empty folder, got one that holds videos/" in capsys.readouterr().err
    assert main([*arguments, "--num", "2", "--split", "test"]) == 1
    assert sorted(tmp_path.rglob("*")) == before
    assert video in before


def test_play_saves_into_no_folder_with_other_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "overview").mkdir()
    (tmp_path / "overview" / "000_0.00s.png").touch()
    assert main(["play", "--out", str(tmp_path)]) == 1
    assert capsys.readouterr().err == (
        f"zoomgym: {tmp_path}: needed a new or empty folder, got one that holds "
        "overview/000_0.00s.png: choose another one\n"
    )


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("ez", "--difficulty: difficulty needs one of easy, medium, hard, got 'ez'"),
        ('{"symbols": 4}', "--difficulty: symbols needs 5 to 8, "),
        ('{"contrst": 1}', "--difficulty: difficulty needs keys among preset, event_s, "),
        ("{preset: hard}", "--difficulty: settings need to be JSON, got '{preset: hard}'"),
    ],
)
def test_a_difficulty_that_cannot_be_meant_is_refused(
    given: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["tasks", "synthetic:flash", "--difficulty", given])
    assert message in capsys.readouterr().err


def test_the_command_tells_its_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--version"])
    assert capsys.readouterr().out == "zoomgym 0.1.0\n"


def test_an_interrupt_ends_quietly(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*args: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("zoomgym.cli.actions.check_task_set", interrupt)
    assert main(["check", "any.jsonl"]) == 130


class Terminal:
    """A standard output that is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("variables", "start", "end"),
    [
        ({"TERM_PROGRAM": "iTerm.app"}, "\033]1337;File=inline=1;width=100%:", "\a\n"),
        ({"TERM": "xterm-kitty"}, "\033_Ga=T,f=100,m=", "\033\\\n"),
        ({"TERM": "xterm"}, "", ""),
    ],
)
def test_pictures_are_shown_where_the_terminal_can(
    variables: dict[str, str], start: str, end: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import numpy as np

    from zoomgym.render.terminal import inline_picture

    for name in ("TERM", "TERM_PROGRAM", "GHOSTTY_RESOURCES_DIR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    assert inline_picture(noise) == ""  # not a terminal
    monkeypatch.setattr(sys, "stdout", Terminal())
    shown = inline_picture(noise)
    assert shown.startswith(start)
    assert shown.endswith(end)
    assert bool(shown) == bool(start)
    if "kitty" in variables.get("TERM", ""):
        assert shown.count("m=1;") == shown.count("\033_G") - 1


@pytest.mark.skipif(bool(find_spec("inspect_ai")), reason="inspect_ai is installed")
def test_view_says_which_package_it_needs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "r.jsonl").touch()
    assert main(["view", str(tmp_path / "r.jsonl"), "--out", str(tmp_path / "logs")]) == 1
    assert "needs the package inspect_ai, got none" in capsys.readouterr().err
    assert not (tmp_path / "logs").exists()
