"""The two grammars: what is usable, what is well-formed, and what neither may do."""

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import new_episode
from zoomgym.errors import CallError, ReplyError
from zoomgym.rules.actions import Answer, ZoomCall
from zoomgym.rules.episode import advance
from zoomgym.rules.grammar import (
    GRAMMARS,
    MAX_REPLY_CHARS,
    Grammar,
    action_in,
    read_reply,
    write_reply,
)
from zoomgym.rules.rewards import score
from zoomgym.rules.timeline import Segment
from zoomgym.testing import nasty_replies

ZOOM = '{"segment": [4, 6], "fps": 8}'
T = "<think>hm</think>"
VZ = f"<video_zoom>{ZOOM}</video_zoom>"

# reply, then accuracy, format and tool of the episode, after a right answer where it goes on
JSON_REPLIES = [
    # well-formed
    ('{"answer": "B"}', 1, 1, 0),
    ('{"answer": "B", "evidence": [[12.5, 15.0]]}', 1, 1, 0),
    ('{"answer": "B", "evidence": "at the end"}', 1, 1, 0),
    ('{"answer": "A"}', 0, 1, 0),
    ('{"answer": ""}', 0, 1, 0),
    ('  {"answer": "(b)"}\n', 1, 1, 0),
    ('{"answer": "green", "why": {"it": ["is"]}}', 1, 1, 0),
    ('{"why": "}{", "answer": "B"}', 1, 1, 0),
    ('{"answer": "\\u0042"}', 1, 1, 0),
    ('{"answer": "The answer is B"}', 0, 1, 0),
    ('<think>hm</think>{"answer": "B"}', 1, 1, 0),
    ('<think>\n\n</think>\n\n{"answer": "B"}\n', 1, 1, 0),
    ('<think>maybe {"answer": "A"}, or {"segment"</think>\n{"answer": "B"}', 1, 1, 0),
    ('<think>"quoted {" and }{</think>{"answer": "B"}', 1, 1, 0),
    ('<think>a</think> <think>b {"answer": "A"}</think> {"answer": "B"}', 1, 1, 0),
    ('<think>a <think> b</think>{"answer": "B"}', 1, 1, 0),
    ('I see {"answer": "A"}? No.</think>{"answer": "B"}', 1, 1, 0),
    ('{"answer": "A"} is wrong.</think>\n\n{"answer": "B"}', 1, 1, 0),
    ('so {"</think>{"answer": "B"}', 1, 1, 0),
    ('</think>{"answer": "B"}', 1, 1, 0),
    ('a</think>b {"answer": "A"}</think>{"answer": "B"}', 1, 1, 0),
    ('<think>a</think>b</think>{"answer": "B"}', 1, 1, 0),
    (f"<think>{ZOOM}</think>{ZOOM}", 1, 1, 1),
    (f"hm, {ZOOM}</think>{ZOOM}", 1, 1, 1),
    ('{"answer": "</think>"}', 0, 1, 0),
    ('{"answer": "<think>B</think>"}', 0, 1, 0),
    ('{"answer": "A</think>B"}', 0, 1, 0),
    ('{"answer": "</think>{\\"answer\\": \\"B\\"}"}', 0, 1, 0),
    ('{"why": "</think>", "answer": "B"}', 1, 1, 0),
    ('<think>hm</think>{"why": "</think>", "answer": "B"}', 1, 1, 0),
    ('hm</think>{"why": "<think>", "answer": "B"}', 1, 1, 0),
    ('hm</think>{"answer": "</think>"}', 0, 1, 0),
    (ZOOM, 1, 1, 1),
    ('{\n "fps": 8,\n "segment": [4, 6]\n}', 1, 1, 1),
    ('{"segment": [0.2, 8.2], "fps": 2, "note": null}', 1, 1, 1),
    ('{"segment": [50, 1000], "fps": 1}', 1, 1, 1),
    ('{"segment": [-0.0, 2], "fps": 1e0}', 1, 1, 1),
    # usable, but not well-formed
    ('I say {"answer": "B"}', 1, 0, 0),
    ('```json\n{"answer": "B"}\n```', 1, 0, 0),
    (f"```json\n{ZOOM}\n```", 1, 0, 1),
    (f"Let me look: {ZOOM}.", 1, 0, 1),
    ('It\'s "quoted {"answer": "B"}', 1, 0, 0),
    ('[{"answer": "B"}]', 1, 0, 0),
    ('I use {curly} braces. {"answer": "B"}', 1, 0, 0),
    ('{"answer": "B"} {', 1, 0, 0),
    ('{ hm {"answer": "C"}', 1, 0, 0),
    ('{"answer": "C"} {"', 1, 0, 0),
    ('<think>hm</think>I say {"answer": "B"}', 1, 0, 0),
    ('Well. <think>{"answer": "A"}</think>{"answer": "B"}', 1, 0, 0),
    ('hm {"answer": "A"}</think>```json\n{"answer": "B"}\n```', 1, 0, 0),
    ('{"answer": "B"}<think>or {"answer": "A"}</think>', 1, 0, 0),
    ('{"answer": "B"}<think>or {"answer": "A"}', 1, 0, 0),
    ('<think>hm</think>{"answer": "B"}<think>or', 1, 0, 0),
    # not usable
    ("", 1, 0, 0),
    ("B", 1, 0, 0),
    ("The answer is B.", 1, 0, 0),
    ('"B"', 1, 0, 0),
    ("null", 1, 0, 0),
    ("[4, 6]", 1, 0, 0),
    ("{}", 1, 0, 0),
    ('{"answer": "B"', 1, 0, 0),
    ('{"answer": "B",}', 1, 0, 0),
    ("{'answer': 'B'}", 1, 0, 0),
    ('{"Answer": "B"}', 1, 0, 0),
    ('{"answer": 2}', 1, 0, 0),
    ('{"answer": ["B"]}', 1, 0, 0),
    ('{"answer": null}', 1, 0, 0),
    ('{"answer": "B", "answer": "B"}', 1, 0, 0),
    ('{"answer": "B", "x": {"a": 1, "a": 2}}', 1, 0, 0),
    ('{"answer": "B", "x": NaN}', 1, 0, 0),
    ('{"answer": "B"}{"answer": "B"}', 1, 0, 0),
    ('{"answer": "B"} or {"answer": "C"}', 1, 0, 0),
    (ZOOM + ZOOM, 1, 0, 0),
    (ZOOM + '{"answer": "B"}', 1, 0, 0),
    ('{"segment": [4, 6], "fps": 8, "answer": "B"}', 1, 0, 0),
    ('{"segment": [4, 6]}', 1, 0, 0),
    ('{"fps": 8}', 1, 0, 0),
    ('{"segment": [4, 6], "fps": "8"}', 1, 0, 0),
    ('{"segment": ["4", 6], "fps": 8}', 1, 0, 0),
    ('{"segment": [4, 6], "fps": true}', 1, 0, 0),
    ('{"segment": [4, 6, 8], "fps": 1}', 1, 0, 0),
    ('{"segment": "4-6", "fps": 8}', 1, 0, 0),
    ('{"segment": {"start": 4, "end": 6}, "fps": 8}', 1, 0, 0),
    ('{"segment": [4, NaN], "fps": 8}', 1, 0, 0),
    ('{"segment": [4, Infinity], "fps": 8}', 1, 0, 0),
    ('<think>{"answer": "A"}', 1, 0, 0),
    ('<think>{"answer": "A"}</think>', 1, 0, 0),
    ('<think>a</think><think>{"answer": "A"}', 1, 0, 0),
    ('{"answer": "A"}</think>', 1, 0, 0),
    ('{"answer": "A"} it is</think>B', 1, 0, 0),
    ('<think>{"answer": "A"}</THINK>', 1, 0, 0),
    ('<think>hm</think>{"answer": "A"}{"answer": "B"}', 1, 0, 0),
    ('{"answer": <think>hm</think>"A"}', 1, 0, 0),
    ('{"ans<think>hm</think>wer": "A", }', 1, 0, 0),
    # refused: clear, but not executable
    ('{"segment": [4, 1e999], "fps": 8}', 1, 0, 0),
    ('{"segment": [4, 1' + "0" * 400 + '], "fps": 8}', 1, 0, 0),
    ('{"segment": [-1, 6], "fps": 1}', 1, 0, 0),
    ('{"segment": [6, 4], "fps": 8}', 1, 0, 0),
    ('{"segment": [4, 4], "fps": 8}', 1, 0, 0),
    ('{"segment": [60, 61], "fps": 8}', 1, 0, 0),
    ('{"segment": [4, 6], "fps": 0}', 1, 0, 0),
    ('{"segment": [4, 6], "fps": -8}', 1, 0, 0),
    ('{"segment": [4, 4.5], "fps": 1}', 1, 0, 0),
    ('{"segment": [4, 6], "fps": 8.5}', 1, 0, 0),
    ('{"segment": [0, 60], "fps": 1e300}', 1, 0, 0),
]
VIDEO_ZOOM_REPLIES = [
    # well-formed
    (f"{T}<answer>B</answer>", 1, 1, 0),
    (f"{T}<answer>C</answer>", 0, 1, 0),
    (f"{T}<answer></answer>", 0, 1, 0),
    (f" \n{T}\n<answer> (B) </answer>\n", 1, 1, 0),
    (f"{T}<answer>A</think>B</answer>", 0, 1, 0),
    (f"{T}{VZ}", 1, 1, 1),
    (f'{T}<video_zoom>\n{{"segment":\n [4, 6],\n "fps": 8}}\n</video_zoom>', 1, 1, 1),
    ("<think></think><answer>B</answer>", 1, 1, 0),
    (f"<think>maybe {VZ} or <answer>A</answer></think><answer>B</answer>", 1, 1, 0),
    ("<think>a <think> b</think><answer>B</answer>", 1, 1, 0),
    (f'{T}<video_zoom>{{"segment": [4, 6], "fps": 8, "x": {{}}}}</video_zoom>', 1, 1, 1),
    # usable, but not well-formed
    ("<answer>B</answer>", 1, 0, 0),
    (VZ, 1, 0, 1),
    (f"{T}<answer>B</answer> That is it.", 1, 0, 0),
    (f"{T}So: <answer>B</answer>", 1, 0, 0),
    (f"Well. {T}<answer>B</answer>", 1, 0, 0),
    (f"{T}{T}<answer>B</answer>", 1, 0, 0),
    ("hm</think><answer>B</answer>", 1, 0, 0),
    ("<answer>A</answer>? No.</think><answer>B</answer>", 1, 0, 0),
    (f"{VZ}</think><answer>B</answer>", 1, 0, 0),
    (f"maybe <answer> or {VZ}</think>{VZ}", 1, 0, 1),
    (f"{T}<answer>A</answer></think><answer>B</answer>", 1, 0, 0),
    (f"hm</think>{T}<answer>B</answer>", 1, 0, 0),
    ("<answer></think></answer>", 0, 0, 0),
    (f"<answer>B</answer>{T}", 1, 0, 0),
    (f"{T}<video_zoom>{ZOOM}", 1, 0, 1),
    (f"<video_zoom>{ZOOM}\n", 1, 0, 1),
    # not usable
    ("", 1, 0, 0),
    (T, 1, 0, 0),
    ("<answer>A</answer></think>", 1, 0, 0),
    (f"<answer>A</answer> hm</think>{VZ}{VZ}", 1, 0, 0),
    ("<answer>A</think>B", 1, 0, 0),
    ("B", 1, 0, 0),
    ("<think>The answer is B.</think>", 1, 0, 0),
    ("<think><answer>B</answer>", 1, 0, 0),
    (f"{T}<answer>B", 1, 0, 0),
    (f"{T}B</answer>", 1, 0, 0),
    (f"{T}<ANSWER>B</ANSWER>", 1, 0, 0),
    (f"{T}<answer>A</answer><answer>B</answer>", 1, 0, 0),
    (f"{T}{VZ}<answer>B</answer>", 1, 0, 0),
    (f"{T}<answer>B</answer>{VZ}", 1, 0, 0),
    (f"{T}{VZ}{VZ}", 1, 0, 0),
    (f"{T}<answer><answer>B</answer></answer>", 1, 0, 0),
    (f"<ans{T}wer>B</answer>", 1, 0, 0),
    (f"{T}<video_zoom>[4, 6]</video_zoom>", 1, 0, 0),
    (f"{T}<video_zoom></video_zoom>", 1, 0, 0),
    (f"{T}<video_zoom>{ZOOM}{ZOOM}</video_zoom>", 1, 0, 0),
    (f"{T}<video_zoom>zoom {ZOOM}</video_zoom>", 1, 0, 0),
    (f"{T}<video_zoom>{ZOOM} and then", 1, 0, 0),
    (f'{T}<video_zoom>{{"segment": [4, 6], "fps": 8', 1, 0, 0),
    (f'{T}<video_zoom>{{"answer": "B"}}</video_zoom>', 1, 0, 0),
    (f'{T}<video_zoom>{{"segment": [4, 6], "segment": [4, 6], "fps": 8}}</video_zoom>', 1, 0, 0),
    ('{"answer": "B"}', 1, 0, 0),
    # refused
    (f'{T}<video_zoom>{{"segment": [6, 4], "fps": 8}}</video_zoom>', 1, 0, 0),
    (f'{T}<video_zoom>{{"segment": [0, 60], "fps": 2}}</video_zoom>', 1, 0, 0),
    (f'{T}<video_zoom>{{"segment": [60, 70], "fps": 2}}</video_zoom>', 1, 0, 0),
]
RIGHT = {"json": '{"answer": "B"}', "video_zoom": f"{T}<answer>B</answer>"}


@pytest.mark.parametrize(
    ("grammar", "reply", "accuracy", "form", "tool"),
    [("json", *row) for row in JSON_REPLIES] + [("video_zoom", *row) for row in VIDEO_ZOOM_REPLIES],
)
def test_each_reply_earns_its_terms(
    grammar: str, reply: str, accuracy: int, form: int, tool: int
) -> None:
    episode = advance(new_episode(grammar=grammar), reply)
    assert len(episode.turns) == 1
    if not episode.is_over:
        assert episode.feedback
        episode = advance(episode, RIGHT[grammar])
    parts = score(episode)
    assert (parts.accuracy, parts.format, parts.tool) == (accuracy, form, tool)


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        ("let me think", "exactly one JSON object, .*, found 0 in 'let me think'"),
        ('{"answer": "A"} {"answer": "B"}', "exactly one JSON object, .*, found 2"),
        ('<think>{"answer": "A"}', "exactly one JSON object, .*, found 0 outside thoughts in '<th"),
        ('{"answer": "A"} no</think>', "exactly one JSON object, .*, found 0 outside thoughts"),
        ('{"answer": "B", "answer": "B"}', "JSON like .* .a key appears twice"),
        ('{"answer": "B",}', "JSON like .*, got "),
        ('{"answer": 2}', 'a text like {"answer": "B"}, got 2'),
        ('{"segment": [1, 2]}', "the keys of .*, got a dict of 1"),
        ('{"segment": [1], "fps": 1}', r"a segment \[start, end\] in seconds, got a list of 1"),
        ('{"segment": [1, "2"], "fps": 1}', "JSON numbers, got '2': send 12.5, not text"),
        ('{"segment": [1, 2], "fps": true}', "JSON numbers, got True"),
        ('{"segment": [3, 3], "fps": 1}', r"start < end, got \[3, 3\]"),
        ('{"segment": [0, NaN], "fps": 1}', "NaN is no JSON"),
        ('{"segment": [0, 1e999], "fps": 1}', "finite numbers"),
        ("x" * (MAX_REPLY_CHARS + 1), "at most 65536 characters, got 65537"),
    ],
)
def test_a_bad_reply_says_what_is_wrong(reply: str, message: str) -> None:
    with pytest.raises(ReplyError, match=message):
        read_reply(reply, "json")


@pytest.mark.parametrize(
    ("grammar", "reply"),
    [
        ("json", '{"answer": "A"}? No.</think>{"answer": "B"}'),
        ("json", 'Well. <think>{"answer": "A"}</think>{"answer": "B"}'),
        ("json", '{"answer": "B"}<think>or {"answer": "A"}'),
        ("video_zoom", "<answer>A</answer>? No.</think><answer>B</answer>"),
        ("video_zoom", f"{VZ} or <answer></think><answer>B</answer>"),
        ("video_zoom", f"{T}<answer>A</answer></think><answer>B</answer>"),
        ("video_zoom", f"<answer>A</answer></think>{T}<answer>B</answer>"),
    ],
)
def test_an_action_inside_a_thought_is_passed_over(grammar: str, reply: str) -> None:
    reading = read_reply(reply, grammar)
    assert reading.action == Answer("B")
    assert reading.is_well_formed is (grammar == "json" and reply.startswith('{"answer": "A"}'))


@pytest.mark.parametrize(
    ("reply", "action"),
    [
        ('{"answer": "B"}', Answer("B")),
        ('Well, {"answer": "B"}', Answer("B")),
        (ZOOM, ZoomCall(4.0, 6.0, 8.0)),
        ('{"segment": [3, 3], "fps": 1}', None),
        ('{"answer": "A"}{"answer": "B"}', None),
        ("B", None),
    ],
)
def test_the_action_in_a_reply_is_the_one_that_would_be_executed(
    reply: str, action: ZoomCall | Answer | None
) -> None:
    assert action_in(reply, "json") == action


@pytest.mark.parametrize("segment", ["[3, 3]", "[-1, 3]", "[0, 1e999]", f"[0, 1{'0' * 400}]"])
def test_a_clear_call_whose_numbers_mean_nothing_is_told_from_a_muddled_reply(segment: str) -> None:
    with pytest.raises(CallError):
        read_reply(f'{{"segment": {segment}, "fps": 1}}', "json")
    with pytest.raises(ReplyError) as caught:
        read_reply(f'{{"segment": {segment}}}', "json")
    assert not isinstance(caught.value, CallError)


def test_a_bad_tag_says_what_is_wrong() -> None:
    with pytest.raises(ReplyError, match=r"exactly one <video_zoom>.* outside <think>, found 0"):
        read_reply("<think><answer>B</answer>", "video_zoom")
    with pytest.raises(ReplyError, match="needs its closing tag </answer>"):
        read_reply("<think></think><answer>B", "video_zoom")


def test_an_error_quotes_hostile_text_in_printable_ascii_and_briefly() -> None:
    with pytest.raises(ReplyError) as caught:
        read_reply("\x1b[31m\ud800\u202e\n" + "x" * 1000, "json")
    message = str(caught.value)
    assert message.isascii()
    assert message.isprintable()
    assert len(message) < 300


@pytest.mark.parametrize("grammar", ["json", "video_zoom"])
@pytest.mark.parametrize("action", [ZoomCall(12.5, 15.0, 2.0), Answer("B. green"), Answer('"}')])
def test_what_is_written_reads_as_it_was_meant(grammar: str, action: ZoomCall | Answer) -> None:
    reading = read_reply(write_reply(action, grammar, thought="so"), grammar)
    assert (reading.action, reading.is_well_formed) == (action, True)


@pytest.mark.parametrize("grammar", GRAMMARS.values(), ids=GRAMMARS.keys())
def test_the_examples_of_a_lesson_are_well_formed(grammar: Grammar) -> None:
    examples = [line for line in grammar.lesson.split("\n") if line.startswith(("{", "<"))]
    readings = [grammar.read(example) for example in examples]
    assert [reading.action for reading in readings] == [ZoomCall(12.5, 15.0, 2.0), Answer("B")]
    assert all(reading.is_well_formed for reading in readings)


@pytest.mark.parametrize("grammar", ["json", "video_zoom"])
@pytest.mark.parametrize("size", [1000, MAX_REPLY_CHARS - 40, 2**20])
def test_nasty_replies_cost_a_turn_and_nothing_else(grammar: str, size: int) -> None:
    for reply in nasty_replies(size).values():
        episode = advance(new_episode(grammar=grammar), reply)
        assert len(episode.turns) == 1
        assert len(episode.feedback) < 1000
        assert episode.frames_used == 64


NUMBERS = st.one_of(st.integers(), st.floats(), st.sampled_from([0, 4, 6, 8, 60, 1e300, -0.0]))
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, st.text()),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(), inner)),
)
CALLS = st.fixed_dictionaries(
    {"segment": st.one_of(st.lists(NUMBERS, min_size=2, max_size=2), VALUES)},
    optional={"fps": st.one_of(NUMBERS, VALUES), "answer": VALUES},
)
REPLIES = st.one_of(
    st.text(),
    VALUES.map(json.dumps),
    CALLS.map(json.dumps),
    CALLS.map(lambda call: f"<think></think><video_zoom>{json.dumps(call)}</video_zoom>"),
    st.lists(
        st.sampled_from(["<think>", "</think>", "<answer>", "</answer>", "<video_zoom>", ZOOM, "B"])
    ).map("".join),
)


@settings(max_examples=50)  # tests/attacks/test_replies.py tries many more
@given(st.lists(REPLIES, max_size=8), st.sampled_from(["json", "video_zoom"]))
def test_no_text_breaks_an_episode_or_its_bounds(replies: list[str], grammar: str) -> None:
    episode = new_episode(grammar=grammar)
    for reply in replies:
        if episode.is_over:
            break
        before = len(episode.turns)
        episode = advance(episode, reply)
        assert len(episode.turns) == before + 1
        assert 64 <= episode.frames_used <= 128
        assert episode.frames_used == 64 + len(episode.clip_s)
        assert all(0 <= time_s < 60 for time_s in episode.clip_s)
    parts = score(episode)
    reward = parts.accuracy * 0.9 + parts.format * 0.1 + parts.tool * 0.5
    assert 0 <= reward <= 1.5


def test_there_are_at_least_sixty_replies_a_table_and_no_two_alike() -> None:
    replies = [("json", row[0]) for row in JSON_REPLIES]
    replies += [("video_zoom", row[0]) for row in VIDEO_ZOOM_REPLIES]
    assert len(set(replies)) == len(replies) >= 60


ANSWERED = Answer("B")


@pytest.mark.parametrize(
    ("evidence", "expected"),
    [
        ("[[12.5, 15]]", [(12.5, 15.0)]),
        ("[[3, 4], [1, 2]]", [(3.0, 4.0), (1.0, 2.0)]),
        (json.dumps([[k, k + 1] for k in range(64)]), [(k, k + 1) for k in range(64)]),
        (json.dumps([[k, k + 1] for k in range(65)]), []),
        ("[]", []),
        ("null", []),
        ("true", []),
        ("[12.5, 15]", []),
        ('"12.5-15"', []),
        ('{"start": 1}', []),
        ("[[1, 2], [5, 4]]", []),  # one that is wrong spoils all: nobody guesses
        ("[[1, 2, 3]]", []),
        ("[[1, 1]]", []),
        ("[[-1, 1]]", []),
        ("[[1, NaN]]", []),
        ("[[1, 1e999]]", []),
        ('[["1", "2"]]', []),
        ("[[true, 2]]", []),
        ("[[1, " + "9" * 400 + "]]", []),
        ("[" * 200 + "]" * 200, []),
    ],
)
def test_evidence_is_read_or_passed_over(
    evidence: str, expected: list[tuple[float, float]]
) -> None:
    reply = f'{{"answer": "B", "evidence": {evidence}}}'
    if "NaN" in evidence:
        with pytest.raises(ReplyError):  # that is no JSON
            read_reply(reply, "json")
        return
    reading = read_reply(reply, "json")
    assert reading.action == replace(ANSWERED, evidence=tuple(Segment(*one) for one in expected))
    assert reading.is_well_formed


def test_an_answer_with_evidence_is_written_as_it_is_read() -> None:
    answer = Answer("B", (Segment(1.5, 2.0), Segment(3.0, 4.25)))
    reply = write_reply(answer, "json")
    assert reply == '{"answer": "B", "evidence": [[1.5, 2.0], [3.0, 4.25]]}'
    assert read_reply(reply, "json").action == answer
    assert write_reply(ANSWERED, "json") == '{"answer": "B"}'
    assert write_reply(answer, "video_zoom") == "<think></think><answer>B</answer>"


def test_an_episode_holds_the_evidence_that_its_answer_names() -> None:
    episode = advance(new_episode(), '{"answer": "B", "evidence": [[1, 2]]}')
    assert (episode.answer, episode.named) == ("B", (Segment(1, 2),))
    assert advance(new_episode(), '{"answer": "B"}').named == ()
