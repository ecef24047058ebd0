"""The picture, the text and the screen of an episode."""

import sys
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from tests.conftest import TASK, new_episode
from zoomgym.agent.observation import Frames
from zoomgym.render.canvas import Grid, Rect, printable, text_width, wrap
from zoomgym.render.picture import (
    OVERVIEW_HEIGHT,
    PICTURE_SIZE,
    QUESTION_HEIGHT,
    SIDEBAR_WIDTH,
    STATE_HEIGHT,
    paint,
)
from zoomgym.render.screen import Screen, describe
from zoomgym.render.style import CARD, EVIDENCE, MARGIN, PAGE, RIGHT, WRONG, ZOOM_COLORS, clock
from zoomgym.rules.episode import Episode, advance
from zoomgym.rules.question import VideoQuestion
from zoomgym.rules.rewards import DEFAULT_WEIGHTS
from zoomgym.rules.timeline import Segment

ZOOM = '{"segment": [4, 6], "fps": 8}'
ANSWER_RIGHT = '{"answer": "B"}'
ANSWER_WRONG = '{"answer": "C"}'
HOSTILE = "\x1b[2J\x9b31m\u202e\ud800\x00 中文 é W" * 200 + "x" * 5000


def gray(times_s: Sequence[float], size: tuple[int, int] = (36, 64)) -> Frames:
    """Returns frames of one gray, which no mark of a picture has."""
    return Frames(tuple(times_s), np.full((len(times_s), *size, 3), 77, np.uint8))


def played(*replies: str, task: VideoQuestion = TASK, **rules: object) -> Episode:
    episode = new_episode(task, **rules)
    for reply in replies:
        episode = advance(episode, reply)
    return episode


def painted(episode: Episode, size: tuple[int, int] = (36, 64)) -> NDArray[np.uint8]:
    clips = [gray(zoom.times_s, size) for zoom in episode.zooms]
    return paint(episode, gray(episode.overview_s, size), clips, DEFAULT_WEIGHTS)


def num_pixels(picture: NDArray[np.uint8], color: tuple[int, int, int]) -> int:
    return int((picture == color).all(axis=2).sum())


def sizes_of_frames(picture: NDArray[np.uint8]) -> set[tuple[int, int]]:
    """Returns the (H, W) of every gray rectangle that begins a row of frames."""
    is_grey = (picture == 77).all(axis=2)
    corners = is_grey.copy()
    corners[1:] &= ~is_grey[:-1]
    corners[:, 1:] &= ~is_grey[:, :-1]
    return {
        (int(np.argmin(is_grey[y:, x])), int(np.argmin(is_grey[y, x:])))
        for y, x in zip(*np.nonzero(corners), strict=True)
    }


def gutters(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Returns all pixels between the upper panels, as (N, 3)."""
    height, width = PICTURE_SIZE
    split = width - 2 * MARGIN - SIDEBAR_WIDTH
    first = MARGIN + QUESTION_HEIGHT
    second = first + MARGIN + OVERVIEW_HEIGHT
    state = MARGIN + STATE_HEIGHT
    parts = [
        picture[:MARGIN],
        picture[height - MARGIN :],
        picture[:, :MARGIN],
        picture[:, width - MARGIN :],
        picture[:, split : split + MARGIN],
        picture[first : first + MARGIN, :split],
        picture[second : second + MARGIN, :split],
        picture[state : state + MARGIN, split:],
    ]
    return np.concatenate([part.reshape(-1, 3) for part in parts])


STATES = {
    "start": (),
    "one zoom": (ZOOM,),
    "right": (ZOOM, ANSWER_RIGHT),
    "wrong": ("what?", ZOOM, ANSWER_WRONG),
    "out of turns": (ZOOM,) * 5,
    "refused": ('{"segment": [0, 60], "fps": 8}',),
    "hostile": (HOSTILE, HOSTILE),
}


@pytest.mark.parametrize("state", STATES)
def test_every_picture_has_the_same_even_size(state: str) -> None:
    picture = painted(played(*STATES[state]))
    assert picture.shape == (880, 1280, 3)
    assert picture.shape == (*PICTURE_SIZE, 3)
    assert picture.dtype == np.uint8


@pytest.mark.parametrize("state", STATES)
def test_the_same_episode_gives_the_same_bytes(state: str) -> None:
    assert painted(played(*STATES[state])).tobytes() == painted(played(*STATES[state])).tobytes()


@pytest.mark.parametrize("replies", [(), (ZOOM,), ("what?", ZOOM)])
def test_nothing_of_truth_and_evidence_is_shown_before_the_end(replies: tuple[str, ...]) -> None:
    other = replace(TASK, answer="D", evidence=(Segment(50.0, 51.0),))
    assert painted(played(*replies)).tobytes() == painted(played(*replies, task=other)).tobytes()
    told = [describe(played(*replies, task=task), DEFAULT_WEIGHTS) for task in (TASK, other)]
    assert told[0] == told[1]


def test_evidence_and_marks_are_shown_after_the_end() -> None:
    before, after = painted(played(ZOOM)), painted(played(ZOOM, ANSWER_WRONG))
    for color in (EVIDENCE, RIGHT, WRONG):
        assert num_pixels(before, color) == 0
        assert num_pixels(after, color) > 100


def test_a_right_answer_is_nowhere_marked_wrong() -> None:
    picture = painted(played(ZOOM, ANSWER_RIGHT))
    assert num_pixels(picture, WRONG) == 0
    assert num_pixels(picture, RIGHT) > 100


def test_a_refused_reply_is_marked() -> None:
    assert num_pixels(painted(played("what?")), WRONG) > 20


def test_zooms_that_overlap_stand_in_lanes_of_their_own() -> None:
    once = num_pixels(painted(played(ZOOM)), ZOOM_COLORS[0])
    twice = painted(played(ZOOM, ZOOM))
    assert num_pixels(twice, ZOOM_COLORS[0]) > 200 < num_pixels(twice, ZOOM_COLORS[1])
    assert once > 200


def test_a_tiny_zoom_on_a_long_video_is_visible() -> None:
    episode = replace(played(ZOOM), duration_s=36_000.0, last_frame_s=35_999.9)
    picture = painted(episode)
    line = picture[405:520, MARGIN * 2 : 940]  # the lanes of the time line
    columns = (line == ZOOM_COLORS[0]).all(axis=2).sum(axis=0)
    assert int((columns >= 12).sum()) == 4


@pytest.mark.parametrize("text", [HOSTILE, "W" * 10_000, "W " * 5_000, "\n" * 99 + "x", "\ud800"])
def test_no_text_leaves_its_panel(text: str) -> None:
    task = VideoQuestion(
        id="W" * 10_000,
        video="v",
        question=f"q{text}",
        answer="B",
        options=tuple(f"{mark}{text}" for mark in "1234"),
        evidence=TASK.evidence,
    )
    for replies in ((text, ZOOM), (text, ZOOM, f'{{"answer": "{"W" * 3000}"}}')):
        assert (gutters(painted(played(*replies, task=task))) == PAGE).all()


def test_up_to_26_options_fit() -> None:
    options = tuple(f"the option with number {index}" for index in range(26))
    task = replace(TASK, options=options, answer="Z")
    picture = painted(played(ANSWER_WRONG, task=task))
    assert (gutters(picture) == PAGE).all()
    assert num_pixels(picture, RIGHT) > 100 < num_pixels(picture, WRONG)


def test_an_open_ended_question_shows_both_answers() -> None:
    task = replace(TASK, options=(), answer="seven")
    assert num_pixels(painted(played(task=task)), RIGHT) == 0
    wrong = painted(played('{"answer": "six"}', task=task))
    assert num_pixels(wrong, RIGHT) > 100 < num_pixels(wrong, WRONG)
    assert num_pixels(painted(played('{"answer": "Seven"}', task=task)), WRONG) == 0


@pytest.mark.parametrize("num_overview", [0, 1, 2, 3, 63, 64, 100, 256, 600])
def test_any_number_of_overview_frames_fits(num_overview: int) -> None:
    picture = painted(new_episode(num_overview=num_overview, frame_budget=1000))
    assert (gutters(picture) == PAGE).all()


def test_many_zooms_do_not_crash() -> None:
    episode = played(*[ZOOM] * 99, max_turns=100, frame_budget=100_000)
    assert len(episode.zooms) == 99
    assert (gutters(painted(episode)) == PAGE).all()


@pytest.mark.parametrize("size", [(640, 360), (270, 630), (36, 64), (3, 300), (300, 3)])
def test_frames_keep_their_aspect(size: tuple[int, int]) -> None:
    sizes = sizes_of_frames(painted(played(ZOOM), size))
    assert sizes
    for height, width in sizes:
        ideal = min(height * size[1] / size[0], width)
        assert abs(width - ideal) <= max(1.5, size[1] / size[0]), (height, width)


def test_a_default_episode_is_painted_from_its_own_frames() -> None:
    episode = played(ZOOM)
    bright = Frames(episode.zooms[0].times_s, np.full((16, 36, 64, 3), 201, np.uint8))
    picture = paint(episode, gray(episode.overview_s), [bright], DEFAULT_WEIGHTS)
    assert num_pixels(picture, (77, 77, 77)) > 20_000
    assert num_pixels(picture, (201, 201, 201)) > 20_000
    assert num_pixels(picture, CARD) > 100_000


@pytest.mark.parametrize(
    ("time_s", "text"),
    [
        (0, "0.0 s"),
        (12.34, "12.3 s"),
        (119.94, "119.9 s"),
        (119.96, "2:00"),
        (125, "2:05"),
        (3599.99, "1:00:00"),
        (3753.4, "1:02:33"),
        (864_000, "240:00:00"),
    ],
)
def test_times_are_written_as_people_read_them(time_s: float, text: str) -> None:
    assert clock(time_s) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a  b\n\tc", "a b c"),
        ("\x1b[31m", "?[31m"),
        ("naïve – “so”", 'naive - "so"'),
        ("中\ud800\u202e\U0001f600", "????"),
        ("x" * 1001, "x" * 999 + "..."),
    ],
)
def test_what_the_font_lacks_becomes_a_question_mark(text: str, shown: str) -> None:
    assert printable(text) == shown


@pytest.mark.parametrize("text", ["a few short words", "W" * 500, "W i " * 200, "", HOSTILE])
@pytest.mark.parametrize("width", [0, 5, 20, 100, 500])
def test_wrapped_lines_fit(text: str, width: int) -> None:
    lines = wrap(text, 12, width, 3)
    assert len(lines) <= 3
    assert all(text_width(line, 12) <= max(width, 20) for line in lines)


def test_a_cut_text_ends_in_an_ellipsis() -> None:
    assert wrap("one two three four", 12, 60, 9) == ["one two", "three four"]
    assert wrap("one two three four", 12, 60, 1) == ["one two t…"]


def test_a_grid_fits_its_room_in_few_rows() -> None:
    assert Grid.within(Rect(0, 0, 100, 50), 2, 1.0) == Grid(2, 50, 50)
    assert Grid.within(Rect(0, 0, 100, 50), 8, 1.0) == Grid(4, 25, 25)
    assert Grid.within(Rect(0, 0, 1, 1), 9, 1.0).width == 1


def test_describe_tells_the_start() -> None:
    assert describe(played(), DEFAULT_WEIGHTS).splitlines() == [
        "Task: q1",
        "Question: Which colour?",
        "  A. red",
        "  B. green",
        "  C. blue",
        "  D. a man",
        f"|{'.' * 60}| 60.0 s",
        "Frames left: 64 of 128.",
        "Turns left: 5 of 5.",
    ]


def test_describe_tells_zooms_feedback_and_the_end() -> None:
    lines = describe(played(ZOOM, "what?", ANSWER_RIGHT), DEFAULT_WEIGHTS).splitlines()
    assert lines[6] == f"|....11{'.' * 54}| 60.0 s"
    assert lines[7] == f"|    ^^{' ' * 24}^^{' ' * 28}| evidence"
    assert lines[8] == f"Turn 1 of 5: {ZOOM}"
    assert lines[9] == (
        "  Zoom 1: 16 frames of [4.00, 6.00) s at 8 fps. Frames left: 48. Turns left: 4."
    )
    assert lines[10] == "Turn 2 of 5: what?"
    assert lines[11].startswith("  reply needs exactly one JSON object")
    assert lines[12:] == [
        f"Turn 3 of 5: {ANSWER_RIGHT}",
        "Frames left: 48 of 128.",
        "Turns left: 0 of 5.",
        "Outcome: right. Given: B. True: B.",
        "Reward: accuracy 1 x 0.9 + format 0 x 0.1 + tool 1 x 0.5 + grounding 0.5 x 0 "
        "+ zoom_cost 1 x 0 = 1.4",
    ]


def test_describe_tells_that_no_answer_came() -> None:
    lines = describe(played(ZOOM, max_turns=1), DEFAULT_WEIGHTS).splitlines()
    assert "Outcome: no answer. Given: none. True: B." in lines


def test_describe_lets_no_control_sequence_through() -> None:
    task = replace(TASK, question=HOSTILE, options=("1" + HOSTILE, "2" + HOSTILE))
    text = describe(played(HOSTILE, '{"answer": "\x7f\u2028"}', task=task), DEFAULT_WEIGHTS)
    assert all(char == "\n" or char.isprintable() for char in text)
    assert "Question: \\x1b[2J\\x9b31m\\u202e\\ud800\\x00 中文 é W" in text
    assert max(map(len, text.splitlines())) < 4000
    text.encode()


@pytest.fixture
def no_display(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine without tkinter, whose temporary folders are made in tmp_path."""
    monkeypatch.setitem(sys.modules, "tkinter", None)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def test_without_a_display_pictures_are_saved_and_the_folder_is_named_once(
    no_display: Path, caplog: pytest.LogCaptureFixture
) -> None:
    picture = painted(played(ZOOM))
    screen = Screen()
    screen.show(picture)
    screen.show(picture[:, ::-1])
    screen.close()
    screen.close()
    [folder] = no_display.iterdir()
    [said] = caplog.messages
    assert said.startswith("no window can be opened")
    assert said.endswith(f"pictures go to {folder}")
    assert sorted(path.name for path in folder.iterdir()) == ["00001.png", "00002.png"]
    with Image.open(folder / "00001.png") as saved:
        assert np.array_equal(np.asarray(saved), picture)


class FakeTclError(Exception):
    """Stands for tkinter.TclError."""


class FakeWindow:
    """Stands for tkinter.Tk: counts, and lets a test close it as a user would."""

    def __init__(self) -> None:
        self.num_updates, self.is_destroyed = 0, False

    def title(self, name: str) -> None:
        self.name = name

    def protocol(self, event: str, react: object) -> None:
        self.event, self.react = event, react

    def winfo_screenwidth(self) -> int:
        return 640

    def winfo_screenheight(self) -> int:
        return 1080

    def update(self) -> None:
        assert not self.is_destroyed
        self.num_updates += 1

    def destroy(self) -> None:
        assert not self.is_destroyed
        self.is_destroyed = True


class FakeTkinter(SimpleNamespace):
    """Stands for the module tkinter; remembers its windows and the last photo."""

    def __init__(self) -> None:
        super().__init__(TclError=FakeTclError, windows=[], photo=b"")

    def Tk(self) -> FakeWindow:  # noqa: N802
        self.windows.append(FakeWindow())
        return self.windows[-1]

    def Label(self, window: FakeWindow, borderwidth: int) -> SimpleNamespace:  # noqa: N802
        return SimpleNamespace(pack=lambda: None, configure=lambda image: None)

    def PhotoImage(self, master: FakeWindow, data: bytes, format: str) -> str:  # noqa: N802
        self.photo = data
        return format


@pytest.fixture
def tkinter(monkeypatch: pytest.MonkeyPatch) -> FakeTkinter:
    fake = FakeTkinter()
    monkeypatch.setitem(sys.modules, "tkinter", fake)
    return fake


def test_with_a_display_one_window_is_updated(tkinter: FakeTkinter) -> None:
    screen = Screen()
    picture = painted(played())
    screen.show(picture)
    screen.show(picture)
    [window] = tkinter.windows
    assert window.num_updates == 2
    assert tkinter.photo.startswith(b"P6 640 440 255\n")  # shrunk to the display
    assert len(tkinter.photo) == len(b"P6 640 440 255\n") + 640 * 440 * 3
    screen.close()
    screen.close()
    assert window.is_destroyed


def test_a_window_that_the_user_closed_stays_closed(tkinter: FakeTkinter) -> None:
    screen = Screen()
    screen.show(painted(played()))
    [window] = tkinter.windows
    assert window.event == "WM_DELETE_WINDOW"
    window.react()
    screen.show(painted(played()))
    screen.close()
    assert (len(tkinter.windows), window.num_updates) == (1, 1)


def test_a_display_that_cannot_be_opened_is_none(
    tkinter: FakeTkinter,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail() -> None:
        raise FakeTclError("no display name")

    monkeypatch.setattr(tkinter, "Tk", fail)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    Screen().show(painted(played()))
    assert "no display name" in caplog.text
    assert len(list(tmp_path.glob("zoomgym-*/00001.png"))) == 1


def test_painting_warns_of_nothing() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        painted(played(*[HOSTILE] * 5))
