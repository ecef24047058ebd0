"""Learns which frames of a video to show as the overview: `overview="learned:FOLDER"`.

A small network scores a scan of the video, and policy gradient trains it on which frames let a
frozen reader answer. PyTorch is imported on demand.

Source: TSPO (arXiv 2508.04369) trains a selector in this way, with a language model as reader.
"""

from typing import TYPE_CHECKING

from agents.extras import how_to_install

if TYPE_CHECKING:
    from agents.selector.picker import LearnedPicker


def load_picker(path: str) -> "LearnedPicker":
    """Returns the picker that `python -m agents.selector train --out path` trained.

    Raises:
        ValueError: PyTorch is not installed, or there is no selector at path.
    """
    try:
        from agents.selector.picker import LearnedPicker
    except ModuleNotFoundError as error:
        if told := how_to_install(error):
            raise ValueError(f"overview learned:{path}: {told}") from error
        raise
    return LearnedPicker(path)
