"""A canvas to draw on: boxes, text that never leaves its box, symbols, pictures in a grid.

Text is set in Pillow's own font, the same on every machine.
"""

import math
import string
from bisect import bisect_right
from functools import lru_cache
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from zoomgym.io import transliterated

Color: TypeAlias = tuple[int, int, int]

CHARACTERS = frozenset(string.ascii_letters + string.digits + string.punctuation + " …«»°±·")
"""Characters that the font can draw."""
SIMILAR = str.maketrans(
    "\u2010\u2011\u2012\u2013\u2014\u2212\u00d7\u2022\u2018\u2019\u201c\u201d", "------x·''\"\""
)
MAX_CHARS = 1000
"""Characters after which a text is cut, before anything else is done with it."""
ELLIPSIS = "…"
LINE_HEIGHT = 1.3
"""Height of a line, in sizes of the font."""
WORTH_A_ROW = 0.85
"""Share of the largest possible area that cells keep where fewer rows are preferred."""
SMOOTHING = 4
"""Factor by which text and symbols are drawn too large, then shrunk: the font engine would set
small letters on whole pixels, unevenly spaced."""
SYMBOLS: dict[str, list[list[tuple[float, float]]]] = {
    "check": [[(0.12, 0.55), (0.40, 0.82), (0.90, 0.20)]],
    "cross": [[(0.16, 0.16), (0.84, 0.84)], [(0.16, 0.84), (0.84, 0.16)]],
}
"""Lines through points in a square of side 1."""


class Rect(NamedTuple):
    """A rectangle in pixels, [left, right) x [top, bottom)."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def width(self) -> int:
        """Pixels from left to right."""
        return self.right - self.left

    @property
    def height(self) -> int:
        """Pixels from top to bottom."""
        return self.bottom - self.top

    @property
    def middle(self) -> int:
        """The y half-way down."""
        return (self.top + self.bottom) // 2

    def cut(self, left: int = 0, top: int = 0, right: int = 0, bottom: int = 0) -> "Rect":
        """Returns the box, smaller by so many pixels at each side."""
        return Rect(self.left + left, self.top + top, self.right - right, self.bottom - bottom)

    def row(self, index: int, height: int) -> "Rect":
        """Returns the row at index, where rows of height fill the box from its top down."""
        top = self.top + index * height
        return Rect(self.left, top, self.right, top + height)


class Grid(NamedTuple):
    """Cells of one size, filled row by row."""

    columns: int
    width: int
    height: int
    """Width and height of a cell, in pixels."""

    @classmethod
    def within(cls, room: Rect, count: int, aspect: float, gap: int = 0, foot: int = 0) -> "Grid":
        """Returns the grid of the largest cells, 1 or more, that fit into room, with few rows.

        Aspect is a cell's width by its height; gap and foot are pixels between cells, and free
        pixels under each row.
        """

        def with_rows(rows: int) -> "Grid":
            columns = -(-count // rows)
            most_width = (room.width + gap) // columns - gap
            most_height = (room.height + gap) // rows - gap - foot
            width = max(1, min(most_width, int(most_height * aspect)))
            return cls(columns, width, max(1, min(most_height, round(width / aspect))))

        grids = [with_rows(rows) for rows in range(1, count + 1)]
        least_area = WORTH_A_ROW * max(grid.width * grid.height for grid in grids)
        return next(grid for grid in grids if grid.width * grid.height >= least_area)


class Canvas:
    """A picture that is being drawn."""

    def __init__(self, size: tuple[int, int], color: Color) -> None:
        """Begins with one color all over size (H, W)."""
        self._image = Image.new("RGB", size[::-1], color)
        self._draw = ImageDraw.Draw(self._image)

    def to_array(self) -> NDArray[np.uint8]:
        """Returns (H, W, 3) uint8 RGB, a copy."""
        return np.array(self._image)

    def fill(
        self, box: Rect, color: Color, *, radius: int = 0, outline: Color | None = None
    ) -> None:
        """Fills box."""
        corners = (box.left, box.top, box.right - 1, box.bottom - 1)
        self._draw.rounded_rectangle(corners, radius, color, outline)

    def line(self, box: Rect, text: str, size: int, color: Color, align: str = "left") -> int:
        """Writes text on one line, shortened, in the middle of box. Returns its width in pixels."""
        [shown] = wrap(text, size, box.width, 1) or [""]
        width = text_width(shown, size)
        left = {"left": box.left, "right": box.right - width}.get(
            align, (box.left + box.right - width) // 2
        )
        if shown:
            mask = _text_mask(shown, size)
            self._image.paste(color, (left, box.middle - mask.height // 2), mask)
        return width

    def lines(self, box: Rect, text: str, size: int, color: Color, most: int) -> int:
        """Writes text into box, on `most` lines at most. Returns the y under the last line."""
        height = line_height(size)
        shown = wrap(text, size, box.width, min(most, box.height // height))
        for index, line in enumerate(shown):
            self.line(box.row(index, height), line, size, color)
        return box.top + len(shown) * height

    def symbol(self, name: str, left: int, middle: int, side: int, color: Color) -> None:
        """Draws a check or a cross in a square of side pixels."""
        mask = _symbol(name, side)
        self._image.paste(color, (left, middle - side // 2), mask)

    def picture(self, box: Rect, frame: NDArray[np.uint8]) -> None:
        """Puts a frame (H, W, 3) uint8 RGB into box, stretched to it."""
        fitted = Image.fromarray(frame).resize(
            (box.width, box.height), Image.Resampling.BILINEAR, reducing_gap=1.0
        )
        self._image.paste(fitted, (box.left, box.top))


def line_height(size: int) -> int:
    """Returns the pixels from one line of text to the next."""
    return round(size * LINE_HEIGHT)


def printable(text: str) -> str:
    """Returns text, untrusted, on one line in characters that the font has; others become ?."""
    cut = text if len(text) <= MAX_CHARS else text[: MAX_CHARS - 1] + ELLIPSIS
    shown = transliterated(" ".join(cut.split()), CHARACTERS, SIMILAR)
    return " ".join(shown.split())


@lru_cache(maxsize=4096)
def text_width(text: str, size: int) -> int:
    """Returns the pixels that a line of text takes."""
    return math.ceil(_font(size * SMOOTHING).getlength(text) / SMOOTHING)


def wrap(text: str, size: int, width: int, most: int) -> list[str]:
    """Returns text as at most `most` lines of at most width pixels; an ellipsis ends what is cut.

    Lines break at blanks, and within a word that is longer than a line.
    """
    if width < text_width(ELLIPSIS, size):
        return []
    rest = printable(text)
    lines: list[str] = []
    while rest and len(lines) < most:
        count = _count_fitting(rest, size, width)
        if count == len(rest):
            return [*lines, rest]
        if len(lines) == most - 1:
            count = _count_fitting(rest, size, width - text_width(ELLIPSIS, size))
            return [*lines, rest[:count].rstrip() + ELLIPSIS]
        blank = rest.rfind(" ", 0, count + 1)
        count = blank if blank > 0 else max(1, count)
        lines.append(rest[:count].rstrip())
        rest = rest[count:].lstrip()
    return lines


def _count_fitting(text: str, size: int, width: int) -> int:
    """Returns how many characters from the start of text fit into width pixels."""
    most = min(len(text), max(0, width // 2))  # no character is narrower than two pixels
    if text_width(text[:most], size) <= width:
        return most
    return bisect_right(range(1, most + 1), width, key=lambda count: text_width(text[:count], size))


@lru_cache(maxsize=32)
def _font(size: int) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(size)
    assert isinstance(font, ImageFont.FreeTypeFont)
    return font


@lru_cache(maxsize=512)
def _text_mask(text: str, size: int) -> Image.Image:
    """Returns a line of text as a mask, as high as a line."""
    font = _font(size * SMOOTHING)
    area = (text_width(text, size), line_height(size))
    mask = Image.new("L", (area[0] * SMOOTHING, area[1] * SMOOTHING))
    ImageDraw.Draw(mask).text((0, mask.height // 2), text, 255, font, anchor="lm")
    return mask.reduce(SMOOTHING)


@lru_cache(maxsize=32)
def _symbol(name: str, side: int) -> Image.Image:
    large = side * SMOOTHING
    mask = Image.new("L", (large, large))
    draw = ImageDraw.Draw(mask)
    for stroke in SYMBOLS[name]:
        draw.line([(x * large, y * large) for x, y in stroke], 255, width=large // 6, joint="curve")
    return mask.reduce(SMOOTHING)
