"""Writes the content of a task set as a table of text."""

import statistics
from collections import Counter
from collections.abc import Iterable, Sequence

from zoomgym.rules import VideoQuestion
from zoomgym.tasks import TaskSet


def task_table(
    tasks: TaskSet, all_tasks: Iterable[VideoQuestion], lengths_s: Sequence[float]
) -> str:
    """Returns the table of a task set: its identity, then tasks by category and by label.

    Without lengths_s of its videos, in seconds, the table has no line about them.
    """
    videos, groups = set(), {"category": Counter[str](), "options": Counter[str]()}
    num_with_evidence = 0
    for task in all_tasks:
        videos.add(task.video)
        num_with_evidence += bool(task.evidence)
        groups["category"][task.category] += 1
        groups["options"][str(len(task.options) or "open-ended")] += 1
        for kind, value in dict.fromkeys(task.labels):
            groups.setdefault(kind, Counter())[value] += 1
    facts = {
        "name": tasks.name,
        "version": tasks.version,
        "hash": tasks.content_hash,
        "tasks": str(len(tasks)),
        "videos": str(len(videos)),
        "with evidence": str(num_with_evidence),
    }
    if lengths_s:
        facts["video seconds"] = (
            f"{min(lengths_s):.1f} to {max(lengths_s):.1f}, "
            f"median {statistics.median(lengths_s):.1f}, sum {sum(lengths_s):.1f}"
        )
    return "\n\n".join([_facts(facts), *(_counts(kind, counts) for kind, counts in groups.items())])


def durations_s(tasks: TaskSet, all_tasks: Iterable[VideoQuestion]) -> Iterable[float]:
    """Yields the length of each video of a set, in seconds, once. Opens them; raises VideoError."""
    seen: set[str] = set()
    for task in all_tasks:
        if task.video not in seen:
            seen.add(task.video)
            video = tasks.open_video(task)
            yield video.duration_s
            video.close()


def _facts(facts: dict[str, str]) -> str:
    """Returns names and values in two columns."""
    width = max(map(len, facts))
    return "\n".join(f"{name:{width}}  {value}" for name, value in facts.items())


def _counts(kind: str, counts: Counter[str]) -> str:
    """Returns values and the number of tasks of each, in two columns under a heading."""
    rows = [(value or "(none)", str(count)) for value, count in sorted(counts.items())]
    left = max(len(text) for text, _ in [(kind, ""), *rows])
    right = max(len(text) for _, text in [("", "tasks"), *rows])
    return "\n".join(f"{text:{left}}  {count:>{right}}" for text, count in [(kind, "tasks"), *rows])
