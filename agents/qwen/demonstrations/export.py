"""Demonstrations as LLaMA-Factory's sharegpt rows, with their frames as files.

    {"messages": [{"role": "user", "content": "<frame0_time0.00s><image>.."}, ..],
     "images": ["rows.frames/00000/000.jpg", ..]}

Each `<image>` in the messages marks one of the images, in order; the results of a tool are user
turns. Source: zsgvivo/videozoomer_sft on the hub.

Departure: a sharegpt row has no place for `first_turn`. LLaMA-Factory learns every reply of a
reflection, mistakes included, unless `mask_history` tells it to learn only the last.
"""

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from PIL import Image

from agents.qwen.demonstrations.demonstration import Demonstration, Watcher
from zoomgym.conversation import Message, images_of

IMAGE = "<image>"
MARK = re.compile("<(image|video|audio)>")
"""Marks that LLaMA-Factory replaces with a picture, a video or a sound."""
QUALITY = 95
"""Quality of JPEG files."""


def export(
    demonstrations: Iterable[Demonstration],
    out: Path,
    *,
    tasks: str | None = None,
    cache_dir: Path | None = None,
) -> Iterator[dict[str, Any]]:
    """Writes demonstrations to a JSON file of sharegpt rows; yields each once its frames are saved.

    Frames go into a folder beside out, named after it. The rows themselves are written last.

    Args:
        demonstrations: of synthetic tasks, or of the set that tasks names.
        out: a JSON file.
        tasks: name of the task set whose files may be opened; None opens none.
        cache_dir: where synthetic videos are written; None is the user's cache folder.

    Raises:
        RecordError: an episode does not replay, or belongs to another set.
        VideoError: a video cannot be shown.
    """
    watcher = Watcher(tasks, cache_dir)
    rows: list[dict[str, Any]] = []
    for index, demonstration in enumerate(demonstrations):
        messages = watcher.messages(demonstration)
        folder = Path(f"{out.stem}.frames") / f"{index:05}"
        (out.parent / folder).mkdir(parents=True, exist_ok=True)
        images = []
        for number, pixels in enumerate(images_of(messages)):
            images.append(folder / f"{number:03}.jpg")
            picture = Image.fromarray(pixels)
            picture.save(out.parent / images[-1], quality=QUALITY, subsampling=0)
        said = [{"role": one["role"], "content": _marked(one)} for one in messages]
        rows.append({"messages": said, "images": [path.as_posix() for path in images]})
        yield rows[-1]
    out.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


def _marked(message: Message) -> str:
    """Returns a message as text, with a mark for each picture and no other mark."""
    runs = [""]
    for part in message["content"]:
        if part["type"] == "image":
            runs.append("")
        else:
            runs[-1] += part["text"]
    return IMAGE.join(MARK.sub(r"<\1 >", run) for run in runs)
