"""What stands on the page of a run, read from its HTML without a browser."""

import base64
import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from agents.registry import AGENTS, about, make_agent
from benchmarks.evaluation.failures import FAILURES
from benchmarks.evaluation.metrics import METRICS, leaderboard
from benchmarks.evaluation.statistics import Estimate
from benchmarks.evaluation.tables import names_of
from benchmarks.page import episodes as viewer
from benchmarks.page.charts import Scale, frames_chart, rules_chart, shorten
from benchmarks.page.palette import AGENT_COLORS, FIXED, NUM_LOOKS, number_agents, shape_path
from benchmarks.page.write import write_report
from tests.benchmarks import episodes
from zoomgym import ZoomEnv
from zoomgym.records import Record
from zoomgym.rollout import run_episodes
from zoomgym.rules.episode import advance, start
from zoomgym.rules.overview import Overview
from zoomgym.rules.question import VideoQuestion
from zoomgym.rules.rewards import DEFAULT_WEIGHTS, score
from zoomgym.rules.settings import Rules
from zoomgym.rules.timeline import Segment
from zoomgym.tasks.catalog import open_task_set
from zoomgym.tasks.synthetic.layout import FPS

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
    agent: str,
    *replies: str,
    task: VideoQuestion = TASK,
    tasks: str = "gone.jsonl",
    duration_s: float = 60.0,
) -> Record:
    """Returns the record of an episode on a video which is never opened."""
    last_frame_s = (round(duration_s * FPS) - 1) / FPS
    episode = start(task, duration_s, last_frame_s, Rules(), f"{task.id}@0")
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
        settings={**SETTINGS, "tasks": tasks, "source": "scene", "duration_s": duration_s},
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
        self.tables: dict[str, list[list[str]]] = {}
        self._region = ""
        self._data = ""
        self._cell: list[str] | None = None
        self._is_data = False
        self.feed(self.source)
        self.viewer: dict[str, Any] = json.loads(self._data or "{}")

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._is_data = dict(attrs).get("id") == "data"
        self._region = dict(attrs).get("aria-label") or self._region
        if tag == "tr":
            self.tables.setdefault(self._region, []).append([])
        elif tag in ("th", "td"):
            self._cell = []

    def handle_endtag(self, tag: str) -> None:
        self._is_data = False
        if tag in ("th", "td") and self._cell is not None:
            self.tables[self._region][-1].append(" ".join("".join(self._cell).split()))
            self._cell = None

    def handle_data(self, data: str) -> None:
        if self._is_data:
            self._data += data
        elif self._cell is not None:
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


def test_same_records_in_any_order_give_the_same_bytes(tmp_path: Path) -> None:
    first = page_of(RECORDS, tmp_path).source
    assert page_of(RECORDS[::-1], tmp_path).source == first
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


def test_table_holds_every_agent_and_every_number(tmp_path: Path) -> None:
    tables = page_of(RECORDS, tmp_path).tables
    agents, by_category = tables["Table of agents"], tables["Table of accuracy by category"]
    assert agents[0] == ["agent", "tasks", *(f"{m.name}{m.unit}" for m in METRICS)]
    assert ["|".join(row) for row in agents[1:]] == [
        "zoomer|2|1.00 (0.34..1.00)|1.50 (1.50..1.50)|1.00|1.00|1.00|1.00|68.0|0.75",
        "guesser|2|0.50 (0.09..0.91)|0.55 (0.10..1.00)|1.00|0.00|0.00|0.00|64.0|0.75",
    ]
    assert by_category == [
        ["agent", "sea", "sky", "all"],
        ["zoomer", "1.00 (0.21..1.00)", "1.00 (0.21..1.00)", "1.00 (0.34..1.00)"],
        ["guesser", "1.00 (0.21..1.00)", "0.00 (0.00..0.79)", "0.50 (0.09..0.91)"],
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
    assert "did not play the same tasks" not in source


def test_an_agent_looks_the_same_on_every_page() -> None:
    assert sorted(FIXED) == sorted(AGENTS)
    own = [f"my_module:Agent{number}" for number in range(NUM_LOOKS - len(FIXED))]
    numbers = number_agents([*AGENTS, *own])
    assert sorted(numbers.values()) == list(range(NUM_LOOKS))
    looks = {(shape_path(n), n % len(AGENT_COLORS)) for n in numbers.values()}
    assert len(looks) == NUM_LOOKS
    for agent in (*AGENTS, own[0]):
        alone = number_agents([agent])
        assert number_agents([agent, "random", "chat:m@http://h"])[agent] == alone[agent]
    assert len(number_agents([*own, *map(str, range(100))])) == len(own) + 100


def test_agents_and_families_are_told_in_one_line_each(tmp_path: Path) -> None:
    relay = replace(TASK, id="relay-1", category="relay")
    own = replace(TASK, id="own-1", category="count")
    records = [
        played("oracle", RIGHT, task=relay, tasks="synthetic:relay"),
        played("blind", RIGHT, task=relay, tasks="synthetic:relay"),
        played("chat:m@http://h", RIGHT, task=relay, tasks="synthetic:relay"),
        played("my_module:Agent", RIGHT, task=own),
    ]
    source = page_of(records, tmp_path).source
    for agent in ("oracle", "blind", "chat:m@http://h"):
        assert f"<dd>{about(agent)}</dd>" in source
    assert about("my_module:Agent") == ""
    assert "<dt>relay</dt><dd>The amber beacon&#39;s clip shows a color and a place" in source
    assert "<dt>count</dt>" not in source  # of no synthetic set
    assert '<bdi>oracle</bdi><sup title="told where the evidence is">*</sup>' in source
    assert "<bdi>blind</bdi><sup" not in source
    assert "* is told where the evidence is: its numbers show" in source
    assert '<p class="note">What it shows: blind and chat:m@http://h' in source
    assert "<sup" not in page_of(RECORDS, tmp_path).source


def test_every_registered_agent_has_a_line_of_its_own() -> None:
    lines = {agent: about(agent) for agent in AGENTS}
    assert len(set(lines.values())) == len(AGENTS)
    assert all(line.endswith(".") and len(line) < 100 for line in lines.values())


@pytest.mark.parametrize("name", ["", "  "])
def test_a_page_about_no_suite_is_titled_by_its_tasks(tmp_path: Path, name: str) -> None:
    write_report(tmp_path / "report.html", name, RECORDS, cache_dir=None)
    source = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "<title>gone.jsonl · zoomgym</title>" in source
    assert "<h1>gone.jsonl</h1>" in source
    write_report(tmp_path / "report.html", name, [], cache_dir=None)
    assert "<h1>No episodes</h1>" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_a_task_without_a_category_has_a_name_in_the_chart(tmp_path: Path) -> None:
    plain = replace(TASK, category="")
    source = page_of([played("a", RIGHT, task=plain)], tmp_path).source
    assert "<title></title>" not in source
    assert "<title>(none), a: accuracy 1.00" in source


def test_agents_on_different_tasks_are_marked_as_not_comparable(tmp_path: Path) -> None:
    assert "The agents did not play the same tasks" in page_of(RECORDS[:3], tmp_path).source


def test_negative_weight_is_subtracted_in_the_formula(tmp_path: Path) -> None:
    weights = {"accuracy": 1.0, "format": 0.0, "tool": 0.0, "grounding": 0.5, "zoom_cost": -0.05}
    record = replace(RECORDS[0], settings={**SETTINGS, "reward_weights": weights})
    source = page_of([record], tmp_path).source
    assert "reward = 1 × accuracy + 0.5 × grounding − 0.05 × zoom_cost" in source


def test_headers_sort_and_say_how(tmp_path: Path) -> None:
    page = page_of(RECORDS, tmp_path)
    sorts = [str(head["aria-sort"]) for head in page.all("th") if "aria-sort" in head]
    assert sorts[:14] == ["none", "none", "descending", *["none"] * 10, "descending"]
    assert set(sorts[14:]) == {"none"}
    assert len(page.all("button")) == len(sorts) + 1
    assert [cell["data-sort"] for cell in page.all("td") if "data-sort" in cell][:2] == ["2", "1.0"]


def test_failures_are_counted_and_lead_to_their_episodes(tmp_path: Path) -> None:
    page = page_of(RECORDS, tmp_path)
    head, *rows = page.tables["Table of failures"]
    assert head == ["failure", "zoomer", "guesser"]
    assert [row[0] for row in rows] == [kind + meaning for kind, meaning in FAILURES.items()]
    counts = dict(zip(FAILURES, (row[1:] for row in rows), strict=True))
    assert counts["zoomed when the overview was enough"] == ["1.00 2 of 2", "0"]
    assert counts["right evidence but wrong answer"] == ["0", "0.50 1 of 2"]
    number = list(FAILURES).index("right evidence but wrong answer")
    [link] = [a for a in page.all("a") if a.get("data-failure") == str(number)]
    assert link == {"href": "#episodes", "data-agent": "1", "data-failure": str(number)}


def test_tables_that_explain_stand_on_the_page(tmp_path: Path) -> None:
    tables = page_of(RECORDS, tmp_path).tables
    [pairs] = [table for name, table in tables.items() if name.startswith("Table: In pairs")]
    assert pairs == [
        ["agent", "against", "tasks", "difference", "better on", "worse on"],
        ["zoomer", "guesser", "2", "0.50 (0.00..1.00)", "1", "0"],
    ]
    assert tables["Table: Where zooms fell, of episodes with evidence and a zoom"][1][:3] == [
        "zoomer", "2", "1.00 (0.34..1.00)",
    ]  # fmt: skip
    assert "Table: Failures" not in "".join(tables)


def test_rules_that_differ_are_told_apart_in_a_table(tmp_path: Path) -> None:
    named = "Table: Accuracy by the most zooms and frames that are allowed"
    fewer = replace(RECORDS[0], rules=Rules(max_turns=2))
    page = page_of([*RECORDS, fewer], tmp_path)
    assert [row[:3] for row in page.tables[named][1:]] == [
        ["zoomer", "1", "128"], ["zoomer", "4", "128"], ["guesser", "4", "128"],
    ]  # fmt: skip
    assert "played by several sets of rules" in page.source
    assert named not in page_of(RECORDS, tmp_path).tables


def test_what_follows_stands_once_for_each_of_the_rules(tmp_path: Path) -> None:
    fewer = [replace(record, rules=Rules(max_turns=2)) for record in RECORDS[2:]]
    page = page_of([*RECORDS, *fewer], tmp_path)
    assert [row[:2] for row in page.tables["Table of agents"]] == [
        ["agent", "tasks"], ["guesser", "2"], ["agent", "tasks"], ["zoomer", "2"], ["guesser", "2"],
    ]  # fmt: skip
    assert re.findall(r'<details class="group"( open)?><summary>(.*?)<', page.source) == [
        ("", "at most 1 zoom"), (" open", "at most 4 zooms"),
    ]  # fmt: skip
    links = [a for a in page.all("a") if "data-agent" in a and "data-category" not in a]
    assert [(a["data-agent"], a["data-rules"]) for a in links if "data-failure" not in a] == [
        ("1", "0"), ("0", "1"), ("1", "1"),
    ]  # fmt: skip
    assert page.viewer["rules"] == ["at most 1 zoom", "at most 4 zooms"]
    assert page_of(RECORDS, tmp_path).viewer["rules"] == [""]


def test_rules_are_called_by_what_they_do_not_share() -> None:
    every = [Rules(frame_budget=96), Rules(frame_budget=96, max_turns=2), Rules(num_overview=32)]
    assert list(names_of(every).values()) == [
        "64 overview frames, 96 frames in all, at most 4 zooms",
        "64 overview frames, 96 frames in all, at most 1 zoom",
        "32 overview frames, 128 frames in all, at most 4 zooms",
    ]
    every = [Rules(), Rules(num_overview=(0, 8)), Rules(overview="mine:pick")]
    assert list(names_of(every).values()) == [
        "64 overview frames, overview uniform",
        "0 or 8 overview frames, overview uniform",
        "64 overview frames, overview mine:pick",
    ]
    every = [
        Rules(),
        Rules(tools=("zoom", "crop")),
        Rules(tools=("find",), finder="m:f"),
        Rules(tools=("find",), finder="m:g"),
    ]
    assert list(names_of(every).values()) == [
        "tools zoom",
        "tools zoom and crop",
        "tools find, finder m:f",
        "tools find, finder m:g",
    ]


def test_drawn_and_picked_overviews_are_shown_as_they_were(tmp_path: Path) -> None:
    env = ZoomEnv(
        "synthetic:flash",
        source="scene",
        max_pixels=1024,
        frame_size=(0, 0),
        num_overview=(0, 3, 5),
        overview="random",
    )
    task_ids = [env.tasks[index].id for index in range(6)]
    records = [
        record
        for agent in ("uniform", "glance")
        for record in run_episodes(
            env, make_agent(agent), agent_name=agent, task_ids=task_ids, seed=0
        )
    ]
    page = page_of(records, tmp_path)
    assert "0 or 3 or 5 overview frames, picked by <bdi>random</bdi>, 16 frames" in page.source
    shown = {one["id"]: one for one in page.viewer["tasks"]}
    sizes = set()
    for record in records:
        task, times_s = shown[record.task.id], record.overview.times_s
        sizes.add(len(times_s))
        assert task["overview_s"] == [round(time_s, 3) for time_s in times_s]
        assert [time_s for time_s, *_ in task["frames"]] == task["overview_s"]
    assert sizes == {0, 3, 5}
    assert all(episode["is_pictured"] for episode in page.viewer["episodes"])


def test_one_task_with_two_overviews_is_two_tasks_on_the_page(tmp_path: Path) -> None:
    rules = {"num_overview": (2, 4), "overview": "mine:pick"}
    one = episodes.played(RIGHT, picked=Overview((1.0, 2.0)), **rules)
    other = episodes.played(RIGHT, picked=Overview((3.0, 4.0)), agent="b", **rules)
    page = page_of([one, other], tmp_path)
    assert [task["overview_s"] for task in page.viewer["tasks"]] == [[1.0, 2.0], [3.0, 4.0]]


def test_accuracy_is_drawn_against_the_most_zooms_allowed() -> None:
    rows = leaderboard(RECORDS)
    fewer = [row for row in rows if row.agent == "guesser"]
    rows_of = {Rules(max_turns=1): fewer, Rules(max_turns=5): rows, Rules(max_turns=3): fewer}
    chart = rules_chart(rows_of, ["zoomer", "guesser"])
    assert chart is not None
    assert chart.labels == ((56.0, 0), (285.0, 2), (514.0, 4))
    assert [(curve.agent, curve.path) for curve in chart.curves] == [
        ("zoomer", "M510.5 22.0"),
        ("guesser", "M59.5 140.0L288.5 140.0L517.5 140.0"),
    ]
    assert rules_chart({Rules(): rows, Rules(frame_budget=96): rows}, ["zoomer"]) is None
    assert rules_chart({Rules(): rows}, ["zoomer"]) is None


def test_numbers_by_category_lead_to_their_episodes(tmp_path: Path) -> None:
    links = [a for a in page_of(RECORDS, tmp_path).all("a") if "data-agent" in a]
    assert [(a["data-agent"], a.get("data-category")) for a in links[:6]] == [
        ("0", "0"), ("0", "1"), ("0", None), ("1", "0"), ("1", "1"), ("1", None),
    ]  # fmt: skip


def test_hostile_texts_are_shown_and_do_nothing(tmp_path: Path) -> None:
    evil = "</script><script>alert(1)</script><img src=x onerror=alert(2)><!--\"'{{ 7 * 7 }}"
    task = replace(TASK, id=evil, question=evil, options=(evil, "b"), answer="A", category=evil)
    page = page_of([played(evil, evil, WRONG, task=task)], tmp_path)
    assert [script.get("id") for script in page.all("script")] == ["data", None]
    assert page.all("img") == []
    assert "onerror" not in {name for _, attributes in page.elements for name in attributes}
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page.source
    assert "{{ 7 * 7 }}" in page.source
    assert page.viewer["tasks"][0]["question"] == evil
    assert page.viewer["episodes"][0]["turns"][0]["reply"] == evil


def test_only_the_script_of_the_page_may_run(tmp_path: Path) -> None:
    page = page_of(RECORDS, tmp_path)
    script = page.source.rpartition("<script>")[2].partition("</script>")[0]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    [policy] = [m["content"] for m in page.all("meta") if m.get("http-equiv")]
    assert f"script-src 'sha256-{digest}'" in str(policy).split("; ")


def test_lone_surrogate_becomes_a_question_mark(tmp_path: Path) -> None:
    answer = '{"answer": "it is A \\ud800"}'
    record = replace(played("agent", answer), task_set="mlvu")
    page = page_of([record], tmp_path)
    assert "<code><bdi>it is A ?</bdi></code>" in page.source
    assert page.viewer["episodes"][0]["answer"] == "it is A \ud800"


def test_every_metric_is_explained(tmp_path: Path) -> None:
    source = page_of(RECORDS, tmp_path).source
    for metric in METRICS:
        assert f"<dt>{metric.name}</dt><dd>" in source


def test_no_records_make_a_page_that_says_so(tmp_path: Path) -> None:
    page = page_of([], tmp_path)
    assert "No episode finished" in page.source
    assert page.all("script") == []


def test_many_task_sets_are_folded_away(tmp_path: Path) -> None:
    records = [replace(RECORDS[0], task_set=f"set {number}") for number in range(9)]
    assert "<details><summary>show all 9</summary>" in page_of(records, tmp_path).source
    assert "<details><summary>" not in page_of(records[1:], tmp_path).source


def test_accuracy_by_length_is_drawn_where_lengths_differ(tmp_path: Path) -> None:
    long = replace(RECORDS[0], duration_s=3000.0, last_frame_s=2999.0)
    assert "Accuracy by length of video" in page_of([*RECORDS, long], tmp_path).source
    assert "Accuracy by length of video" not in page_of(RECORDS, tmp_path).source


def test_page_says_how_many_of_its_episodes_it_has_room_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "has room for" not in page_of(RECORDS, tmp_path).source
    monkeypatch.setattr(viewer, "MAX_EPISODE_BYTES", 3000)
    page = page_of(RECORDS, tmp_path)
    assert "The page has room for 2 of 4 episodes" in page.source
    assert [episode["agent"] for episode in page.viewer["episodes"]] == [0, 1]


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


def test_label_of_chance_keeps_off_the_whiskers() -> None:
    wide = {"frames": Estimate(80.0, 64.0, 100.0, 2)}
    rows = [replace(row, estimates=row.estimates | wide) for row in leaderboard(RECORDS[2:])]
    assert frames_chart(rows, 0.25).chance_label.bottom == 199 - 5
    assert frames_chart(rows, 0.49).chance_label.top == pytest.approx(142.4 + 5)


@pytest.mark.parametrize(
    ("most", "short"), [(21, "qwen:runs/checkpoint1"), (9, "qwen…int1"), (4, "qw…1"), (1, "q…1")]
)
def test_long_names_keep_both_ends(most: int, short: str) -> None:
    assert shorten("qwen:runs/checkpoint1", most) == short


def test_checkpoints_of_one_agent_read_differently(tmp_path: Path) -> None:
    agents = [f"qwen:{'runs/' * 9}checkpoint-{k}00" for k in (1, 2)]
    page = page_of([replace(RECORDS[0], agent=agent) for agent in agents], tmp_path)
    first, second = (row[0] for row in page.tables["Table of agents"][1:])
    assert (len(first), first[-14:], second[-14:]) == (30, "checkpoint-100", "checkpoint-200")
    assert f'title="{agents[0]}"' in page.source


def test_large_numbers_are_grouped(tmp_path: Path) -> None:
    page = page_of([replace(RECORDS[0], usage={"tokens": 1234567.0})], tmp_path)
    [costs] = [table for name, table in page.tables.items() if "episode took" in name]
    assert costs[1][-1] == "1,234,567 (1,234,567..1,234,567)"


OPEN = replace(TASK, id="open-1", options=(), answer="a red kite")


def test_what_nobody_could_grade_is_shown_as_a_gap(tmp_path: Path) -> None:
    gap = replace(played("zoomer", WRONG, task=OPEN), grading="ungraded")
    page = page_of([*RECORDS[:2], gap], tmp_path)
    assert page.tables["Table of agents"][1][:3] == [
        "zoomer",
        "3 (1 ungraded)",
        "1.00 (0.34..1.00)",
    ]
    assert "1 ungraded" in page.source
    assert page.viewer["episodes"][0]["outcome"] == "ungraded"
    assert page_of([gap], tmp_path).tables["Table of agents"][1][:4] == [
        "zoomer",
        "1 (1 ungraded)",
        "–",
        "–",
    ]


def test_a_benchmark_is_shown_strictly_and_officially_with_what_parts_them(tmp_path: Path) -> None:
    wordy = '{"answer": "<b>it is</b> A"}'
    records = [
        replace(played("zoomer", RIGHT), task_set="mlvu"),
        replace(played("zoomer", wordy, task=replace(TASK, id="sky-2")), task_set="mlvu"),
    ]
    page = page_of(records, tmp_path)
    assert page.tables["Table of strict and official scores"] == [
        ["agent", "benchmark", "group", "tasks", "strict", "official"],
        ["zoomer", "mlvu", "mean of groups", "2", "0.500", "1.000"],
        ["", "", "category: sky", "2", "0.500", "1.000"],
    ]
    assert "the readings differ on 1 of 2 tasks" in page.source
    assert "&lt;b&gt;it is&lt;/b&gt; A" in page.source
    assert "wrong strictly, right officially" in page.source
    assert "Table of strict and official scores" not in page_of(RECORDS, tmp_path).tables
