"""Where things are in a synthetic picture, and in which colors: the same at every size."""

from typing import NamedTuple

from zoomgym.tasks.synthetic.symbols import LAMPS, Color

FPS = 12
SCENE_SIZE = (256, 256)
"""(H, W) of the picture that is written to a file."""
LARGE_SIZE = (1280, 1280)
"""(H, W) of the picture of a `LargeScene`."""

AMBER = LAMPS["amber"]
BLUE = LAMPS["blue"]
TRACK: Color = (16, 16, 20)
PLATE: Color = (24, 24, 28)
BAR: Color = (250, 250, 250)


class Box(NamedTuple):
    """A rectangle in the unit square, from the top left."""

    left: float
    top: float
    right: float
    bottom: float

    def pixels(self, size: tuple[int, int]) -> tuple[slice, slice]:
        """Returns the (rows, columns) that the box covers in a picture of size (H, W)."""
        height, width = size
        return (
            slice(round(self.top * height), round(self.bottom * height)),
            slice(round(self.left * width), round(self.right * width)),
        )


BEACON = Box(0.06, 0.02, 0.94, 0.14)
BARS = (Box(0.06, 0.16, 0.94, 0.24), Box(0.06, 0.26, 0.94, 0.34))
"""Boxes of a countdown: the coarse bar and the fine one."""
TINY = Box(15 / 32, 15 / 32, 17 / 32, 17 / 32)
"""Box of a tiny plate, in the middle of the picture."""
SIGN_SIDE = 0.56
SIGN_TOP = 0.38


def sign_box(left: float) -> Box:
    """Returns where a plate is that begins at left, a share of the width."""
    return Box(left, SIGN_TOP, left + SIGN_SIDE, SIGN_TOP + SIGN_SIDE)
