"""Grammars of peers: transcripts of ours, well- and ill-formed, and what is read of each."""

import re
from dataclasses import dataclass

import pytest

from tests.conftest import TASK, new_episode
from zoomgym.errors import CallError, ReplyError
from zoomgym.grading import Segment
from zoomgym.rules import PRESETS
from zoomgym.rules.actions import Answer, TranscriptCall, ZoomCall
from zoomgym.rules.episode import Episode, advance, error_kind
from zoomgym.rules.grammar import action_in, grammar_of, lesson, read_reply, write_reply
from zoomgym.rules.peers import PEER_GRAMMARS
from zoomgym.rules.peers.tree import TreeMove, TreeNode, describe_node, node_of
from zoomgym.rules.relative import GridCall, RelativeCall, Remark, SpreadCall, Standing
from zoomgym.rules.rewards import merge_weights, score


@dataclass(frozen=True)
class Bad:
    """The error that a reply gets: its kind, and a piece of its text."""

    kind: str
    says: str


def unread(says: str) -> Bad:
    return Bad("unreadable", says)


def impossible(says: str) -> Bad:
    return Bad("impossible", says)


@dataclass(frozen=True)
class Loose:
    """The reading of a reply that is usable, but not well-formed."""

    action: object


@dataclass(frozen=True)
class Several:
    """What is read of a reply that holds several calls."""

    calls: tuple[RelativeCall, ...]


def hermes(arguments: str, name: str = "crop_video", key: str = "name") -> str:
    call = f'{{"{key}": "{name}", "arguments": {arguments}}}'
    return f"<tool_call>\n{call}\n</tool_call>"


def crop(start: str, end: str, more: str = '"video_path": "v.mp4", ') -> str:
    return hermes(f'{{{more}"start_time": {start}, "end_time": {end}}}')


def select(start: str, end: str, nframes: str, more: str = "") -> str:
    body = f'{{"start_time": {start}, "end_time": {end}, "nframes": {nframes}{more}}}'
    return hermes(body, "frame_select", "tool")


def seek(start: str, end: str, more: str = '"query": "a car"') -> str:
    return hermes(f'{{{more}, "start_time": {start}, "end_time": {end}}}', "seek_video_frames")


def omni(action: str) -> str:
    return f'{{"observation": "o", "think": "t", "confidence": 0.5, "action": {action}}}'


def act(body: str) -> str:
    return f"<think>t</think><action>{body}</action>"


T = "<think>t</think>"
B = "<answer>B</answer>"
CROP = SpreadCall(4.0, 9.5, fps=1.0, is_capped=True)
OTHER = SpreadCall(20.0, 22.0, fps=1.0, is_capped=True)
TRANSCRIPTS: dict[str, list[tuple[str, object]]] = {
    "longvt": [
        (T + crop("4", "9.5"), CROP),
        (f"{T}\n{crop('4', '9.5')}\n", CROP),
        (T + crop("4", "9.5", ""), CROP),  # the path is not looked at
        (T + B, Answer("B")),
        (f"{T}<answer> B. a cat </answer>", Answer("B. a cat")),
        (crop("4", "9.5"), Loose(CROP)),
        (f"{T}I look. {crop('4', '9.5')}", Loose(CROP)),
        (f"t</think>{B}", Loose(Answer("B"))),
        (T + crop("4", "9.5") + B, unread("found 2")),
        (T + crop("4", "9.5") + crop("1", "2"), unread("found 2")),
        (T + crop("9", "4"), impossible("zoom needs start < end, got")),
        (T + crop("-1", "4"), impossible("zoom needs start >= 0")),
        (T + crop('"4"', "9"), unread("needs JSON numbers, got '4'")),
        (T + crop("1", "1e999"), impossible("finite numbers")),
        (T + hermes('{"start_time": 1}'), unread("needs end_time in seconds, got none")),
        (T + hermes("[1, 2]"), unread("needs an object of arguments")),
        (T + hermes("{}", "zoom_in"), unread("unknown tool 'zoom_in'")),
        (f"{T}<tool_call>crop_video(4, 9)</tool_call>", unread("needs JSON like")),
        (f"{T}<tool_call>[]</tool_call>", unread("needs JSON like")),
        (f"<think>{crop('4', '9')}", unread("found 0")),
        ("B", unread("found 0")),
    ],
    "paravt": [
        (T + crop("4", "9.5"), CROP),
        (T + crop("4", "9.5") + crop("20", "22"), Several((CROP, OTHER))),
        (f"{T}\n{crop('4', '9.5')}\n{crop('20', '22')}\n", Several((CROP, OTHER))),
        (T + crop("20", "22") * 5, Several((OTHER,) * 5)),
        (T + crop("20", "22") * 6, Loose(Several((OTHER,) * 5))),  # the sixth is left out
        (T + B, Answer("B")),
        (crop("4", "9.5") + crop("20", "22"), Loose(Several((CROP, OTHER)))),
        (f"{T}{crop('4', '9.5')} and {crop('20', '22')}", Loose(Several((CROP, OTHER)))),
        (f"{T}{crop('4', '9.5')}{crop('20', '22')} so", Loose(Several((CROP, OTHER)))),
        (f"{T}{crop('4', '9.5')}{crop('20', '22')[:-12]}", Loose(Several((CROP, OTHER)))),
        (T + crop("4", "9.5") + B, unread("found 2")),
        (T + B + B, unread("found 2")),
        (T + crop("4", "9.5") + crop("9", "4"), impossible("zoom needs start < end")),
        (T + crop("4", "9.5") + hermes("{}"), unread("needs start_time in seconds, got none")),
        (T + crop("4", "9.5") + hermes("{}", "look"), unread("unknown tool 'look'")),
        (f"{T}<tool_code>crop_video(4, 9)</tool_code>", unread("found 0")),
    ],
    "eva": [
        (T + select("4", "9", "5"), SpreadCall(4.0, 9.0, 5.0, is_capped=True)),
        ("I look. " + select("4", "9", "5"), SpreadCall(4.0, 9.0, 5.0, is_capped=True)),
        (
            select("4", "9", "5", ', "resize": 0.5'),
            SpreadCall(4.0, 9.0, 5.0, is_capped=True),
        ),
        (
            '<tool_call>{"tool": "frame_select", "parameters": {"start_time": 4, "end_time": 9, '
            '"nframes": 2.0}}</tool_call>',
            SpreadCall(4.0, 9.0, 2.0, is_capped=True),
        ),
        (f"It is a cat. {B}", Answer("B")),
        (B, Answer("B")),
        (f"{select('4', '9', '5')} so", Loose(SpreadCall(4.0, 9.0, 5.0, is_capped=True))),
        (select("4", "9", "0"), impossible("at least 1 frame, got 0")),
        (select("4", "9", "2.5"), impossible("whole number of frames, got 2.5")),
        (select("4", "9", '"5"'), unread("needs JSON numbers")),
        (select("9", "4", "5"), impossible("start < end")),
        (hermes('{"start_time": 4, "end_time": 9}', "frame_select"), unread("needs nframes")),
        (hermes("{}", "look", "tool"), unread("unknown tool 'look'")),
        (select("4", "9", "5") * 2, unread("found 2")),
        ("The answer is B.", unread("found 0")),
    ],
    "timesearch": [
        (T + seek("4", "9"), SpreadCall(4.0, 9.0, 8.0, is_capped=True)),
        (
            T + seek("4", "9", '"query": "", "num_frames": 3'),
            SpreadCall(4.0, 9.0, 3.0, is_capped=True),
        ),
        (
            T + seek("4", "9", '"query": "a", "num_frames": 64'),
            SpreadCall(4.0, 9.0, 8.0, is_capped=True),
        ),
        (
            T + seek("4", "9", '"query": "a", "num_frames": null'),
            SpreadCall(4.0, 9.0, 8.0, is_capped=True),
        ),
        (
            T + hermes('"{\\"start_time\\": 4, \\"end_time\\": 9}"', "seek_video_frames"),
            SpreadCall(4.0, 9.0, 8.0, is_capped=True),
        ),
        (T + B, Answer("B")),
        (seek("4", "9"), Loose(SpreadCall(4.0, 9.0, 8.0, is_capped=True))),
        (T + hermes('{"query": "a car"}', "seek_video_frames"), unread("no text is looked for")),
        (T + seek("null", "9"), unread("no text is looked for")),
        (T + seek("4", "9", '"num_frames": 1.5'), impossible("whole number of frames")),
        (T + seek("4", "9", '"num_frames": 0'), impossible("at least 1 frame")),
        (T + seek("9", "4"), impossible("start < end")),
        (T + hermes('"{"', "seek_video_frames"), unread("needs JSON like")),
        (T + hermes("{}", "clip_search"), unread("unknown tool 'clip_search'")),
        (T + seek("1", "2") + B, unread("found 2")),
    ],
    "video_mtr": [
        (f"{T}<retrieve>5,10</retrieve>", GridCall(5, 10, 1.0, 64)),
        (f"{T}<retrive> 5 , 10 </retrive>", GridCall(5, 10, 1.0, 64)),
        (f"{T}\n<retrieve>7,7</retrieve>", GridCall(7, 7, 1.0, 64)),
        (T + B, Answer("B")),
        ("<retrieve>5,10</retrieve>", Loose(GridCall(5, 10, 1.0, 64))),
        (f"{T}<retrieve>5,10", Loose(GridCall(5, 10, 1.0, 64))),
        (f"{T}<retrieve>10,5</retrieve>", impossible("0 <= first <= last, got 10 and 5")),
        (f"{T}<retrieve>5.5,10</retrieve>", unread("retrieve needs two frame indices")),
        (f"{T}<retrive>-5,10</retrive>", unread("retrive needs two frame indices")),
        (f"{T}<retrieve>5</retrieve>", unread("needs two frame indices")),
        (f"{T}<retrieve>5,{'9' * 400}</retrieve>", unread("needs two frame indices")),
        (f"{T}<retrieve>1,2</retrieve><retrive>1,2</retrive>", unread("found 2")),
        (f"{T}<retrieve>1,2</retrieve>{B}", unread("found 2")),
        (f"{T}<answer>B", unread("closing tag </answer>")),
        ("5,10", unread("found 0")),
    ],
    "framethinker": [
        (act("choose frames between 100 and 250"), GridCall(100, 250, 25.0)),
        (act(" choose frames between 0 and 9 "), GridCall(0, 9, 25.0)),
        (
            act("get frame number at time 01:10"),
            Remark("Frame number at time 01:10 is: 1750."),
        ),
        (
            act("get frame number at time 62:30"),
            Remark("Frame number at time 62:30 is: 93750."),
        ),
        (act("output answer: B"), Answer("B")),
        (act("output answer:B."), Answer("B.")),
        ("<action>output answer: B</action>", Loose(Answer("B"))),
        (act("output answer: B") + "!", Loose(Answer("B"))),
        (act("choose frames between 250 and 100"), impossible("start < end, got 250 and 100")),
        (act("choose frames between 5 and 5"), impossible("start < end")),
        (act("choose frames between 1.5 and 9"), unread("action needs to be `choose frames")),
        (act("get frame number at time 10"), unread("action needs to be")),
        (act("get frame number at time 1:99"), unread("action needs to be")),
        (act("zoom"), unread("action needs to be")),
        (act("zoom") * 2, unread("found 2")),
        (T + B, unread("found 0")),
    ],
    "dynframe": [
        ("<think>t <span>4.00 - 9.50</span><fps>2</fps>", ZoomCall(4.0, 9.5, 2.0)),
        ("<think>t <span>4 - 9</span>\n<fps>0.5</fps>", ZoomCall(4.0, 9.0, 0.5)),
        (T + B, Answer("B")),
        (f"I see it.</think>{B}", Answer("B")),  # it continues an earlier thought
        (f"{T}<answer>0.83 - 19.86</answer>", Answer("0.83 - 19.86")),
        ("<span>4 - 9</span><fps>2</fps>", Loose(ZoomCall(4.0, 9.0, 2.0))),
        (f"{T}<span>4 - 9</span><fps>2</fps>", Loose(ZoomCall(4.0, 9.0, 2.0))),
        ("<think><span>4 - 9</span><fps>2</fps> ok", Loose(ZoomCall(4.0, 9.0, 2.0))),
        ("<think><span>9 - 4</span><fps>2</fps>", impossible("start < end")),
        ("<think><span>4 - 9</span><fps>0</fps>", impossible("fps > 0")),
        ("<think><span>-4 - 9</span><fps>1</fps>", unread("span needs to be like")),
        ("<think><span>4 - 9</span>", unread("span needs to be like")),
        ("<think><span>4 to 9</span><fps>1</fps>", unread("span needs to be like")),
        (f"<think><span>4 - 9</span><fps>1</fps></think>{B}", unread("got more")),
        ("<think><span>4 - 9</span><fps>1</fps>" * 2, unread("got more")),
        ("B", unread("found 0")),
    ],
    "omniagent": [
        (
            omni('{"type": "get_frames", "start": 4, "end": 9.5, "num": 5}'),
            SpreadCall(4.0, 9.5, 5.0),
        ),
        (omni('{"type": "answer", "content": "B"}'), Answer("B")),
        (omni('{"type": "answer", "content": " [[1, 2]] "}'), Answer("[[1, 2]]")),
        ('{"action": {"type": "answer", "content": "B"}}', Loose(Answer("B"))),
        (
            "```json\n" + omni('{"type": "answer", "content": "B"}') + "\n```",
            Loose(Answer("B")),
        ),
        (
            omni('{"type": "get_frames",\n"start": 4, "end": 9, "num": 1}'),
            Loose(SpreadCall(4.0, 9.0, 1.0)),
        ),
        (
            omni('{"type": "get_audio", "start": 4, "end": 9}'),
            unread("get_audio is not available here, has_audio is false"),
        ),
        (omni('{"type": "get_clip", "start": 4, "end": 9}'), unread("get_clip is not available")),
        (omni('{"type": "get_frames", "start": 4, "end": 9}'), unread("needs num")),
        (omni('{"type": "get_frames", "end": 9, "num": 1}'), unread("needs start in seconds")),
        (
            omni('{"type": "get_frames", "start": 9, "end": 4, "num": 1}'),
            impossible("start < end"),
        ),
        (
            omni('{"type": "get_frames", "start": 4, "end": 9, "num": 0}'),
            impossible("at least 1 frame"),
        ),
        (omni('{"type": "answer", "content": 2}'), unread("answer needs a text as content")),
        (omni('{"type": "zoom"}'), unread("get_frames or answer, got 'zoom'")),
        (omni('"get_frames"'), unread("reply needs an action like")),
        (omni('{"type": ["get_frames"]}'), unread("got a list of 1")),
        ("B", unread("found 0")),
    ],
    "gemini": [
        (
            '{"name": "get_frames", "args": {"start": 4, "end": 9, "fps": 2}}',
            ZoomCall(4.0, 9.0, 2.0),
        ),
        (
            '{"name": "get_frames", "arguments": "{\\"start\\": 4, \\"end\\": 9, \\"fps\\": 2}"}',
            ZoomCall(4.0, 9.0, 2.0),
        ),
        (
            '{"name": "get_transcript", "args": {"start": 4, "end": 9}}',
            TranscriptCall(4.0, 9.0),
        ),
        ('{"answer": "B"}', Answer("B")),
        ('So: {"answer": "B"}', Loose(Answer("B"))),
        (
            '{"name": "get_audio", "args": {"start": 4, "end": 9}}',
            unread("get_audio is not available here"),
        ),
        ('{"name": "get_frames", "args": {"start": 4, "end": 9}}', unread("needs fps")),
        ('{"name": "get_frames", "args": {"start": 9, "end": 4, "fps": 1}}', impossible("start <")),
        ('{"name": "get_frames", "args": {"start": 4, "end": 9, "fps": -1}}', impossible("fps >")),
        ('{"name": "get_frames", "args": [4, 9, 1]}', unread("call needs args like")),
        ('{"name": "get_frames"}', unread("call needs args like")),
        ('{"name": "look", "args": {}}', unread("unknown function 'look'")),
        ('{"name": ["get_frames"], "args": {}}', unread("unknown function a list")),
        ('{"name": "get_frames", "answer": "B"}', unread("one call or an answer")),
        ('{"answer": 2}', unread("answer needs a text, got 2")),
        ("B", unread("found 0")),
    ],
    "vts": [
        (act('{"action": "ZOOM_IN", "segment_id": 2}'), TreeMove("ZOOM_IN", 2)),
        (act('{"action": "SHIFT", "segment_id": 0, "answer": null}'), TreeMove("SHIFT", 0)),
        (act('{"action": "ZOOM_OUT", "segment_id": null}'), TreeMove("ZOOM_OUT")),
        (
            act('{"action": "ANSWER", "answer": "B", "evidence_start": 4, "evidence_end": 9}'),
            Answer("B", (Segment(4.0, 9.0),)),
        ),
        (act('{"action": "ANSWER", "answer": "B"}'), Answer("B")),
        (
            act('{"action": "ANSWER", "answer": "B", "evidence_start": 9, "evidence_end": 4}'),
            Answer("B"),
        ),
        ('<action>{"action": "ZOOM_OUT"}</action>', Loose(TreeMove("ZOOM_OUT"))),
        (act('{"action": "ZOOM_OUT"}') + " so", Loose(TreeMove("ZOOM_OUT"))),
        (act('{"action": "ZOOM_IN"}'), unread("ZOOM_IN needs JSON numbers, got None")),
        (act('{"action": "ZOOM_IN", "segment_id": "2"}'), unread("needs JSON numbers, got '2'")),
        (act('{"action": "ZOOM_IN", "segment_id": 1.5}'), impossible("a whole segment_id")),
        (act('{"action": "SHIFT", "segment_id": -1}'), impossible("a whole segment_id")),
        (act('{"action": "SHIFT", "segment_id": 1e300}'), impossible("a whole segment_id")),
        (act('{"action": "ANSWER", "answer": null}'), unread("ANSWER needs an answer like")),
        (act('{"action": "LOOK"}'), unread("ZOOM_IN, ZOOM_OUT, SHIFT or ANSWER, got 'LOOK'")),
        (act('{"action": ["ZOOM_IN"]}'), unread("action needs to be like")),
        (act("[]"), unread("action needs to be like")),
        (act("ZOOM_IN 2"), unread("needs JSON like")),
        (T + B, unread("found 0")),
    ],
}
CASES = [(name, *case) for name, cases in TRANSCRIPTS.items() for case in cases]


def test_every_grammar_of_a_peer_has_twelve_transcripts() -> None:
    assert TRANSCRIPTS.keys() == PEER_GRAMMARS.keys()
    assert all(len(cases) >= 12 for cases in TRANSCRIPTS.values())


@pytest.mark.parametrize(("grammar", "reply", "expected"), CASES)
def test_a_transcript_is_read_as_its_peer_means_it(
    grammar: str, reply: str, expected: object
) -> None:
    if isinstance(expected, Bad):
        error = CallError if expected.kind == "impossible" else ReplyError
        with pytest.raises(ReplyError, match=re.escape(expected.says)) as caught:
            read_reply(reply, grammar)
        assert type(caught.value) is error
        assert action_in(reply, grammar) is None
        return
    reading = read_reply(reply, grammar)
    read: object = reading.action
    if reading.further:
        assert isinstance(reading.action, RelativeCall)
        read = Several((reading.action, *reading.further))
    if isinstance(expected, Loose):
        assert (read, reading.is_well_formed) == (expected.action, False)
    else:
        assert (read, reading.is_well_formed) == (expected, True)


@pytest.mark.parametrize("grammar", PEER_GRAMMARS)
def test_an_answer_is_written_as_it_is_read(grammar: str) -> None:
    reading = read_reply(write_reply(Answer("B"), grammar, "I see."), grammar)
    assert (reading.action, reading.is_well_formed) == (Answer("B"), True)


@pytest.mark.parametrize("grammar", [g for g in PEER_GRAMMARS if grammar_of(g).says_zooms])
def test_a_zoom_is_written_as_it_is_executed(grammar: str) -> None:
    call = ZoomCall(4.0, 9.25, 4 / 5.25)
    reading = read_reply(write_reply(call, grammar, "I look."), grammar)
    assert reading.is_well_formed
    zoom = reading.action
    if isinstance(zoom, RelativeCall):
        zoom = zoom.fit(Standing(60.0, 16))
    assert isinstance(zoom, ZoomCall)
    assert zoom.times_s == pytest.approx(call.times_s, abs=1e-9)  # numbers are written rounded


@pytest.mark.parametrize("grammar", [g for g in PEER_GRAMMARS if grammar_of(g).samples])
def test_what_a_grammar_cannot_say_is_refused_and_its_samples_are_calls(grammar: str) -> None:
    with pytest.raises(ValueError, match="the grammar has no words for ZoomCall"):
        write_reply(ZoomCall(4, 9, 1), grammar)
    for sample in grammar_of(grammar).samples:
        reading = read_reply(sample, grammar)
        assert reading.is_well_formed
        assert isinstance(reading.action, RelativeCall)


@pytest.mark.parametrize("grammar", PEER_GRAMMARS)
def test_a_transcript_call_has_words_where_the_peer_has_the_tool(grammar: str) -> None:
    call = TranscriptCall(4.0, 9.0)
    if grammar == "gemini":
        tools = ("zoom", "transcript")
        assert read_reply(write_reply(call, grammar), grammar, tools).action == call
        assert "get_transcript" in lesson(grammar, tools)
        assert "get_transcript" not in lesson(grammar)
        return
    with pytest.raises(ValueError, match="the grammar has no words for TranscriptCall"):
        write_reply(call, grammar)


# What an episode makes of them --------------------------------------------------------------------


def play(preset: str, *replies: str, **rules: object) -> Episode:
    arguments = dict(PRESETS[preset].arguments)
    del arguments["reward_weights"]
    episode = new_episode(TASK, **{**arguments, "preset": preset, **rules})
    for reply in replies:
        episode = advance(episode, reply)
    return episode


def times(preset: str, *replies: str, **rules: object) -> list[float]:
    return [round(time_s, 6) for time_s in play(preset, *replies, **rules).clip_s]


def test_a_stretch_is_shown_at_one_frame_a_second_and_a_long_one_thinner() -> None:
    assert times("longvt", T + crop("4", "9.5")) == [4.0, 5.1, 6.2, 7.3, 8.4]
    assert times("longvt", T + crop("4", "4.5")) == [4.0]
    few = times("longvt", T + crop("0", "60"), frames_per_zoom=4)
    assert few == [0.0, 15.0, 30.0, 45.0]
    assert times("longvt", T + crop("58", "90")) == [58.0, 59.0]  # cut to the video


def test_a_number_of_frames_is_spread_over_the_part_that_the_video_has() -> None:
    assert times("eva", select("50", "70", "5")) == [50.0, 52.0, 54.0, 56.0, 58.0]
    assert len(times("eva", select("0", "60", "1000"))) == 64
    assert times("timesearch", T + seek("0", "8")) == [0, 1, 2, 3, 4, 5, 6, 7]
    frames = omni('{"type": "get_frames", "start": 0, "end": 60, "num": 3}')
    assert times("omniagent", frames) == [0.0, 20.0, 40.0]


def test_more_frames_than_a_peer_allows_are_refused_in_its_words() -> None:
    frames = omni('{"type": "get_frames", "start": 0, "end": 60, "num": 61}')
    episode = play("omniagent", frames)
    [turn] = episode.turns
    assert turn.error == "zoom needs at most 60 frames, got 61: shorten it or lower fps"
    assert turn.feedback == f"[ERROR] {turn.error}"
    assert error_kind(turn, "omniagent") == "refused"


def test_frame_indices_are_seconds_of_the_video() -> None:
    assert times("video_mtr", f"{T}<retrieve>5,10</retrieve>") == [5, 6, 7, 8, 9, 10]
    assert times("video_mtr", f"{T}<retrive>59,59</retrive>") == [59.0]
    assert times("video_mtr", f"{T}<retrieve>0,31</retrieve>") == [0, 4, 8, 12, 16, 20, 24, 28]
    [turn] = play("video_mtr", f"{T}<retrieve>5,60</retrieve>").turns
    assert turn.error == "frames need indices below 60, got 60: the video has no more"
    assert turn.feedback.startswith(f"Your response in the previous turn is invalid: {turn.error}")
    assert times("framethinker", act("choose frames between 100 and 107")) == [
        4.0, 4.04, 4.08, 4.12, 4.16, 4.2, 4.24, 4.28,
    ]  # fmt: skip


def test_of_a_long_video_indices_count_as_many_frames_as_the_peer_loads() -> None:
    call = GridCall(32, 63, 1.0, 64)
    zoom = call.fit(Standing(6400.0, 8))
    assert (zoom.start_s, zoom.end_s, zoom.num_frames) == (3200.0, 6400.0, 8)


def test_arithmetic_is_told_and_shows_nothing() -> None:
    episode = play("framethinker", act("get frame number at time 00:10"))
    [turn] = episode.turns
    assert (turn.feedback, turn.error, turn.zoom) == (
        "Frame number at time 00:10 is: 250.", "", None,
    )  # fmt: skip
    assert (episode.frames_used, episode.turns_left) == (8, 4)


# Several calls in a reply -------------------------------------------------------------------------

THREE = T + crop("4", "6") + crop("20", "23") + crop("40", "41")


def test_several_calls_are_executed_in_order_and_their_frames_are_one_clip() -> None:
    episode = play("paravt", THREE)
    [turn] = episode.turns
    assert (turn.zoom, turn.error, turn.tool, turn.num_calls) == (None, "", "zoom", 3)
    assert [(zoom.start_s, zoom.end_s) for zoom in turn.zooms] == [(4, 6), (20, 23), (40, 41)]
    assert turn.zooms == episode.zooms
    assert episode.clip_s == (4, 5, 20, 21, 22, 40)
    assert [call.num_frames for call in episode.shown] == [6]
    assert (episode.frames_used, episode.turns_left) == (64 + 6, 3)
    assert episode.feedback == "\n".join(
        f"<tool_response>\n{said}.\n</tool_response>"
        for said in (
            "2 frames from 4.0s to 6.0s",
            "3 frames from 20.0s to 23.0s",
            "1 frames from 40.0s to 41.0s",
        )
    )


def test_a_call_among_several_that_is_refused_is_told_and_costs_the_format() -> None:
    reply = T + crop("4", "6") + crop("60", "61") + crop("40", "41")
    episode = play("paravt", reply)
    [turn] = episode.turns
    assert [zoom.start_s for zoom in turn.zooms] == [4, 40]
    assert turn.error == "zoom needs start < 60.00, the end of the video, got 60: start earlier"
    assert episode.feedback.endswith(f"<tool_response>\n[Error: {turn.error}]\n</tool_response>")
    assert error_kind(turn, "paravt") == "refused"
    parts = score(advance(episode, T + B))
    assert (parts.accuracy, parts.format, parts.tool, parts.zoom_cost) == (1, 0, 1, 2)


def test_several_calls_that_are_all_refused_show_nothing() -> None:
    [turn] = play("paravt", T + crop("60", "61") + crop("70", "71")).turns
    assert (turn.zooms, turn.shown) == ((), None)
    assert turn.error.count("zoom needs start < 60.00") == 2


def test_several_calls_are_executed_until_the_budget_ends() -> None:
    reply = T + crop("0", "4") + crop("10", "13") + crop("20", "22") + crop("30", "31")
    episode = play("paravt", reply, num_overview=1, frame_budget=7)
    [turn] = episode.turns
    assert [zoom.start_s for zoom in turn.zooms] == [0, 20]  # the second needs 3 frames of 2
    assert episode.budget.left == 0
    assert turn.error == (
        "zoom needs at most 2 frames, all that are left, got 3: shorten it or lower fps; "
        "zoom needs at most 0 frames, all that are left, got 1: answer now"
    )
    more = play("paravt", T + crop("0", "4") * 2 + crop("1", "2") * 3, frame_budget=68)
    assert more.turns[0].error.count(";") == 0  # no call is tried once nothing is left


def test_rewards_see_every_call() -> None:
    weights = merge_weights({"repeat_cost": 0, "tool_cost": 0})
    replies = (T + crop("4", "6") + crop("4", "6") + crop("20", "21"), T + B)
    parts = score(play("paravt", *replies), weights)
    assert (parts.zoom_cost, parts.tool_cost, parts.repeat_cost) == (3, 3, 1)


def test_no_other_grammar_takes_several_calls() -> None:
    for name in PEER_GRAMMARS:
        assert grammar_of(name).most_calls == (5 if name == "paravt" else 1)
    [turn] = play("longvt", THREE).turns
    assert "found 3" in turn.error


def test_in_the_last_turn_none_of_several_calls_is_executed() -> None:
    turn = play("paravt", *[THREE] * 4).turns[-1]
    assert turn.error == "the last turn needs an answer, got a zoom: it was not executed"
    assert turn.zooms == ()


def move(kind: str, number: int | None = None) -> str:
    return act(f'{{"action": "{kind}", "segment_id": {"null" if number is None else number}}}')


def test_moves_walk_the_tree_from_what_was_shown_last() -> None:
    walk = [("ZOOM_IN", 1), ("SHIFT", 3), ("ZOOM_OUT", None), ("ZOOM_IN", 0)]
    episode = play("vts", *(move(*step) for step in walk))
    spans = [(zoom.start_s, zoom.end_s) for zoom in episode.zooms]
    assert spans == [(15.0, 30.0), (45.0, 60.0), (0.0, 60.0), (0.0, 15.0)]
    assert [zoom.num_frames for zoom in episode.zooms] == [16, 16, 61, 16]


@pytest.mark.parametrize(
    ("moves", "error"),
    [
        ([("ZOOM_OUT", None)], "ZOOM_OUT needs a parent, got none"),
        ([("SHIFT", 1)], r"SHIFT needs a segment_id of \[\], got 1"),
        ([("ZOOM_IN", 4)], r"ZOOM_IN needs a segment_id of \[0, 1, 2, 3\], got 4"),
        ([("ZOOM_IN", 0), ("ZOOM_IN", 0)], r"ZOOM_IN needs a segment_id of \[\], got 0"),
        ([("ZOOM_IN", 2), ("SHIFT", 2)], r"SHIFT needs a segment_id of \[0, 1, 3\], got 2"),
    ],
)
def test_a_move_to_no_node_is_refused(moves: list[tuple[str, int | None]], error: str) -> None:
    turn = play("vts", *(move(*one) for one in moves)).turns[-1]
    assert re.match(error, turn.error)
    assert turn.zoom is None


def test_a_node_is_told_from_its_segment_in_videos_of_any_length() -> None:
    for duration_s in (60.0, 61.7, 3599.96, 36_000.0):
        node, path = TreeNode(0, 0), [3, 1, 0, 2, 3]
        for step in path:
            if not (children := node.children(duration_s)):
                break
            node = children[step]
            assert node_of(node.segment(duration_s), duration_s) == node
    assert node_of(Segment(1.0, 1.0 + 1e-15), 36_000.0).level == 20
    assert "Parent: [0.0s-36000.0s]" in describe_node(Segment(9000.0, 18_000.0), 36_000.0)


@pytest.mark.parametrize("preset", PRESETS)
def test_the_last_turn_of_every_preset_needs_an_answer(preset: str) -> None:
    grammar = str(PRESETS[preset].arguments["grammar"])
    episode = play(preset, max_turns=1)
    samples = grammar_of(grammar).samples
    call = samples[0] if samples else write_reply(ZoomCall(4.0, 9.0, 1.0), grammar)
    [turn] = advance(episode, call).turns
    assert turn.error == "the last turn needs an answer, got a zoom: it was not executed"
    assert advance(episode, write_reply(Answer("B"), grammar)).is_right


def test_texts_in_braces_are_never_fields() -> None:
    episode = play("longvt", T + hermes("{}", "{turns}{0}"))
    assert "unknown tool '{turns}{0}'" in episode.feedback
