"""Shows the episode of an environment to a person, as `render_mode` says."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zoomgym.envs.viewing import Viewing
from zoomgym.render import Screen, describe, paint
from zoomgym.rules import Episode


class Display:
    """Shows episodes; its window stays open from one to the next."""

    def __init__(self) -> None:
        self._screen: Screen | None = None

    def render(
        self, mode: str, episode: Episode, viewing: Viewing, weights: Mapping[str, float]
    ) -> NDArray[np.uint8] | str | None:
        """Returns a picture (`rgb_array`) or a text (`ansi`), or shows the picture (`human`)."""
        if mode == "ansi":
            return describe(episode, weights)
        overview, *clips = viewing.frames()
        picture = paint(episode, overview, clips, weights)
        if mode == "rgb_array":
            return picture
        self._screen = self._screen or Screen()
        self._screen.show(picture)
        return None

    def close(self) -> None:
        """Closes the window."""
        if self._screen is not None:
            self._screen.close()

    def __getstate__(self) -> dict[str, Any]:
        """Leaves the window behind: it belongs to one process."""
        return {**self.__dict__, "_screen": None}
