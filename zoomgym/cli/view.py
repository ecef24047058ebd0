"""The command `zoomgym view`: records as logs of inspect_ai, whose viewer shows them."""

import argparse
import sys
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING

from tqdm import tqdm

from zoomgym.errors import RecordError, VideoError, ZoomGymError
from zoomgym.io import number_of, plain
from zoomgym.records import Record, env_to_watch, read_records
from zoomgym.rollout import watch_again

if TYPE_CHECKING:
    from inspect_ai.log import EvalSample


def view(args: argparse.Namespace) -> int:
    """Writes a log for each run in a file of records. Returns 1 if an episode cannot be shown."""
    records = list(islice(read_records(args.records), args.num))
    try:
        from zoomgym.integrations.inspect_logs import runs_of, write_log
    except ModuleNotFoundError as error:
        raise ZoomGymError(
            f"view needs the package {error.name}, got none in {sys.executable}: run "
            "pip install 'zoomgym[inspect-ai]'"
        ) from error
    args.out.mkdir(parents=True, exist_ok=True)
    created = datetime.fromtimestamp(args.records.stat().st_mtime, UTC)
    num_shown = 0
    for run in runs_of(records):
        if samples := _samples(run, args):
            path = write_log(run, samples, args.out, created)
            print(f"{plain(run[0].agent)}: {number_of(len(samples), 'episode')} -> {path}")
        num_shown += len(samples)
    if num_shown:
        print(f"to look at them: inspect view --log-dir {args.out}")
    return int(num_shown < len(records) or not records)


def _samples(run: Sequence[Record], args: argparse.Namespace) -> "list[EvalSample]":
    """Returns the samples of a run; what cannot be shown is told, and left out."""
    from zoomgym.integrations.inspect_logs import sample_of

    samples, epochs = [], Counter[str]()
    open_env = partial(env_to_watch, cache_dir=args.cache_dir, max_pixels=args.max_pixels)
    with closing(open_env(run[0], args.tasks)) as env:
        for record in tqdm(run, desc="view", unit=" episodes", disable=None, leave=False):
            try:
                observation = watch_again(env, record)
            except (RecordError, VideoError) as error:
                tqdm.write(plain(str(error)), file=sys.stderr)
                continue
            epochs[record.task.id] += 1
            samples.append(sample_of(record, observation, epochs[record.task.id]))
    return samples
