"""The task of inspect_ai, evaluated by its real loop, and records as its logs."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("inspect_ai", reason="python -m tests.integrations inspect_ai")

from inspect_ai.log import EvalLog, EvalSample, list_eval_logs, read_eval_log
from inspect_ai.model import (
    ChatMessage,
    ChatMessageAssistant,
    ChatMessageTool,
    ContentImage,
    ContentReasoning,
    ContentText,
)
from inspect_ai.tool import ToolCall

from tests.grading.judges import Answer, judging, sends
from tests.integrations.players_inspect_ai import evaluated, says
from zoomgym import ZoomEnv
from zoomgym.cli import main
from zoomgym.integrations.inspect_ai import records_of, zoom
from zoomgym.records import Record, env_to_watch, read_records, replay, write_records
from zoomgym.rollout import run_episodes, watch_again

pytestmark = pytest.mark.long

ROOT = Path(__file__).parents[2]

SMALL = {"source": "scene", "num_overview": 4, "max_pixels": 28 * 28}
ZOOM = '{"segment": [4, 6], "fps": 2}'
RIGHT, NEXT = '{"answer": "B"}', '{"answer": "A"}'
"""Right answers to the first two tasks of the split `test`."""


def evaluate(*outputs: Any, limit: int = 1, options: dict[str, Any] | None = None, **given: Any):
    task = zoom("synthetic:flash", limit=limit, arguments=SMALL, **given)
    return evaluated(task, [says(output) for output in outputs], **(options or {}))


def pictures(messages: list[ChatMessage]) -> list[str]:
    parts = [part for message in messages for part in message.content_list]
    return [part.image for part in parts if isinstance(part, ContentImage)]


def means(log: EvalLog) -> dict[str, float]:
    assert log.results
    return {score.name: score.metrics["mean"].value for score in log.results.scores}


def call(arguments: dict[str, Any], number: str = "c1", error: str | None = None) -> ToolCall:
    return ToolCall(number, "video_zoom", arguments, parse_error=error)


def test_an_evaluation_gives_rewards_terms_and_records_that_replay() -> None:
    log = evaluate(ZOOM, RIGHT, RIGHT, limit=2)
    assert (log.status, log.eval.task) == ("success", "zoomgym/zoom")
    terms = {"reward": 0.8, "accuracy": 0.5, "format": 1, "tool": 0.5, "zoom_cost": 0.5}
    assert means(log) == pytest.approx({**terms, "grounding": 0})
    first, second = records_of(log)
    assert (first.reward, second.reward) == (pytest.approx(1.5), pytest.approx(0.1))
    assert first.agent == "mockllm/model"
    for record in (first, second):
        replay(record)


def test_frames_in_a_log_are_those_that_were_paid_for() -> None:
    log = evaluate(ZOOM, "Hm.", RIGHT)
    [sample], [record] = log.samples or [], records_of(log)
    assert [m.role for m in sample.messages] == [
        *("system", "user", "assistant", "user", "assistant", "user", "assistant")
    ]
    assert len(pictures(sample.messages)) == record.frames_used == 8
    assert all(one.startswith("data:image/png") for one in pictures(sample.messages))


def test_frames_are_sent_as_jpeg_where_that_is_wanted() -> None:
    [sample] = evaluate(RIGHT, jpeg_quality=80).samples or []
    assert [one[:15] for one in pictures(sample.messages)] == ["data:image/jpeg"] * 4


def test_thoughts_that_a_provider_parts_from_the_text_are_put_back() -> None:
    said = ChatMessageAssistant(
        content=[ContentReasoning(reasoning="I know."), ContentText(text="<answer>B</answer>")]
    )
    [record] = records_of(evaluate(said, grammar="video_zoom"))
    assert record.turns[0].reply == "<think>I know.</think><answer>B</answer>"
    assert record.reward == pytest.approx(1.0)


def test_a_native_call_is_answered_by_a_tool_and_frames() -> None:
    said = ChatMessageAssistant(content="", tool_calls=[call({"segment": [4, 6], "fps": 2}, "x7")])
    log = evaluate(said, RIGHT, native=True)
    [sample], [record] = log.samples or [], records_of(log)
    _, _, asked, tool, shown, _ = sample.messages
    assert isinstance(asked, ChatMessageAssistant)
    assert isinstance(tool, ChatMessageTool)
    assert (asked.tool_calls or [])[0].id == tool.tool_call_id == "x7"
    assert len(pictures([shown])) == 4
    assert (record.reward, len(pictures(sample.messages))) == (pytest.approx(1.5), 8)


@pytest.mark.parametrize(
    "calls",
    [
        [call({"segment": [4, 6], "fps": 2}, "a"), call({"segment": [4, 6], "fps": 2}, "b")],
        [call({}, error='Error parsing: {"segment": [4')],
        [ToolCall("c", "search", {"query": "?"})],
    ],
    ids=["two calls", "a broken call", "a tool that is not offered"],
)
def test_a_native_reply_that_is_refused_costs_its_format_and_leaves_no_call_open(
    calls: list[ToolCall],
) -> None:
    log = evaluate(ChatMessageAssistant(content="", tool_calls=calls), RIGHT, native=True)
    [sample], [record] = log.samples or [], records_of(log)
    assert record.reward == pytest.approx(0.9)
    called = [m for m in sample.messages if isinstance(m, ChatMessageAssistant) and m.tool_calls]
    assert called == []
    assert [m.role for m in sample.messages].count("tool") == 0


def test_an_episode_that_is_stopped_has_no_score() -> None:
    log = evaluate(ZOOM, NEXT, limit=2, options={"message_limit": 3})
    first, second = log.samples or []
    assert [record.task.id for record in records_of(log)] == [second.id]
    assert first.scores
    assert "before its end" in (first.scores["reward_terms"].explanation or "")
    assert means(log)["accuracy"] == 1.0  # of the other one


def test_epochs_are_played_with_seeds_of_their_own() -> None:
    log = evaluate(RIGHT, RIGHT, options={"epochs": 2}, seed=5)
    assert [record.seed for record in records_of(log)] == [5, 6]


def test_the_command_of_inspect_plays_against_an_endpoint(tmp_path: Path) -> None:
    with judging(served(ZOOM), served(RIGHT)) as server:
        done = subprocess.run(
            [
                *(Path(sys.executable).parent / "inspect", "eval", "zoomgym/zoom"),
                *("--model", "openai-api/mine/m", "--model-base-url", server.url),
                *("-M", "api_key=none", "--log-dir", tmp_path, "--display", "none"),
                *("-T", "tasks=synthetic:flash", "-T", "limit=1"),
                *("-T", f"arguments={json.dumps(SMALL)}"),
            ],
            capture_output=True, text=True,
        )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    sent = [len(pictures_sent(body)) for _, _, body in server.requests]
    [log] = map(read_eval_log, list_eval_logs(str(tmp_path)))
    assert log.status == "success", log.error
    [record] = records_of(log)
    assert (sent, record.reward) == ([4, 8], pytest.approx(1.5))


def served(text: str) -> Answer:
    """Replies as an endpoint does to a client that wants all fields of the API."""
    choice = {"index": 0, "finish_reason": "stop"}
    row = {"id": "1", "object": "chat.completion", "created": 0, "model": "m"}
    said = {"role": "assistant", "content": text}
    return sends(json.dumps({**row, "choices": [{**choice, "message": said}]}).encode())


def pictures_sent(body: dict[str, Any]) -> list[Any]:
    parts = [part for message in body["messages"] for part in message["content"]]
    return [part for part in parts if isinstance(part, dict) and part["type"] == "image_url"]


class Half:
    """Zooms twice and answers, the first time rightly."""

    def reset(self, seed: int) -> None:
        pass

    def act(self, observation: Any) -> str:
        return ZOOM if len(observation.turns) < 2 else RIGHT


@pytest.fixture
def records(tmp_path: Path) -> list[Record]:
    env = ZoomEnv("synthetic:flash", split="test", **SMALL)
    ids = [env.tasks[index].id for index in range(2)]
    played = [
        record
        for name in ("one", "chat:m@http://x/v1")
        for record in run_episodes(env, Half(), agent_name=name, task_ids=[*ids, ids[0]], seed=1)
    ]
    write_records(tmp_path / "r.jsonl", played)
    return played


def samples_in(folder: Path) -> dict[str, list[EvalSample]]:
    logs = [read_eval_log(info, resolve_attachments=True) for info in list_eval_logs(str(folder))]
    return {log.eval.model: log.samples or [] for log in logs}


def test_records_become_logs_with_every_frame_that_was_paid_for(
    tmp_path: Path, records: list[Record], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["view", str(tmp_path / "r.jsonl"), "--out", str(tmp_path / "logs")]) == 0
    told = capsys.readouterr().out.splitlines()
    assert [line.partition(" -> ")[0] for line in told[:2]] == [
        "one: 3 episodes",
        "chat:m@http://x/v1: 3 episodes",
    ]
    shown = samples_in(tmp_path / "logs")
    for record, sample in zip(records, shown["one"] + shown["chat:m@http://x/v1"], strict=True):
        frames = pictures(sample.messages)
        assert (sample.id, len(frames)) == (record.task.id, record.frames_used)
        assert all(frame.startswith("data:image/jpeg") for frame in frames)
        assert sample.messages[-1].text == sample.output.completion == RIGHT
        assert [len(pictures(event.input)) for event in sample.events] == [4, 8, 12]
        assert sample.scores
        assert sample.scores["reward_terms"].as_dict()["reward"] == record.reward
    assert [sample.epoch for sample in shown["one"]] == [1, 1, 2]


def test_logs_give_the_records_back_and_say_their_means(
    tmp_path: Path, records: list[Record]
) -> None:
    main(["view", str(tmp_path / "r.jsonl"), "--out", str(tmp_path / "logs")])
    main(["view", str(tmp_path / "r.jsonl"), "--out", str(tmp_path / "logs")])  # replaces them
    logs = [read_eval_log(info) for info in list_eval_logs(str(tmp_path / "logs"))]
    assert len(logs) == 2
    back = {log.eval.model: list(records_of(log)) for log in logs}
    assert back["one"] + back["chat:m@http://x/v1"] == records
    assert [means(log)["accuracy"] for log in logs] == pytest.approx([2 / 3] * 2)


def test_what_cannot_be_shown_is_told_and_left_out(
    tmp_path: Path, records: list[Record], capsys: pytest.CaptureFixture[str]
) -> None:
    lines = (tmp_path / "r.jsonl").read_text().splitlines()[:2]
    broken = json.loads(lines[0])
    broken["turns"][0]["reply"] = ZOOM.replace("4", "3")
    (tmp_path / "r.jsonl").write_text(f"{json.dumps(broken)}\n{lines[1]}\n")
    assert main(["view", str(tmp_path / "r.jsonl"), "--out", str(tmp_path / "logs")]) == 1
    out, err = capsys.readouterr()
    assert "one: 1 episode ->" in out
    assert "needed the episode of the record" in err
    [[sample]] = samples_in(tmp_path / "logs").values()
    assert sample.id == records[1].task.id


def test_fewer_and_smaller_frames_can_be_asked_for(tmp_path: Path, records: list[Record]) -> None:
    out = ["--out", str(tmp_path / "logs"), "--num", "2", "--max-pixels", "200"]
    assert main(["view", str(tmp_path / "r.jsonl"), *out]) == 0
    [samples] = samples_in(tmp_path / "logs").values()
    assert len(samples) == 2
    env = env_to_watch(records[0], max_pixels=200)
    assert watch_again(env, records[0]).overview.images[0].shape[:2] < (28, 28)


def test_the_example_runs(tmp_path: Path) -> None:
    command = [sys.executable, "-W", "ignore", "-m", "examples.integrations.inspect_ai"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    ran = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.startswith("reward     0.45\naccuracy   0.25\n")
    assert len(list(read_records(tmp_path / "logs" / "records.jsonl"))) == 4
