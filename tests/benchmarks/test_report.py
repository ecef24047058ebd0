"""What stands on the page of a run, read from its HTML without a browser."""

from collections.abc import Sequence
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks import report
from benchmarks.charts import Scale, frames_chart
from benchmarks.leaderboard import METRICS, leaderboard
from benchmarks.report import write_report
from zoomgym.catalog import open_task_set
from zoomgym.episode import Rules, advance, score, start
from zoomgym.records import Record
from zoomgym.rewards import DEFAULT_WEIGHTS
from zoomgym.tasks import VideoQuestion
from zoomgym.timeline import Segment

ZOOM = '{"segment": [10, 12], "fps": 2}'
RIGHT, WRONG = '{"answer": "A"}', '{"answer": "B"}'
TASK = VideoQuestion(
    id="sky-1",
    video="sky.mp4",
    question="What is in the sky?",
    answer="A",
    options=("a kite", "a gull"),
    evidence=(Segment(10, 11),),
    category="sky",
)
SETTINGS = {
    "tasks": "gone.jsonl",
    "split": "train",
    "duration_s": 60,
    "difficulty": "easy",
    "source": "file",
    "reward_weights": dict(DEFAULT_WEIGHTS),
    "max_pixels": 100352,
}


def played(
    agent: str, *replies: str, task: VideoQuestion = TASK, tasks: str = "gone.jsonl"
) -> Record:
    """Returns the record of an episode on a video of a minute, which is never opened."""
    episode = start(task, 60.0, 59 + 11 / 12, Rules(), f"{task.id}@0")
    for reply in replies:
        episode = advance(episode, reply)
    parts = score(episode)
    return Record(
        version="0.1.0",
        agent=agent,
        seed=7,
        task_set=tasks,
        task_set_version="3",
        task_set_hash="0123456789ab",
        settings={**SETTINGS, "tasks": tasks, "source": "scene"},
        task=task,
        rules=episode.rules,
        key=episode.key,
        duration_s=episode.duration_s,
        last_frame_s=episode.last_frame_s,
        turns=episode.turns,
        answer=episode.answer,
        end_reason=episode.end_reason,
        frames_used=episode.frames_used,
        reward_parts=parts,
        reward=parts.total(DEFAULT_WEIGHTS),
        agent_s=0.25,
        decode_s=0.5,
    )


SEA = replace(TASK, id="sea-1", category="sea", options=("a boat", "a buoy", "a fish", "a net"))
RECORDS = [
    played("zoomer", ZOOM, RIGHT),
    played("zoomer", ZOOM, RIGHT, task=SEA),
    played("guesser", WRONG),
    played("guesser", RIGHT, task=SEA),
]


class Page(HTMLParser):
    """The elements of a page and the text within each kind of them."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.source = path.read_text(encoding="utf-8")
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.tables: list[list[list[str]]] = []
        self._cell: list[str] | None = None
        self.feed(self.source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("th", "td"):
            self._cell = []

    def handle_endtag(self, tag: str) -> None:
        if tag in ("th", "td") and self._cell is not None:
            self.tables[-1][-1].append(" ".join("".join(self._cell).split()))
            self._cell = None

    def handle_data(self, data: str) -> None:
        if self._cell is not None:
            self._cell.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        """Returns the attributes of every element of a kind."""
        return [attributes for name, attributes in self.elements if name == tag]


def page_of(records: Sequence[Record], folder: Path) -> Page:
    """Returns the page that is written about records."""
    write_report(folder / "report.html", "quick-v0", records, cache_dir=folder)
    return Page(folder / "report.html")


@pytest.fixture(scope="module")
def pictured(tmp_path_factory: pytest.TempPathFactory) -> Page:
    """A page with a picture: its episode is on a synthetic task."""
    task = open_task_set("synthetic:flash", split="train", source="scene")[0]
    record = played("zoomer", ZOOM, RIGHT, task=task, tasks="synthetic:flash")
    return page_of([record], tmp_path_factory.mktemp("pictured"))


def test_page_refers_to_nothing_outside_itself(pictured: Page) -> None:
    targets = [
        target
        for _, attributes in pictured.elements
        for name in ("src", "href", "srcset", "action", "data")
        if (target := attributes.get(name))
    ]
    assert all(target.startswith(("data:image/webp;base64,", "#")) for target in targets)
    assert "http:" not in pictured.source
    assert "https:" not in pictured.source
    assert "url(" not in pictured.source
    assert "@import" not in pictured.source


def test_picture_is_described_and_of_known_size(pictured: Page) -> None:
    [image] = pictured.all("img")
    assert "loading" not in image  # it is in the page already: lazy would only leave it out
    assert str(image["alt"]).startswith("zoomer on flash-easy-60s-train-00000, ")
    assert int(image["width"] or 0) > int(image["height"] or 0) > 300
    assert "No picture" not in pictured.source


def test_same_records_in_any_order_give_the_same_bytes(tmp_path: Path) -> None:
    first = page_of(RECORDS, tmp_path).source
    assert page_of(RECORDS[::-1], tmp_path).source == first
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


def test_table_holds_every_agent_and_every_number(tmp_path: Path) -> None:
    agents, by_category = page_of(RECORDS, tmp_path).tables
    assert agents[0] == ["agent", "tasks", *(f"{m.name}{m.unit}" for m in METRICS)]
    assert ["|".join(row) for row in agents[1:]] == [
        "zoomer|2|1.00 [0.34, 1.00]|1.50 [1.50, 1.50]|1.00|1.00|1.00|1.00|68.0|0.75",
        "guesser|2|0.50 [0.09, 0.91]|0.55 [0.10, 1.00]|1.00|0.00|0.00|0.00|64.0|0.75",
    ]
    assert by_category == [
        ["agent", "sea", "sky", "all"],
        ["zoomer", "1.00 [0.21, 1.00]", "1.00 [0.21, 1.00]", "1.00 [0.34, 1.00]"],
        ["guesser", "1.00 [0.21, 1.00]", "0.00 [0.00, 0.79]", "0.50 [0.09, 0.91]"],
        ["chance", "0.25", "0.50", "0.38"],
    ]


def test_settings_of_the_run_stand_at_its_head(tmp_path: Path) -> None:
    source = page_of(RECORDS, tmp_path).source
    assert "<h1>quick-v0</h1>" in source
    assert "<dd>4, of 2 agents on 2 tasks</dd>" in source
    assert "<bdi>gone.jsonl</bdi> version 3: 2 tasks, 60 s of video</span>" in source
    assert "64 overview frames, 16 frames a zoom, 128 in all; 5 turns" in source
    assert "<span>0.9 × accuracy + 0.1 × format + 0.5 × tool</span>" in source
    assert "<dt>Seed</dt><dd>7</dd>" in source
    assert "<dd>zoomgym 0.1.0</dd>" in source
    assert "not run on the same tasks" not in source


def test_agents_on_different_tasks_are_marked_as_not_comparable(tmp_path: Path) -> None:
    assert "The agents were not run on the same tasks" in page_of(RECORDS[:3], tmp_path).source


def test_negative_weight_is_subtracted_in_the_formula(tmp_path: Path) -> None:
    weights = {"accuracy": 1.0, "format": 0.0, "tool": 0.0, "grounding": 0.5, "zoom_cost": -0.05}
    record = replace(RECORDS[0], settings={**SETTINGS, "reward_weights": weights})
    source = page_of([record], tmp_path).source
    assert "reward = 1 × accuracy + 0.5 × grounding − 0.05 × zoom_cost" in source


def test_headers_sort_and_say_how(tmp_path: Path) -> None:
    page = page_of(RECORDS, tmp_path)
    sorts = [str(head["aria-sort"]) for head in page.all("th") if "aria-sort" in head]
    assert sorts == ["none", "none", "descending", *["none"] * 7, *["none"] * 3, "descending"]
    assert len(page.all("button")) == len(sorts)
    assert [cell["data-sort"] for cell in page.all("td") if "data-sort" in cell][:2] == ["2", "1.0"]


def test_hostile_texts_are_shown_and_do_nothing(tmp_path: Path) -> None:
    evil = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'{{ 7 * 7 }}"
    task = replace(TASK, id=evil, question=evil, options=(evil, "b"), answer="A", category=evil)
    page = page_of([played(evil, evil, WRONG, task=task)], tmp_path)
    assert len(page.all("script")) == 1
    assert page.all("img") == []
    assert "onerror" not in {name for _, attributes in page.elements for name in attributes}
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page.source
    assert "{{ 7 * 7 }}" in page.source


def test_lone_surrogate_becomes_a_question_mark(tmp_path: Path) -> None:
    page = page_of([played("agent", "lost \ud800 half", RIGHT)], tmp_path)
    assert '<pre class="reply">lost ? half</pre>' in page.source


def test_very_long_reply_is_cut(tmp_path: Path) -> None:
    page = page_of([played("agent", "z" * 1_000_000, RIGHT)], tmp_path)
    assert f"{'z' * 800} … (1,000,000 characters)</pre>" in page.source
    assert len(page.source) < 100_000


def test_missing_video_gives_a_note_instead_of_a_picture(tmp_path: Path) -> None:
    page = page_of(RECORDS[:1], tmp_path)
    assert page.all("img") == []
    assert page.source.count("<b>No picture.</b>") == 1
    assert "gone.jsonl" in page.source.partition("<b>No picture.</b>")[2].partition("</p>")[0]


def test_record_that_replays_otherwise_gives_a_note(tmp_path: Path) -> None:
    page = page_of([replace(RECORDS[0], turns=RECORDS[0].turns[:1])], tmp_path)
    note = page.source.partition("<b>No picture.</b>")[2].partition("</p>")[0]
    assert "the rules have changed, or the record was edited" in note


def test_outcome_stands_in_a_word(tmp_path: Path) -> None:
    silent = played("silent", *["hm"] * 5)
    page = page_of([*RECORDS, silent], tmp_path)
    for chip in ("✓ right", "✗ wrong", "– no answer"):
        assert f">{chip}</span>" in page.source
    assert page.source.count('<span class="refused">not executed</span>') == 5


def test_turns_show_reply_and_feedback(tmp_path: Path) -> None:
    source = page_of(RECORDS[:1], tmp_path).source
    assert "zoom into 10.00–12.00 s, 4 frames" in source
    assert "{&#34;segment&#34;: [10, 12], &#34;fps&#34;: 2}</pre>" in source
    assert "Zoom 1: 4 frames of [10.00, 12.00) s at 2 fps. Frames left: 60." in source
    assert "answer <b><bdi>A</bdi></b>" in source


def test_the_best_agents_on_every_category_get_the_pictures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stub = report.Picture("data:image/webp;base64,", 4, 3)
    monkeypatch.setattr(report, "_picture", lambda record, cache_dir: stub)
    tasks = [replace(TASK, id=f"{c}{i}", category=c) for c in ("x", "y", "z") for i in (1, 2)]
    records = [
        played(f"agent{k}", RIGHT if k < 5 else WRONG, task=task)
        for task in tasks
        for k in range(9)
    ]
    shown = [str(image["alt"]).split(",")[0] for image in page_of(records, tmp_path).all("img")]
    assert shown == [f"agent{k} on {category}1" for category in "xyz" for k in range(6)]


def test_picture_that_is_hard_to_compress_is_made_smaller() -> None:
    rng = np.random.default_rng(0)
    picture = report._encode(
        Image.fromarray(rng.integers(256, size=(880, 1280, 3), dtype=np.uint8))
    )
    assert (picture.width, picture.height) == (640, 440)
    assert len(picture.uri) < report.MAX_PICTURE_BYTES * 4 / 3 + 100
    assert report.MAX_PICTURES * report.MAX_PICTURE_BYTES * 4 / 3 < 4e6


def test_every_metric_is_explained(tmp_path: Path) -> None:
    source = page_of(RECORDS, tmp_path).source
    for metric in METRICS:
        assert f"<dt>{metric.name}</dt><dd>" in source


def test_no_records_make_a_page_that_says_so(tmp_path: Path) -> None:
    assert "No episode was finished" in page_of([], tmp_path).source


@pytest.mark.parametrize(
    ("scale", "ticks"),
    [
        (Scale(0, 1, 0, 100), [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (Scale(60, 140, 0, 100), [60, 80, 100, 120, 140]),
        (Scale(-0.5, 1.5, 0, 100), [-0.5, 0, 0.5, 1, 1.5]),
    ],
)
def test_ticks_are_round(scale: Scale, ticks: list[float]) -> None:
    assert scale.ticks() == ticks
    assert scale(ticks[-1]) == 100


def test_labels_of_agents_at_one_place_do_not_cover_each_other() -> None:
    records = [replace(record, agent=f"agent{k}") for k in range(8) for record in RECORDS[2:]]
    labels = [point.label for point in frames_chart(leaderboard(records), 0.25).points]
    pairs = [(a, b) for index, a in enumerate(labels) for b in labels[:index]]
    assert len(pairs) == 28
    assert not any(a.meets(b) for a, b in pairs)


OPEN = replace(TASK, id="open-1", options=(), answer="a red kite")


def test_what_nobody_could_grade_is_shown_as_a_gap(tmp_path: Path) -> None:
    gap = replace(played("zoomer", WRONG, task=OPEN), grading="ungraded")
    page = page_of([*RECORDS[:2], gap], tmp_path)
    assert page.tables[0][1][:3] == ["zoomer", "3 (1 ungraded)", "1.00 [0.34, 1.00]"]
    assert "1 ungraded" in page.source
    assert "? ungraded" in page_of([gap], tmp_path).source
    assert page_of([gap], tmp_path).tables[0][1][:4] == ["zoomer", "1 (1 ungraded)", "–", "–"]


def test_a_benchmark_is_shown_strictly_and_officially_with_what_parts_them(tmp_path: Path) -> None:
    wordy = '{"answer": "<b>it is</b> A"}'
    records = [
        replace(played("zoomer", RIGHT), task_set="mlvu"),
        replace(played("zoomer", wordy, task=replace(TASK, id="sky-2")), task_set="mlvu"),
    ]
    page = page_of(records, tmp_path)
    assert page.tables[2] == [
        ["agent", "benchmark", "group", "tasks", "strict", "official"],
        ["zoomer", "mlvu", "mean of groups", "2", "0.500", "1.000"],
        ["", "", "category: sky", "2", "0.500", "1.000"],
    ]
    assert "the readings part on 1 of 2 tasks" in page.source
    assert "&lt;b&gt;it is&lt;/b&gt; A" in page.source
    assert "wrong strictly, right officially" in page.source
    assert len(page_of(RECORDS, tmp_path).tables) == 2
