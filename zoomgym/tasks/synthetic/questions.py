"""What is asked: one text for each family, so that a question tells nothing of its answer."""

__all__ = ["COUNT", "DIRECTIONS", "FLASH", "MOTION", "ORDER", "OVERVIEW", "RELAY", "SPARSE"]

FLASH = "While the amber beacon is lit, one symbol shows briefly. Which symbol is it?"
COUNT = (
    "While the amber beacon is lit, seven brief pulses of light show, each of them red or blue. "
    "How many are red?"
)
ORDER = (
    "While the amber beacon is lit, two symbols show briefly, one after the other. "
    "Which symbol comes first?"
)
MOTION = "While the amber beacon is lit, a wheel turns for a moment. Which way does it turn?"
DIRECTIONS = ("clockwise", "counter-clockwise")
"""The options of MOTION."""
RELAY = (
    "While the amber beacon is lit, a coloured square shows briefly in one of four places. While "
    "the beacon of that colour is lit, a symbol shows in each of the four places. Which symbol is "
    "in the place of the square?"
)
OVERVIEW = (
    "Symbols show one after the other, always in the same order. Which symbol comes right after the"
)
"""It ends with the name of a symbol and a question mark."""
SPARSE = (
    "The amber beacon is lit once, for so short a time that the overview misses it. "
    "Which symbol shows meanwhile?"
)
