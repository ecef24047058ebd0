"""Plays test tasks with overviews of several kinds and sizes, to records that are compared."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tqdm import tqdm

from agents.registry import make_agent
from agents.selector.settings import load_settings
from agents.selector.training import TRAINED_ON
from zoomgym.envs import ZoomEnv
from zoomgym.records import Record, append_record
from zoomgym.rollout import run_episodes

LEARNED = "learned"
"""Name of the overview of the selector itself."""


class Played(NamedTuple):
    """Episodes with overviews of one kind and size."""

    overview: str
    num_frames: int
    records: list[Record]
    path: Path

    @property
    def num_right(self) -> int:
        """Episodes that were answered rightly."""
        return sum(record.reward_parts.accuracy == 1 for record in self.records)

    @property
    def mean_scanned(self) -> float:
        """Frames that were looked at to pick an overview."""
        return sum(record.frames_scanned for record in self.records) / len(self.records)


def evaluate(
    folder: Path,
    out: Path,
    *,
    overviews: Sequence[str],
    num_frames: Sequence[int],
    agent_name: str,
    num_episodes: int,
    env: dict[str, Any],
) -> Iterator[Played]:
    """Plays the first test tasks with every overview, and yields each kind and size when played.

    Args:
        folder: of the selector.
        out: folder of the records: one file for each kind and size.
        overviews: as in ZoomEnv; `learned` is the selector.
        num_frames: sizes of overviews.
        agent_name: as in `make_agent`.
        num_episodes: how many tasks.
        env: arguments of ZoomEnv, over those that the selector was trained on.

    Raises:
        ValueError: there is no selector, agent or overview of that name.
        FileExistsError: a file of records is there.
    """
    arguments = {**TRAINED_ON, **load_settings(folder).env, "split": "test", "max_turns": 1, **env}
    paths = {
        (overview, size): out / f"{overview.replace(':', '-').replace('/', '-')}-{size}.jsonl"
        for overview in dict.fromkeys(overviews)
        for size in dict.fromkeys(num_frames)
    }
    for path in paths.values():
        if path.exists():
            raise FileExistsError(f"{path} exists: choose another --out")
    out.mkdir(parents=True, exist_ok=True)
    for (overview, size), path in paths.items():
        picked = f"{LEARNED}:{folder}" if overview == LEARNED else overview
        made = ZoomEnv(**{**arguments, "overview": picked, "num_overview": size})
        records = []
        try:
            tasks = made.tasks
            task_ids = [tasks[index].id for index in range(min(num_episodes, len(tasks)))]
            played = run_episodes(
                made, make_agent(agent_name), agent_name=agent_name, task_ids=task_ids, seed=0
            )
            for record in tqdm(played, f"{overview} {size}", len(task_ids), unit=" episodes"):
                append_record(path, record)
                records.append(record)
        finally:
            made.close()
        yield Played(overview, size, records, path)
