"""Colors and shapes of agents in every chart, and colors of zooms."""

import hashlib
from collections.abc import Collection

from zoomgym.render import EVIDENCE, PALE_EVIDENCE, ZOOM_COLORS

SHAPES = (
    "M0-5.2A5.2 5.2 0 1 0 0 5.2A5.2 5.2 0 1 0 0-5.2Z",
    "M-4.6-4.6H4.6V4.6H-4.6Z",
    "M0-6L5.8 4.4H-5.8Z",
    "M0-6.4L6.4 0L0 6.4L-6.4 0Z",
    "M0 6L5.8-4.4H-5.8Z",
)
"""SVG paths about the origin. Five shapes and eight colors tell 40 agents apart."""
AGENT_COLORS = (
    ("#0072b2", "#5aaee8"),
    ("#c77700", "#f0a83c"),
    ("#008764", "#2fc79f"),
    ("#c8401b", "#f5794c"),
    ("#b14a8c", "#e28fc3"),
    ("#3a9bd4", "#9bd7f7"),
    ("#6a7079", "#a9b0ba"),
    ("#857500", "#e0d04e"),
)
"""On light and dark, for color-blind people too. Source: after Okabe and Ito, 2008."""
NUM_LOOKS = len(SHAPES) * len(AGENT_COLORS)
FIXED = (
    *("coarse_to_fine", "uniform", "oracle", "change", "glance", "keyframe", "blind", "random"),
    *("half", "once", "slow", "tutor", "listener", "cropper", "toolbox"),
)
"""Registered agents by number. The first eight, often compared, share no color."""
DARK_ZOOMS = ("#7ba7ff", "#ff9a62", "#c99bff", "#4fc3cd", "#ff85b8", "#cfa06a")
"""Colors of zooms on dark; on light they are those of an episode's picture."""


def number_agents(agents: Collection[str]) -> dict[str, int]:
    """Returns the number of each agent, which gives its shape and color, on every page.

    It depends on the name alone, unless two agents here would look alike.
    """
    numbers = {agent: FIXED.index(agent) for agent in sorted(agents) if agent in FIXED}
    room = NUM_LOOKS - len(FIXED)
    for agent in sorted({*agents} - numbers.keys()):
        digest = hashlib.sha256(agent.encode("utf-8", "surrogatepass")).digest()
        start = int.from_bytes(digest[:8], "big")
        places = [len(FIXED) + (start + step) % room for step in range(room)]
        taken = {*numbers.values()}
        numbers[agent] = next((place for place in places if place not in taken), places[0])
    return numbers


def shape_path(index: int) -> str:
    """Returns the SVG path of an agent's shape."""
    return SHAPES[index % len(SHAPES)]


def color_class(index: int) -> str:
    """Returns the CSS class of an agent's color."""
    return f"agent-color-{index % len(AGENT_COLORS)}"


def evidence_variables() -> str:
    """Returns the CSS variables of the colors of evidence, on light."""
    return f"--evidence: {_hex(EVIDENCE)}; --evidence-soft: {_hex(PALE_EVIDENCE)};"


def zoom_variables(is_dark: bool) -> str:
    """Returns the CSS variables of the colors of zooms."""
    colors = DARK_ZOOMS if is_dark else map(_hex, ZOOM_COLORS)
    return " ".join(f"--zoom-{index}: {color};" for index, color in enumerate(colors))


def _hex(color: tuple[int, int, int]) -> str:
    return f"#{bytes(color).hex()}"
