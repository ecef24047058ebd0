"""What is kept to learn from is right, and says so when read again."""

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from agents.qwen.demonstrations import (
    Attempt,
    Demonstration,
    demonstrate,
    export,
    read_demonstrations,
    reflect,
    rejected_path,
    verify,
)
from agents.qwen.demonstrations.__main__ import main
from agents.registry import AGENTS, make_agent
from tests.clips import first_video
from zoomgym import RecordError, VideoError, ZoomEnv
from zoomgym.agent.observation import Observation
from zoomgym.conversation import text_of, to_messages
from zoomgym.records import Record, append_line, replay
from zoomgym.rollout import run_episodes, watch_again
from zoomgym.rules.question import VideoQuestion
from zoomgym.tasks.datasets.manifest import write_manifest
from zoomgym.tasks.synthetic import SyntheticTasks

FAILING = "tests.agents.qwen.demonstrations.test_demonstrations:Failing"


class Scripted:
    """Replies what it is told to, then answers A."""

    def __init__(self, *replies: str) -> None:
        self._replies = replies

    def reset(self, seed: int) -> None:
        pass

    def act(self, observation: Observation) -> str:
        told = dict(enumerate(self._replies))
        return told.get(len(observation.turns), answer("A"))


class Failing(Scripted):
    """Looks at the first two seconds and answers A."""

    def __init__(self) -> None:
        super().__init__(zoom(0, 2, 1))


def zoom(start_s: float, end_s: float, fps: float) -> str:
    call = json.dumps({"segment": [start_s, end_s], "fps": fps})
    return f"<think>There.</think><video_zoom>{call}</video_zoom>"


def answer(text: str) -> str:
    return f"<think>So.</think><answer>{text}</answer>"


def small_env(tasks: Any = "synthetic:flash", **settings: object) -> ZoomEnv:
    """Returns an environment of small pictures without a codec."""
    given = {"grammar": "video_zoom", "source": "scene", "max_pixels": 1600, "frame_size": (8, 8)}
    return ZoomEnv(tasks, **{**given, **settings})  # type: ignore[arg-type]


def play(agent: object, env: ZoomEnv, index: int = 0) -> Record:
    [record] = run_episodes(
        env,
        agent,  # type: ignore[arg-type]
        agent_name="tutor",
        task_ids=[env.tasks[index].id],
        seed=0,
    )
    return record


def first_ids(env: ZoomEnv, count: int) -> list[str]:
    return [env.tasks[index].id for index in range(count)]


@pytest.fixture(scope="module")
def record() -> Record:
    return play(make_agent("tutor"), small_env())


def test_demonstrations_come_back_as_they_were_written(record: Record, tmp_path: Path) -> None:
    path = tmp_path / "demos.jsonl"
    written = [Demonstration(record), Demonstration(record, 1)]
    for demonstration in written:
        append_line(path, demonstration.to_json())
    assert list(read_demonstrations(path)) == written
    rows = [json.loads(line) for line in path.read_text(encoding="ascii").splitlines()]
    assert [row["first_turn"] for row in rows] == [0, 1]
    assert rows[0]["record"] == json.loads(record.to_json())


@pytest.mark.parametrize("first_turn", [-1, 2, True, 0.0, "0"])
def test_a_demonstration_begins_at_one_of_its_turns(record: Record, first_turn: int) -> None:
    with pytest.raises(RecordError, match=rf"0 to below 2, .*, got {first_turn!r}"):
        Demonstration(record, first_turn)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", r'needed \{"first_turn": .., "record": ..\}, got no JSON '),
        ("[]", r'needed \{"first_turn": .., "record": ..\}, got no JSON object'),
        ("[" * 100_000, r'needed \{"first_turn": .., "record": ..\}'),
        ('{"record": {}}', "got other keys or values"),
        ('{"first_turn": 0}', "got other keys or values"),
        ('{"first_turn": 0, "record": {}}', "needed an episode's record"),
        ('{"first_turn": 0, "record": {"schema": 9}}', "needed schema 1, got 9"),
    ],
)
def test_a_line_that_is_no_demonstration_is_named(
    record: Record, tmp_path: Path, line: str, message: str
) -> None:
    path = tmp_path / "demos.jsonl"
    append_line(path, Demonstration(record).to_json())
    path.write_text(path.read_text() + line + "\n")
    with pytest.raises(RecordError, match=rf"demos\.jsonl:2: .*{message}.*: mend or delete"):
        list(read_demonstrations(path))


def test_a_line_that_was_cut_off_is_passed_over(
    record: Record, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "demos.jsonl"
    append_line(path, Demonstration(record).to_json())
    path.write_text(path.read_text() + path.read_text()[:100])
    assert list(read_demonstrations(path)) == [Demonstration(record)]
    assert "the last line was cut off" in caplog.text


@pytest.mark.long
def test_demonstrations_can_be_read_without_pytorch() -> None:
    code = "import sys, agents.qwen.demonstrations.__main__; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"torch", "transformers"} & set(done.stdout.split())


# What is accepted --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("replies", "rules", "reason"),
    [
        ((zoom(15, 19, 4), answer("C")), {}, ""),
        ((zoom(15, 19, 4), answer("B")), {}, "wrong answer"),
        ((zoom(15, 19, 4),) * 2, {"max_turns": 2}, "never answered"),
        ((zoom(15, 19, 4), "<answer>C</answer>"), {}, "not well-formed or refused"),
        ((zoom(15, 19, 9), zoom(15, 19, 4), answer("C")), {}, "not well-formed or refused"),
        ((zoom(30, 34, 4), answer("C")), {}, "evidence not seen"),
        ((answer("C"),), {}, "evidence not seen"),
    ],
)
def test_only_what_is_right_and_seen_is_accepted(
    replies: tuple[str, ...], rules: dict[str, int], reason: str
) -> None:
    assert verify(play(Scripted(*replies), small_env(**rules))) == reason


def test_how_others_wrote_before_the_first_turn_does_not_matter() -> None:
    record = play(Scripted("what?", zoom(15, 19, 4), answer("C")), small_env())
    assert [verify(record, first_turn) for first_turn in (0, 1, 2)] == [
        "not well-formed or refused", "", "",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"grading": "ungraded"}, "ungraded"),
        ({"frames_used": 129}, "over budget"),
        ({"frames_used": 70}, "does not replay"),
        ({"reward": 9.0}, "does not replay"),
    ],
)
def test_a_record_that_cannot_be_trusted_is_not_accepted(
    record: Record, change: dict[str, Any], reason: str
) -> None:
    assert verify(record) == ""
    assert verify(replace(record, **change)) == reason


# Exemplars ---------------------------------------------------------------------------------------


def collect(
    out: Path, expert: str = "half", num_tasks: int = 8, num_envs: int = 1
) -> list[Attempt]:
    """Demonstrates count with an expert that sees every second frame: it is wrong at times."""
    envs = [small_env("synthetic:count") for _ in range(num_envs)]
    attempts = demonstrate(
        envs, first_ids(envs[0], num_tasks), expert=make_agent(expert), expert_name=expert, out=out
    )
    return list(attempts)


def test_what_the_verifier_accepts_is_kept_and_the_rest_is_said(tmp_path: Path) -> None:
    out = tmp_path / "new" / "demos.jsonl"
    attempts = collect(out, "tutor") + collect(tmp_path / "half.jsonl")
    assert [attempt.reason for attempt in attempts[:8]] == [""] * 8
    assert {attempt.reason for attempt in attempts[8:]} == {"wrong answer", "evidence not seen"}
    kept = list(read_demonstrations(out))
    assert [one.record.task.id for one in kept] == [attempt.task_id for attempt in attempts[:8]]
    assert [verify(one.record) for one in kept] == [""] * 8
    assert {(one.first_turn, one.record.agent) for one in kept} == {(0, "tutor")}
    [run, *rejected] = rejected_path(tmp_path / "half.jsonl").read_text().splitlines()
    assert json.loads(run)["run"]["expert"] == "half"
    assert [json.loads(line)["task_id"] for line in rejected] == [
        attempt.task_id for attempt in attempts[8:]
    ]


class Batched(Scripted):
    """The random agent, for many observations at once."""

    def __init__(self) -> None:
        self._random = make_agent("random")

    def reset(self, seed: int) -> None:
        self._random.reset(seed)

    def act(self, observation: Observation) -> str:
        return self._random.act(observation)

    def act_batch(self, observations: Sequence[Observation]) -> list[str]:
        return [self._random.act(observation) for observation in observations]


@pytest.mark.long
@pytest.mark.parametrize("num_envs", [1, 2])
def test_the_same_seed_makes_the_same_file_however_it_was_stopped(
    tmp_path: Path, num_envs: int
) -> None:
    def run(out: Path, num_tasks: int) -> Any:
        envs = [small_env("synthetic:flash,overview") for _ in range(num_envs)]
        return demonstrate(
            envs, first_ids(envs[0], num_tasks), expert=Batched(), expert_name="x", out=out
        )

    whole, parts = tmp_path / "whole.jsonl", tmp_path / "parts.jsonl"
    outcomes = list(run(whole, 12))
    first = iter(run(parts, 12))
    assert [next(first) for _ in range(5)] == outcomes[:5]
    first.close()
    for path in (parts, rejected_path(parts)):
        path.write_bytes(path.read_bytes() + b'{"cut')
    assert sorted(map(repr, run(parts, 9))) == sorted(map(repr, outcomes[:9]))
    again = list(run(parts, 12))
    assert [one.task_id for one in again] == [one.task_id for one in outcomes]
    assert {one.reason for one in again} >= {"", "wrong answer"}
    assert parts.read_bytes() == whole.read_bytes()
    assert rejected_path(parts).read_bytes() == rejected_path(whole).read_bytes()


def test_no_task_is_tried_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    attempts = collect(tmp_path / "demos.jsonl")
    monkeypatch.setattr(AGENTS["half"], "act", None)
    assert collect(tmp_path / "demos.jsonl") == attempts


def test_a_file_of_another_run_is_not_added_to(tmp_path: Path) -> None:
    out = tmp_path / "demos.jsonl"
    collect(out, "half", 1)
    with pytest.raises(RecordError, match=r"begun with expert 'half', got 'tutor': choose another"):
        collect(out, "tutor", 1)
    env = small_env("synthetic:count", num_overview=32)
    with pytest.raises(RecordError, match=r"demos\.jsonl was begun with num_overview 64, got 32"):
        list(demonstrate([env], [], expert=make_agent("half"), expert_name="half", out=out))
    rejected_path(out).write_text('{"task_id": "a", "reason": ""}\n')
    with pytest.raises(
        RecordError, match=r"demos\.rejected\.jsonl:1: needed how the file was made"
    ):
        collect(out)
    rejected_path(out).write_text("[]\n")
    with pytest.raises(
        RecordError, match=r"rejected\.jsonl:1: needed a task and a reason, got no JSON object"
    ):
        collect(out)


def test_a_file_that_does_not_say_how_it_was_made_is_not_added_to(
    record: Record, tmp_path: Path
) -> None:
    out = tmp_path / "demos.jsonl"
    append_line(out, Demonstration(record).to_json())
    with pytest.raises(RecordError, match=r"needed demos\.rejected\.jsonl beside it, .* got none"):
        collect(out)


@pytest.mark.parametrize("on_video_error", ["raise", "skip"])
def test_a_video_that_cannot_be_shown_costs_only_its_own_task(
    on_video_error: str,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    envs = [small_env("synthetic:overview", on_video_error=on_video_error) for _ in range(2)]
    task_ids = first_ids(envs[0], 4)
    open_video = SyntheticTasks.open_video

    def open_most(tasks: SyntheticTasks, task: VideoQuestion) -> object:
        if task.id == task_ids[1]:
            raise VideoError("a.mp4: broken")
        return open_video(tasks, task)

    monkeypatch.setattr(SyntheticTasks, "open_video", open_most)
    out = tmp_path / "demos.jsonl"
    outcomes = list(demonstrate(envs, task_ids, expert=Batched(), expert_name="x", out=out))
    assert [one.task_id for one in outcomes] == task_ids
    assert [one.reason == "video cannot be shown" for one in outcomes] == [
        False,
        True,
        False,
        False,
    ]
    assert task_ids[1] in caplog.text
    assert "a.mp4: broken" in caplog.text


# Reflections -------------------------------------------------------------------------------------


def mend(
    tmp_path: Path, student: object, expert: str = "tutor", **settings: Any
) -> tuple[str, Demonstration | None]:
    """Returns what becomes of the first task when a student begins and an expert mends."""
    out = tmp_path / "reflections.jsonl"
    env = small_env(**settings)
    [attempt] = reflect(
        [env],
        first_ids(env, 1),
        student=student,  # type: ignore[arg-type]
        student_name="student",
        expert=make_agent(expert),
        expert_name=expert,
        out=out,
    )
    return attempt.reason, next(iter(read_demonstrations(out)), None)


def test_an_expert_goes_on_where_the_student_answered_wrongly(tmp_path: Path) -> None:
    reason, kept = mend(tmp_path, Scripted(zoom(0, 4, 1), zoom(15, 19, 4), answer("B")))
    assert reason == ""
    assert kept is not None
    assert kept.first_turn == 2
    assert [turn.reply for turn in kept.record.turns] == [
        zoom(0, 4, 1),
        zoom(15, 19, 4),
        "<think>It is not white cross. I see red circle.</think><answer>C</answer>",
    ]
    assert kept.record.agent == "student > tutor"
    assert kept.record.reward_parts.accuracy == 1
    replay(kept.record)


@pytest.mark.parametrize(
    ("student", "num_kept"),
    [
        (Scripted(zoom(0, 4, 1), "what?", answer("B")), 2),
        (Scripted(*[zoom(0, 4, 1)] * 3), 3),
        (Scripted(*[zoom(0, 4, 1)] * 4), 3),  # the tutor needs two turns
        (Scripted(*[zoom(0, 4, 1)] * 5), 3),  # never answered
        (Scripted(*[zoom(0, 16, 1)] * 4), 3),  # no frames were left
    ],
)
def test_as_much_of_the_student_is_kept_as_leaves_room_to_mend_it(
    tmp_path: Path, student: object, num_kept: int
) -> None:
    reason, kept = mend(tmp_path, student)
    assert reason == ""
    assert kept is not None
    assert kept.first_turn == num_kept
    assert verify(kept.record, num_kept) == ""


def test_the_wrong_answer_is_named_only_where_it_was_given(tmp_path: Path) -> None:
    looked = zoom(14.27, 19.02, 2)
    reason, kept = mend(tmp_path, Scripted(looked, *[zoom(0, 4, 1)] * 2, "hm", answer("B")))
    assert reason == ""
    assert kept is not None
    assert kept.record.turns[-1].reply == (
        "<think>That was no reply. I see red circle.</think><answer>C</answer>"
    )
    _, kept = mend(tmp_path / "open", Scripted(looked, answer("Z")))
    assert kept is not None
    assert kept.record.turns[-1].reply == ("<think>I see red circle.</think><answer>C</answer>")


@pytest.mark.parametrize(
    ("student", "expert", "reason"),
    [
        (Scripted(zoom(15, 19, 4), answer("C")), "tutor", "student was right"),
        (Scripted(answer("B")), "tutor", "nothing to correct"),
        (Scripted(zoom(0, 4, 1), answer("B")), FAILING, "wrong answer"),
        (Scripted(zoom(0, 16, 1), answer("B")), "oracle", ""),
    ],
)
def test_what_is_not_mended_is_said(
    tmp_path: Path, student: object, expert: str, reason: str
) -> None:
    assert mend(tmp_path, student, expert)[0] == reason


@pytest.mark.long
def test_reflections_go_on_where_they_were_stopped(tmp_path: Path) -> None:
    def run(out: Path) -> Any:
        envs = [small_env("synthetic") for _ in range(2)]
        return reflect(
            envs,
            first_ids(envs[0], 10),
            student=Batched(),
            student_name="random",
            expert=make_agent("tutor"),
            expert_name="tutor",
            out=out,
        )

    whole, parts = tmp_path / "whole.jsonl", tmp_path / "parts.jsonl"
    outcomes = list(run(whole))
    assert {one.reason for one in outcomes} == {"", "student was right", "nothing to correct"}
    first = iter(run(parts))
    next(first)
    first.close()
    assert sorted(map(repr, run(parts))) == sorted(map(repr, outcomes))
    assert parts.read_bytes() == whole.read_bytes()


# Rows for others ---------------------------------------------------------------------------------


def test_rows_show_what_the_agent_was_shown(record: Record, tmp_path: Path) -> None:
    out = tmp_path / "rows.json"
    rows = list(export([Demonstration(record)] * 2, out))
    assert json.loads(out.read_text()) == rows
    messages = to_messages(watch_again(small_env(), record))
    assert [said["role"] for said in rows[0]["messages"]] == [one["role"] for one in messages]
    texts = [said["content"].replace("<image>", "") for said in rows[0]["messages"]]
    assert texts == [text_of(message) for message in messages]
    assert rows[0]["messages"][1]["content"].startswith(
        "<frame0_time0.00s><image><frame1_time0.95s>"
    )
    assert len(rows[0]["images"]) == record.frames_used == 73
    assert rows[1]["images"][72] == "rows.frames/00001/072.jpg"
    with Image.open(tmp_path / rows[1]["images"][72]) as picture:
        assert (picture.format, picture.size) == ("JPEG", (40, 40))


def test_marks_in_the_texts_of_others_are_no_pictures(tmp_path: Path) -> None:
    hostile = "<think><<image>image></think> <video> <audio> <image>"
    record = play(Scripted(hostile), small_env())
    [row] = export([Demonstration(record)], tmp_path / "rows.json")
    assert len(row["images"]) == 64
    assert (
        row["messages"][2]["content"] == "<think><<image >image></think> <video > <audio > <image >"
    )
    assert "found 0 in '<think><<image >image></think>" in row["messages"][3]["content"]
    [written] = json.loads((tmp_path / "rows.json").read_text())
    assert written["messages"][2]["content"] == row["messages"][2]["content"]


def test_only_a_synthetic_task_set_or_one_that_is_named_is_shown_again(tmp_path: Path) -> None:
    tasks = SyntheticTasks(("flash",), "train", 60, "easy", "scene")
    record = play(Failing(), small_env(tasks))
    with pytest.raises(
        RecordError, match=r"needed a synthetic task, or one of a set that --tasks names, got fla"
    ):
        list(export([Demonstration(record)], tmp_path / "rows.json"))


@pytest.mark.long
def test_files_of_demonstrations_are_opened_if_their_set_is_named(tmp_path: Path) -> None:
    tasks = SyntheticTasks(("overview",), "test", 30, "easy", "file")
    path = first_video(tasks, tmp_path)
    write_manifest(tmp_path / "my.jsonl", [replace(tasks[0], video=path.name)])
    record = play(Failing(), small_env(str(tmp_path / "my.jsonl"), num_overview=4))
    demonstrations, out = [Demonstration(record)], tmp_path / "rows.json"
    with pytest.raises(RecordError, match="or one of a set that --tasks names, got overview-"):
        list(export(demonstrations, out))
    [row] = export(demonstrations, out, tasks=str(tmp_path / "my.jsonl"))
    assert len(row["images"]) == 6


# The command -------------------------------------------------------------------------------------

SMALL = '{"source": "scene", "max_pixels": 1600}'


@pytest.mark.long
def test_the_command_demonstrates_reflects_and_exports(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    common = ["--tasks", "synthetic:count,overview", "--num", "6", "--env", SMALL]
    demos, mended, rows = (tmp_path / name for name in ("d.jsonl", "r.jsonl", "rows.json"))
    assert main(["demonstrate", *common, "--out", str(demos)]) == 0
    assert "6 demonstrations of 6 tasks" in capsys.readouterr().out
    assert (
        main(["reflect", *common, "--student", FAILING, "--start", "6", "--out", str(mended)]) == 0
    )
    said = capsys.readouterr().out
    assert f"demonstrations of 6 tasks -> {mended}" in said
    assert "student was right" in said
    assert main(["export", str(mended), "--out", str(rows)]) == 0
    num_kept = len(list(read_demonstrations(mended)))
    said = capsys.readouterr().out
    assert f"{num_kept} are reflections: set mask_history" in said
    assert len(json.loads(rows.read_text())) == num_kept > 0
    assert main(["export", str(mended), "--out", str(rows)]) == 1
    assert "rows.json exists: choose another file, or delete it" in capsys.readouterr().out


def test_a_command_that_was_stopped_says_how_to_go_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*given: object) -> str:
        raise KeyboardInterrupt

    out = tmp_path / "demos.jsonl"
    command = ["demonstrate", "--tasks", "synthetic:overview", "--env", SMALL, "--out", str(out)]
    assert main([*command, "--num", "2"]) == 0
    with monkeypatch.context() as patch:
        patch.setattr(AGENTS["tutor"], "act", interrupt)
        assert main([*command, "--num", "3"]) == 130
    assert "stopped: run the same command again to resume" in capsys.readouterr().out
    assert len(list(read_demonstrations(out))) == 2
    assert main([*command, "--num", "3"]) == 0
    assert len(list(read_demonstrations(out))) == 3


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--expert", "blnd"], "agent needs one of blind, glance"),
        (["--tasks", "nothing"], "tasks needs `synthetic`"),
        (
            ["--tasks", "synthetic:flash", "--start", "9999", "--num", "2"],
            "need tasks up to 10001, synthetic:flash has 10000: lower them",
        ),
        (["--env", '{"max_turns": 0}'], "max_turns needs a whole number from 1 to 100, got 0"),
    ],
)
def test_what_cannot_be_played_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], flags: list[str], message: str
) -> None:
    assert main(["demonstrate", "--out", str(tmp_path / "demos.jsonl"), *flags]) == 1
    assert message in capsys.readouterr().out
    assert not (tmp_path / "demos.jsonl").exists()


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--num", "0"], "argument --num: needed a whole number from 1 on, got '0'"),
        (["--seed", "x"], "argument --seed: needed a whole number from 0 on, got 'x'"),
        (["--env", "{"], "argument --env: needs JSON like {}, got '{'"),
        (["--env", "[]"], "argument --env: needs an object of split, duration_s"),
        (["--env", '{"tasks": "a"}'], "argument --env: needs an object of split, duration_s"),
    ],
)
def test_a_flag_that_cannot_be_meant_is_refused(
    capsys: pytest.CaptureFixture[str], flags: list[str], message: str
) -> None:
    with pytest.raises(SystemExit):
        main(["demonstrate", "--out", "demos.jsonl", *flags])
    assert message in capsys.readouterr().err
