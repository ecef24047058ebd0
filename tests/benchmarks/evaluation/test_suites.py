"""The main job on tasks of one's own: a manifest, or a benchmark in its folder."""

import json
import os
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from benchmarks import run
from benchmarks.evaluation import resume
from benchmarks.evaluation.suites import folder_name, own_suite
from tests.grading.judges import chats, judging
from tests.tasks.datasets.layouts import write_parquet
from zoomgym.errors import TaskError
from zoomgym.records import Record, read_records, write_records
from zoomgym.rules.question import VideoQuestion
from zoomgym.tasks.datasets import write_manifest

ANSWER = "<think>I see it.</think><answer>A</answer>"
TAG = '<think>There.</think><video_zoom>{"segment": [1, 3], "fps": 2}</video_zoom>'


def write_clip(path: Path, shade: int) -> None:
    """Writes four seconds of video that get brighter."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width = stream.height = 64
        for index in range(40):
            image = np.full((64, 64, 3), shade + 2 * index, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())


def question(number: int, **fields: Any) -> VideoQuestion:
    given = {"answer": "AB"[number % 2], "options": ("x", "y"), "category": f"c{number % 3}"}
    video = f"v{number % 2}.mp4"
    return VideoQuestion(**{"id": f"q{number}", "video": video, "question": "?"} | given | fields)


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two videos of four seconds."""
    folder = tmp_path_factory.mktemp("clips")
    for number in range(2):
        write_clip(folder / f"v{number}.mp4", 60 * number)
    return folder


@pytest.fixture
def mine(clips: Path, tmp_path: Path) -> Path:
    """A manifest of twelve questions about two videos."""
    folder = tmp_path / "mine"
    shutil.copytree(clips, folder)
    write_manifest(folder / "my.jsonl", [question(number) for number in range(12)])
    return folder / "my.jsonl"


def run_mine(manifest: Path, out: Path, *arguments: str) -> int:
    given = ["tasks", str(manifest), "--out", str(out), "--workers", "1", *arguments]
    return run.main(given)


def records_in(folder: Path) -> list[Record]:
    return list(read_records(folder / "records.jsonl"))


def refused(capsys: pytest.CaptureFixture[str], play: Callable[[], object]) -> str:
    """Returns what a command says that it refuses."""
    with pytest.raises(SystemExit) as end:
        play()
    assert end.value.code == 2
    return capsys.readouterr().err


@pytest.mark.long
def test_agents_are_ranked_on_a_manifest_with_a_table_records_and_a_page(
    mine: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    arguments = ("--agents", "blind", "random", "--env", "max_turns=2", "num_overview=8")
    assert run_mine(mine, out, *arguments) == 0
    printed = capsys.readouterr().out
    assert "my.jsonl: 12 tasks of your own" in printed
    assert "24 episodes" in printed
    assert "Not the whole suite" not in printed
    records = records_in(out)
    assert {(record.suite, record.task_set) for record in records} == {("my.jsonl", "my.jsonl")}
    assert {record.rules.max_turns for record in records} == {2}
    assert {record.agent for record in records} == {"blind", "random"}
    page = (out / "report.html").read_text()
    assert "<h1>my.jsonl</h1>" in page
    assert len(viewer_of(page)["pictures"]) > 0  # frames of the user's own videos


@pytest.mark.long
def test_overviews_of_ones_own_are_drawn_picked_and_resumed(
    mine: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    arguments = ("--agents", "blind", "--env", "num_overview=[0, 3]", "overview=change")
    assert run_mine(mine, out, *arguments) == 0
    records = records_in(out)
    assert len(records) == 12
    assert {len(record.overview.times_s) for record in records} == {0, 3}
    assert {record.frames_scanned > 0 for record in records} == {True, False}
    assert "frames scanned" in (out / "report.html").read_text()
    capsys.readouterr()
    assert run_mine(mine, out, *arguments) == 0
    assert "0 new, 12 kept" in capsys.readouterr().out
    told = refused(capsys, lambda: run_mine(mine, tmp_path / "x", "--env", "overview=chagne"))
    assert "got 'chagne': did you mean 'change'?" in told


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("width", [60, 80])
def test_the_first_screen_on_videos_of_ones_own_fits_the_terminal_and_says_what_it_shows(
    width: int,
    mine: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", str(width))
    write_manifest(mine, [question(number) for number in range(3)])
    given = ["tasks", "mine/my.jsonl", "--agents", "blind", "uniform"]
    assert run.main(given) == 0
    printed = capsys.readouterr().out
    assert max(map(len, printed.splitlines())) <= width
    assert printed.splitlines()[:2] == ["my.jsonl: 3 tasks of your own", "6 new, 0 kept"]
    assert printed.count("│ blind ") == printed.count("│ uniform ") == 2  # two whole tables
    how = "in accuracy on the same tasks, with 95% confidence"
    assert re.search(
        rf"┘ What it shows: [^(]+guessing .0.50.[^(]* \({how}\)\.", " ".join(printed.split())
    )
    assert printed.splitlines()[-1] == "page with pictures -> results/my/report.html"


def viewer_of(page: str) -> dict[str, Any]:
    """Returns what the viewer of a page is given."""
    start = page.index('<script type="application/json"')
    data = page[page.index(">", start) + 1 :].partition("</script>")[0]
    read: dict[str, Any] = json.loads(data)
    return read


@pytest.mark.usefixtures("here")
def test_a_run_on_a_manifest_resumes_wherever_that_lies(
    mine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    assert run_mine(mine, out, "--limit", "5") == 0
    first = (out / "records.jsonl").read_text()
    moved = tmp_path / "moved"
    shutil.move(mine.parent, moved)
    monkeypatch.chdir(moved)
    assert run_mine(Path("my.jsonl"), out) == 0
    assert (out / "records.jsonl").read_text().startswith(first)
    assert {record.task.id for record in records_in(out)} == {f"q{n}" for n in range(12)}
    assert len(records_in(out)) == 12


@pytest.mark.usefixtures("here")
def test_a_limit_draws_the_same_tasks_in_whatever_order_they_stand(
    mine: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def drawn(limit: int, out: str) -> set[str]:
        assert run_mine(mine, tmp_path / out, "--limit", str(limit)) == 0
        return {record.task.id for record in records_in(tmp_path / out)}

    four, six = drawn(4, "four"), drawn(6, "six")
    assert "4 of 12 tasks" in capsys.readouterr().out
    assert (len(four), len(six)) == (4, 6)
    assert four < six
    assert four != {f"q{number}" for number in range(4)}  # not the first ones
    tasks = [question(number) for number in range(12)]
    write_manifest(mine, tasks[::-1])
    assert drawn(4, "turned") == four


@pytest.mark.usefixtures("here")
def test_what_does_not_compare_is_not_mixed_in(
    mine: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert run_mine(mine, out, "--limit", "1") == 0
    for arguments, message in (
        (["--env", "max_turns=3"], "holds episodes of another run: max_turns 5, not 3. Choose"),
        (["--grammar", "video_zoom"], 'holds episodes of another run: grammar "json", not "video'),
        (["--seed", "1"], "holds episodes of another run: seed 0, not 1"),
        (["--env", '{"max_pixels": 99}'], "another run: max_pixels 100352, not 99"),
    ):
        assert message in refused(capsys, lambda given=arguments: run_mine(mine, out, *given))
    write_manifest(mine, [question(0, question="Another one?"), question(1)])
    assert "another run: task set version" in refused(capsys, lambda: run_mine(mine, out))
    quick = ["--out", str(out), "--limit", "1"]
    assert "suite my.jsonl, not quick-v" in refused(capsys, lambda: run.main(quick))
    assert len(records_in(out)) == 1


@pytest.mark.usefixtures("here")
def test_a_task_whose_video_cannot_be_shown_is_counted_and_fails_no_run(
    mine: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (mine.parent / "broken.mp4").write_bytes(b"no video")
    lost = [question(90, video="broken.mp4"), question(91, video="gone.mp4")]
    write_manifest(mine, [question(0), *lost, question(1)])
    out, agents = tmp_path / "out", ("--agents", "blind", "random")
    assert run_mine(mine, out, *agents) == 1
    assert "failed: 2 of blind, first on q90: " in capsys.readouterr().out
    assert run_mine(mine, out, *agents, "--env", "on_video_error=skip") == 0
    printed = capsys.readouterr().out
    assert "failed" not in printed.partition("in no number")[2]
    assert "not shown: 2 tasks, in no number above; first q90: " in printed
    assert "2 of 4 tasks" in printed
    assert {record.task.id for record in records_in(out)} == {"q0", "q1"}


@pytest.mark.usefixtures("here")
def test_a_page_is_made_again_from_records(
    mine: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    assert run_mine(mine, out, "--limit", "3", "--agents", "random") == 0
    page, records = (out / "report.html").read_bytes(), (out / "records.jsonl").read_bytes()
    (out / "report.html").unlink()
    monkeypatch.setattr(resume, "play_all", None)  # nothing is played
    capsys.readouterr()
    assert run_mine(mine, out, "--page-only") == 0
    assert "3 of 12 tasks" in capsys.readouterr().out
    assert (out / "report.html").read_bytes() == page
    assert (out / "records.jsonl").read_bytes() == records
    assert (
        run.main(["suite", "--page-only", "--out", str(out)]) == 0
    )  # without the tasks, from records
    assert "3 episodes" in capsys.readouterr().out
    other = ["suite", "standard-v0", "--page-only", "--out", str(out)]
    message = "needed records of standard-v0, got those of my.jsonl"
    assert message in refused(capsys, lambda: run.main(other))
    write_manifest(mine, [question(0)])
    again = refused(capsys, lambda: run_mine(mine, out, "--page-only"))
    assert "got those of other tasks: give the tasks" in again
    nothing = ["suite", "--page-only", "--out", str(tmp_path / "nothing")]
    assert "nothing/records.jsonl: " in refused(capsys, lambda: run.main(nothing))


@pytest.mark.usefixtures("here")
def test_records_of_strangers_show_frames_of_no_set_that_they_name_themselves(
    mine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given, theirs = tmp_path / "given", tmp_path / "theirs"
    assert run_mine(mine, given, "--limit", "2") == 0
    monkeypatch.setenv("ZOOMGYM_CACHE", str(tmp_path / "cache"))
    (tmp_path / "private.jsonl").write_text("the secret of the house\n")
    os.mkfifo(tmp_path / "pipe.jsonl")
    for name in (mine, tmp_path / "private.jsonl", tmp_path / "pipe.jsonl", Path("/dev/zero")):
        records = [
            replace(record, settings={**record.settings, "tasks": str(name)})
            for record in records_in(given)
        ]
        theirs.mkdir()
        write_records(theirs / "records.jsonl", records)
        assert run.main(["suite", "--page-only", "--out", str(theirs)]) == 0
        page = (theirs / "report.html").read_text()
        assert viewer_of(page)["pictures"] == []
        assert "secret" not in page
        assert str(tmp_path) not in page
        shutil.rmtree(theirs)
    assert run_mine(mine, given, "--page-only") == 0
    assert len(viewer_of((given / "report.html").read_text())["pictures"]) > 0
    assert not (tmp_path / "cache").exists()


# A public benchmark ------------------------------------------------------------------------------


@pytest.fixture
def videomme(clips: Path, tmp_path: Path) -> Path:
    """Twelve rows of Video-MME, as its hub has them, about two videos."""
    folder = tmp_path / "Video-MME"
    (folder / "data").mkdir(parents=True)
    for path in clips.iterdir():
        shutil.copy(path, folder / "data")
    rows = [
        {
            "video_id": "001",
            "duration": ("short", "long")[number % 2],
            "domain": "Knowledge",
            "sub_category": "History",
            "url": "",
            "videoID": f"v{number % 2}",
            "question_id": f"001-{number}",
            "task_type": f"Kind {number % 3}",
            "question": "Which?",
            "options": ["A. one.", "B. two.", "C. three.", "D. four."],
            "answer": "ABCD"[number % 4],
        }
        for number in range(12)
    ]
    write_parquet(folder / "videomme" / "test-00000-of-00001.parquet", rows)
    return folder


@pytest.mark.long
@pytest.mark.usefixtures("here")
def test_a_served_model_is_ranked_on_video_mme_with_its_official_scores(
    videomme: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    out = tmp_path / "out"
    with judging(chats(TAG), chats(ANSWER)) as server:
        name = f"chat:m@{server.url}?max_concurrent=1"
        given = ["tasks", f"videomme:{videomme}", "--split", "test", "--grammar", "video_zoom"]
        given += ["--env", '{"num_overview": 4}', "--out", str(out), "--workers", "1"]
        assert run.main([*given, "--agents", name, "--limit", "6"]) == 0
        printed = capsys.readouterr().out
        assert len(server.requests) == 7  # one task was zoomed into
        assert run.main([*given, "--agents", name, "blind"]) == 0
        assert len(server.requests) == 13
    assert "videomme test: 12 tasks of your own" in printed
    assert "6 of 12 tasks" in printed
    assert "Public benchmarks" in printed
    records = records_in(out)
    own = [record for record in records if record.agent == name]
    assert len(own) == 12
    assert sum(record.reward_parts.accuracy for record in own) == 3  # every fourth is A
    assert sum(len(record.turns) for record in own) == 13
    assert {record.suite for record in records} == {"videomme test"}
    printed = capsys.readouterr().out
    assert "duration: long" in printed
    assert len([record for record in records if record.agent == "blind"]) == 12


# What is refused ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["tasks", "{my}", "--suite", "calls-v0"], "run tasks: there is no option --suite"),
        (["suite", "quick-v0", "--split", "test"], "run suite: there is no option --split"),
        (["suite", "quick-v0", "--env", "max_turns=3"], "run suite: there is no option --env"),
        (["suite", "quick-v0", "--grammar", "json"], "run suite: there is no option --grammar"),
        (["suite", "calls"], "calls-v0, families-v0, "),
        (["tasks", "{my}", "--split", "test"], "my.jsonl has no splits: leave it out"),
        (["tasks", "{my}", "--env", "max_turn=3"], "--env: needs an object of duration_s"),
        (["tasks", "{my}", "--env", "max_turns=x"], "max_turns needs a whole number"),
        (["tasks", "{my}", "--env", "tasks=x"], "--env: needs an object of "),
        (["tasks", "{my}", "--env", "duration_s"], "'duration_s' needs the form NAME=VALUE"),
        (["tasks", "{my}", "--env", "subtitles=true"], "has no subtitles"),
        (["tasks", "nothing.jsonl"], "nothing.jsonl"),
        (["tasks", "videomm:/data"], "did you mean 'videomme:/data'?"),
        (["tasks", "videomme:/nowhere"], "/nowhere"),
        (["tasks", "{my}", "--agents", "nobody"], "agent needs one of blind"),
    ],
)
def test_what_cannot_be_played_is_refused_before_anything_is_written(
    arguments: list[str],
    message: str,
    mine: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    given = [one.format(my=mine) if one == "{my}" else one for one in arguments]
    out = ["--out", str(tmp_path / "out")]
    assert message in refused(capsys, lambda: run.main([*given, *out]))
    assert not (tmp_path / "out").exists()


def test_a_suite_is_named_after_its_tasks_and_like_no_built_in_one(
    mine: Path, tmp_path: Path
) -> None:
    suite, tasks = own_suite(str(mine), split=None, grammar=None, env=[])
    assert (suite.name, folder_name(suite), len(tasks)) == ("my.jsonl", "my", 12)
    drawn, _ = own_suite("synthetic:flash", split="train", grammar="json", env=["source=scene"])
    assert (drawn.name, folder_name(drawn)) == ("synthetic:flash train", "synthetic-flash-train")
    assert folder_name(replace(suite, name="..json")) == "own"
    with pytest.raises(TaskError, match="needs the folder"):
        own_suite("videomme", split=None, grammar=None, env=[])


def test_ones_own_tasks_are_paired_with_the_same_question_and_overview_without_tools(
    mine: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], here: None
) -> None:
    arguments = ["--paired", "--limit", "3", "--agents", "random"]
    arguments += ["--env", "num_overview=[2, 4, 8]", 'overview="random"']
    assert run_mine(mine, tmp_path / "out", *arguments) == 0
    assert "With tools and without, on the same tasks" in capsys.readouterr().out
    records = records_in(tmp_path / "out")
    assert {one.suite for one in records} == {"my.jsonl paired"}
    alone, tooled = (
        {one.task.id: one for one in records if one.rules.max_turns == turns} for turns in (1, 5)
    )
    assert len(alone) == len(tooled) == 3
    for task_id, one in alone.items():
        other = tooled[task_id]
        assert (one.task, one.picked_s, one.seed) == (other.task, other.picked_s, other.seed)
    assert run_mine(mine, tmp_path / "out", *arguments) == 0
    assert "0 new, 6 kept" in capsys.readouterr().out
    said = refused(
        capsys, lambda: run_mine(mine, tmp_path / "out", *arguments, "frames_per_zoom=8")
    )
    assert "another run: frames_per_zoom 16, not 8" in said
