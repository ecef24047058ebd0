"""Presets, played through `chat:` against a real server: what it is sent is the peer's layout."""

from typing import Any

import pytest

from agents.chat.agent import ChatAgent, make_chat
from tests.agents.chat.test_chat import pictures
from tests.grading.judges import Handler, JudgeServer, chats, judging
from tests.playing import play_episode
from tests.rules.test_peers import B, T, act, crop, omni, seek, select
from zoomgym import ZoomEnv
from zoomgym.errors import AgentError
from zoomgym.records import Record, replay
from zoomgym.rules import PRESETS

SMALL = {"source": "scene", "max_pixels": 1024, "frame_size": (8, 8)}
IMAGE = "\N{FRAME WITH PICTURE}"
ASKED = (
    "While the amber beacon is lit, one symbol shows briefly. Which symbol is it?\n"
    "A. green triangle\nB. cyan ring\nC. red circle\nD. white cross"
)


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")


def chat(server: JudgeServer, query: str = "") -> ChatAgent:
    agent = make_chat(f"m@{server.url}{query}")
    agent.reset(0)
    return agent


def laid_out(message: dict[str, Any]) -> str:
    """Returns a message as one text, each picture as one sign."""
    content = message["content"]
    if isinstance(content, str):
        return content
    assert len(pictures(message)) == sum("image_url" in part for part in content)
    return "".join(part.get("text", IMAGE) for part in content)


def played(preset: str, *replies: str, **settings: Any) -> tuple[Record, list[dict[str, Any]]]:
    """Returns the record of an episode, and the messages of its last request."""
    env = ZoomEnv("synthetic:flash", preset=preset, **{**SMALL, **settings})
    with judging(*map(chats, replies)) as server:
        record = play_episode(env, chat(server), agent_name="chat", seed=0)
    assert [turn.reply for turn in record.turns] == list(replies)
    assert record.end_reason == "answered"
    replay(Record.from_json(record.to_json()))
    assert record.settings["preset"] == preset
    messages: list[dict[str, Any]] = server.requests[-1][2]["messages"]
    roles = [message["role"] for message in messages]
    assert roles[:2] == ["system", "user"]
    assert (roles.count("assistant"), roles[-1]) == (len(replies) - 1, "user")
    return record, messages


TOOL_ERROR = (
    'reply needs exactly one <tool_call>{"name": "crop_video", "arguments": {"video_path": '
    '"video.mp4", "start_time": 12.5, "end_time": 15.0}}</tool_call> or <answer>B</answer> outside '
    "<think>, found 0 in 'hm'"
)
LAST = "This is the last turn: only an answer counts."
LAYOUTS = {
    "videozoomer": (
        {"num_overview": 2},
        (T + '<video_zoom>{"segment": [4, 6], "fps": 1}</video_zoom>', T + B),
        (
            f"<frame0_time0.00s>{IMAGE}<frame1_time59.92s>{IMAGE}The video lasts 60.00 s.\n{ASKED}",
            "<tool_response>\nZoom 1: 2 frames of [4.00, 6.00) s at 1 fps. Frames left: 124. "
            f"Turns left: 4.\n<frame0_time4.00s>{IMAGE}<frame1_time5.00s>{IMAGE}\n</tool_response>",
        ),
    ),
    "longvt": (
        {"num_overview": 2},
        (T + crop("4", "7"), "hm", T + B),
        (
            f"{IMAGE}{IMAGE}{ASKED}\n"
            "Think, call crop_video where you need to see more, and answer.",
            f"<tool_response>\n{IMAGE * 3}Cropped 4s-7s, got 3 frames.\n</tool_response>",
            f"<tool_response>\nError: {TOOL_ERROR}\n</tool_response>",
        ),
    ),
    "paravt": (
        {"num_overview": 2},
        (T + crop("4", "6") + crop("20", "21") + crop("90", "91"), T + crop("4", "5"), T + B),
        (
            f"{IMAGE}{IMAGE}{ASKED}\nVideo path: video.mp4",
            f"{IMAGE}{IMAGE}<tool_response>\n2 frames from 4.0s to 6.0s.\n</tool_response>",
            f"{IMAGE}<tool_response>\n1 frames from 20.0s to 21.0s.\n</tool_response>",
            "<tool_response>\n[Error: zoom needs start < 60.00, the end of the video, got 90: "
            "start earlier]\n</tool_response>",
            f"{IMAGE}<tool_response>\n1 frames from 4.0s to 5.0s.\n</tool_response>",
        ),
    ),
    "eva": (
        {},
        (select("4", "70", "2"), B),
        (
            f"Video Length: 60 seconds. {ASKED}",
            f"<tool_response>Frame 0 at [00:04]: {IMAGE}\nFrame 1 at [00:32]: {IMAGE}\n"
            f"To see more, call the tool again.\n\nQuestion: {ASKED}</tool_response>",
        ),
    ),
    "dynframe": (
        {"num_overview": 2},
        ("<think>t <span>4.00 - 5.00</span><fps>2</fps>", f"I see.</think>{B}"),
        (
            f"<0.0 seconds>{IMAGE}<59.9 seconds>{IMAGE}{ASKED}",
            f"<4.0 seconds>{IMAGE}<4.5 seconds>{IMAGE}",
        ),
    ),
    "video_mtr": (
        {"num_overview": 2},
        (f"{T}<retrive>5, 6</retrive>", f"{T}<retrieve>6,5</retrieve>", T + B),
        (
            "Turn 1\nYou see 2 frames, frame_idx_list: [0, 59]\n\nFrames:\n"
            f"frame_idx:0, {IMAGE}\nframe_idx:59, {IMAGE}\n{ASKED}\n"
            "Retrieve more frames or answer.",
            f"Turn 2\nYou see 2 frames, frame_idx_list: [5, 6]\n{ASKED}\n"
            f"Retrieve more frames or answer.\n\nFrames:\nframe_idx:5, {IMAGE}\n"
            f"frame_idx:6, {IMAGE}",
            "Your response in the previous turn is invalid: frames need 0 <= first <= last, got 6 "
            f"and 5: send the earlier index first\n\nTurn 3\n{ASKED}\nRetrieve more frames or "
            "answer.\nThis is the last turn: you must provide your answer now.",
        ),
    ),
    "gemini": (
        {},
        (
            '{"name": "get_frames", "args": {"start": 64, "end": 66, "fps": 1}}',
            '{"name": "get_audio", "args": {"start": 4, "end": 6}}',
            '{"answer": "B"}',
        ),
        (
            f"The video lasts 02:00.\n{ASKED}",
            f"get_frames: 2 frames of 64 s to 66 s.\n[01:04] {IMAGE}\n[01:05] {IMAGE}",
            "error: get_audio is not available here: no sound is played, use get_frames",
        ),
    ),
    "framethinker": (
        {"num_overview": 2, "frames_per_zoom": 2},
        (
            act("get frame number at time 00:10"),
            act("choose frames between 100 and 199"),
            act("output answer: B"),
        ),
        (
            f"{ASKED}\nframe 0:{IMAGE}\nframe 1497:{IMAGE}",
            "Frame number at time 00:10 is: 250.",
            f"frame 100:{IMAGE}\nframe 150:{IMAGE}",
        ),
    ),
    "timesearch": (
        {"num_overview": 2},
        (T + seek("4", "8", '"query": "a", "num_frames": 2'), T + B),
        (
            f"0.0s{IMAGE}59.9s{IMAGE}Question: {ASKED}\nThe video duration: 60.0 seconds.",
            f"<tool_response>\n4.0s{IMAGE}6.0s{IMAGE}Here are frames, at 4.0s,6.0s.\nIf they are "
            "enough, answer inside <answer></answer>. Otherwise call the tool again.\n"
            "</tool_response>",
        ),
    ),
    "omniagent": (
        {"max_turns": 3},
        (
            omni('{"type": "get_frames", "start": 4, "end": 6, "num": 2}'),
            omni('{"type": "get_audio", "start": 4, "end": 6}'),
            omni('{"type": "answer", "content": "B"}'),
        ),
        (
            f"Video META: duration=60.00s, has_audio=false\n{ASKED}",
            f"Frames 4.00s-6.00s (num=2). Timestamps: [4.0s,5.0s]\n{IMAGE}{IMAGE}",
            "[ERROR] get_audio is not available here, has_audio is false: use get_frames\n"
            "[NOTICE] FINAL STEP: answer now.",
        ),
    ),
    "vts": (
        {"num_overview": 3, "frames_per_zoom": 2},
        (
            act('{"action": "ZOOM_IN", "segment_id": 1}'),
            act('{"action": "ANSWER", "answer": "B", "evidence_start": 16, "evidence_end": 20}'),
        ),
        (
            f"Current Segment [0.0s-60.0s]:\n\nSegment 0 [0.0s-15.0s]:\n0.0s: {IMAGE}\n\n"
            f"Segment 1 [15.0s-30.0s]:\n30.0s: {IMAGE}\n\nSegment 3 [45.0s-60.0s]:\n59.9s: {IMAGE}"
            "\nNavigation Context:\nCurrent Position: [0.0s-60.0s]\nValid ZOOM_IN targets: Segment "
            "0 [0.0s-15.0s], Segment 1 [15.0s-30.0s], Segment 2 [30.0s-45.0s], Segment 3 "
            f"[45.0s-60.0s]\n\nQuestion: {ASKED}",
            "Navigation Context:\nCurrent Position: [15.0s-30.0s]\nParent: [0.0s-60.0s]\nValid "
            "SHIFT targets: Segment 0 [0.0s-15.0s], Segment 2 [30.0s-45.0s], Segment 3 "
            f"[45.0s-60.0s]\n\nQuestion: {ASKED}\n\nCurrent Segment [15.0s-30.0s]:\n"
            f"15.0s: {IMAGE}\n22.5s: {IMAGE}",
        ),
    ),
}


@pytest.mark.parametrize("preset", LAYOUTS)
def test_a_peers_model_is_sent_its_own_layout(preset: str) -> None:
    settings, replies, expected = LAYOUTS[preset]
    if preset == "gemini":
        settings = {"duration_s": 120}
    record, messages = played(preset, *replies, **settings)
    assert [laid_out(message) for message in messages if message["role"] == "user"] == [*expected]
    assert record.turns[0].is_well_formed
    assert record.answer == "B"


def test_every_preset_is_played() -> None:
    assert LAYOUTS.keys() == PRESETS.keys()


@pytest.mark.parametrize("preset", PRESETS)
def test_the_lesson_of_a_peer_is_the_system_message(preset: str) -> None:
    _, replies, _ = LAYOUTS[preset]
    _, messages = played(preset, replies[-1], num_overview=0)
    said = {
        "videozoomer": "<video_zoom>", "longvt": '"name": "crop_video"',
        "paravt": "up to 5 times in a reply",
        "eva": '"tool": "frame_select"', "dynframe": "<span>12.50 - 15.00</span><fps>2</fps>",
        "video_mtr": "<retrieve>start_frame, end_frame</retrieve>", "gemini": '"get_frames"',
        "framethinker": "`choose frames between START_FRAME and END_FRAME`",
        "timesearch": '"name": "seek_video_frames"', "omniagent": '"type": "get_frames"',
        "vts": '{"action": "ZOOM_IN", "segment_id": 2}',
    }  # fmt: skip
    assert said[preset] in messages[0]["content"]


def test_without_tools_a_peer_is_told_that_this_is_the_last_turn() -> None:
    _, messages = played("longvt", T + B, num_overview=1, max_turns=1)
    assert laid_out(messages[1]).endswith(f"and answer.\n{LAST}")


def test_an_argument_beside_a_preset_is_the_one_that_is_played() -> None:
    record, messages = played("eva", '{"answer": "B"}', grammar="json", num_overview=1)
    assert (record.rules.grammar, record.rules.num_overview) == ("json", 1)
    assert laid_out(messages[1]) == f"Video Length: 60 seconds. Frame 0 at [00:00]: {IMAGE}{ASKED}"


def cut_at_stop(handler: Handler) -> None:
    chats("<think>t <span>4.00 - 5.00</span><fps>2")(handler)


def test_a_stop_string_and_thoughts_that_the_server_took_are_put_back() -> None:
    env = ZoomEnv("synthetic:flash", preset="dynframe", **{**SMALL, "num_overview": 1})
    with judging(cut_at_stop, chats(B, reasoning_content="I see.")) as server:
        record = play_episode(env, chat(server), agent_name="chat", seed=0)
    assert server.requests[0][2]["stop"] == ["</fps>"]
    assert [turn.reply for turn in record.turns] == [
        "<think>t <span>4.00 - 5.00</span><fps>2</fps>",
        f"<think>I see.</think>{B}",
    ]


def test_native_calls_need_rules_without_a_preset() -> None:
    env = ZoomEnv("synthetic:flash", preset="longvt", **{**SMALL, "num_overview": 1})
    env.reset(seed=0)
    with (
        judging(chats(B)) as server,
        pytest.raises(AgentError, match="without a preset, got longvt: its model"),
    ):
        chat(server, "?tools=true").act(env.observation)


def test_a_function_call_of_gemini_is_read() -> None:
    function = {"name": "get_frames", "arguments": '{"start": 4, "end": 6, "fps": 1}'}
    call = {"id": "1", "type": "function", "function": function}
    env = ZoomEnv("synthetic:flash", preset="gemini", **SMALL)
    with judging(chats(tool_calls=[call]), chats('{"answer": "B"}')) as server:
        record = play_episode(env, chat(server), agent_name="chat", seed=0)
    assert record.turns[0].zoom is not None
    assert record.turns[0].zoom.times_s == (4.0, 5.0)
    assert record.turns[0].is_well_formed
