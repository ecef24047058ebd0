"""Records of episodes whose replies are given: no video is needed for what records say."""

import json
from dataclasses import replace
from typing import Any

from zoomgym.records import Record
from zoomgym.rules.episode import advance, start
from zoomgym.rules.overview import Overview
from zoomgym.rules.question import VideoQuestion
from zoomgym.rules.rewards import DEFAULT_WEIGHTS, score
from zoomgym.rules.search import Find, find_nothing
from zoomgym.rules.settings import Rules
from zoomgym.rules.timeline import Segment

DURATION_S, LAST_FRAME_S = 60.0, 59.75
HIDDEN = Segment(20.1, 20.5)
"""Between two frames of the overview, which come every 0.948 s."""
TASK = VideoQuestion(
    id="q", video="v", question="?", answer="A", options=("x", "y"), evidence=(HIDDEN,)
)
SETTINGS = {
    "tasks": "mine",
    "split": "test",
    "duration_s": 60,
    "difficulty": "easy",
    "source": "file",
    "max_pixels": 1024,
}
RIGHT, WRONG = '{"answer": "A"}', '{"answer": "B"}'


def zoom(start_s: float, end_s: float, fps: float) -> str:
    """Returns the reply that zooms there."""
    return json.dumps({"segment": [start_s, end_s], "fps": fps})


def played(
    *replies: str,
    task: VideoQuestion = TASK,
    agent: str = "a",
    picked: Overview | None = None,
    find: Find = find_nothing,
    **rules: Any,
) -> Record:
    """Returns the record of an episode with these replies."""
    episode = start(task, DURATION_S, LAST_FRAME_S, Rules(**rules), "key", picked)
    for reply in replies:
        episode = advance(episode, reply, find=find)
    parts = score(episode)
    assert episode.is_over
    return Record(
        version="1",
        agent=agent,
        seed=0,
        task_set="mine",
        task_set_version="0",
        task_set_hash="abc",
        settings={**SETTINGS, "reward_weights": dict(DEFAULT_WEIGHTS)},
        task=task,
        rules=episode.rules,
        key="key",
        duration_s=DURATION_S,
        last_frame_s=LAST_FRAME_S,
        turns=episode.turns,
        answer=episode.answer,
        end_reason=episode.end_reason,
        frames_used=episode.frames_used,
        reward_parts=parts,
        reward=parts.total(DEFAULT_WEIGHTS),
        agent_s=2.0,
        decode_s=1.0,
        picked_s=None if picked is None else picked.times_s,
        frames_scanned=episode.frames_scanned,
    )


def with_evidence(*evidence: tuple[float, float], question: str = "?") -> VideoQuestion:
    """Returns a task with this evidence."""
    segments = tuple(Segment(*pair) for pair in evidence)
    return replace(TASK, evidence=segments, question=question)
