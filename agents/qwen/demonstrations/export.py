"""Demonstrations as LLaMA-Factory's sharegpt rows, with their frames as files.

    {"messages": [{"role": "user", "content": "<frame0_time0.00s><image>.."}, ..],
     "images": ["rows.frames/00000/000.jpg", ..]}

Each `<image>` in the messages marks one of the images, in order; the results of a tool are user
turns. Source: zsgvivo/videozoomer_sft on the hub.

Departure: a sharegpt row has no place for `first_turn`. LLaMA-Factory learns every reply of a
reflection, the mistakes too, unless it is told to learn the last one only (`mask_history`).
"""

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from agents.qwen.demonstrations.demonstration import Demonstration
from zoomgym.agent import conversation as prompts
from zoomgym.envs import ZoomEnv
from zoomgym.records import env_to_watch
from zoomgym.rollout import watch_again

IMAGE = "<image>"
MARK = re.compile("<(image|video|audio)>")
"""Marks that LLaMA-Factory replaces by a picture, a video or a sound."""
QUALITY = 95
"""Quality of JPEG files."""


def export(
    demonstrations: Iterable[Demonstration],
    out: Path,
    *,
    tasks: str | None = None,
    cache_dir: Path | None = None,
) -> Iterator[dict[str, Any]]:
    """Writes demonstrations to out as sharegpt rows, and yields each as its frames are written.

    Frames are in a folder beside out, named as out with `.frames`; rows name them from there.
    The rows themselves are written last.

    Args:
        demonstrations: played on synthetic tasks, or on the set that is named.
        out: a JSON file.
        tasks: the name of a set whose files may be opened; None opens none.
        cache_dir: where synthetic videos are written; None is the user's cache folder.

    Raises:
        RecordError: an episode cannot be played again, or is of another set.
        VideoError: a video cannot be shown.
    """
    envs: dict[str, ZoomEnv] = {}
    rows: list[dict[str, Any]] = []
    for index, demonstration in enumerate(demonstrations):
        record = demonstration.record
        settings = json.dumps(record.settings, sort_keys=True)
        if settings not in envs:
            envs[settings] = env_to_watch(record, tasks, cache_dir=cache_dir)
        messages = prompts.to_messages(watch_again(envs[settings], record))
        folder = Path(f"{out.stem}.frames") / f"{index:05}"
        images = [folder / f"{i:03}.jpg" for i in range(len(prompts.images_of(messages)))]
        (out.parent / folder).mkdir(parents=True, exist_ok=True)
        for path, pixels in zip(images, prompts.images_of(messages), strict=True):
            _save(out.parent / path, pixels)
        said = [{"role": one["role"], "content": _marked(one)} for one in messages]
        rows.append({"messages": said, "images": [path.as_posix() for path in images]})
        yield rows[-1]
    out.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


def _marked(message: prompts.Message) -> str:
    """Returns a message as text with a mark for every picture, and no other mark."""
    runs = [""]
    for part in message["content"]:
        if part["type"] == "image":
            runs.append("")
        else:
            runs[-1] += part["text"]
    return IMAGE.join(MARK.sub(r"<\1 >", run) for run in runs)


def _save(path: Path, pixels: NDArray[np.uint8]) -> None:
    """Writes a picture, (H, W, 3) uint8 RGB."""
    Image.fromarray(pixels).save(path, quality=QUALITY, subsampling=0)
