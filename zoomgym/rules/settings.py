"""The rules of an environment: what its episodes are played by."""

from dataclasses import asdict, dataclass, fields
from typing import Any

from zoomgym.io import UNPRINTABLE, brief, is_whole_number
from zoomgym.rules.actions import FIND, ONLY_ZOOM, TOOLS
from zoomgym.rules.grammar import GRAMMARS, grammar_of, is_grammar
from zoomgym.rules.overview import UNIFORM
from zoomgym.rules.peers import PRESETS

MOST_OVERVIEW = 10_000
MOST = {
    "frames_per_zoom": 10_000,
    "frame_budget": 100_000,
    "max_turns": 100,
}
MOST_NAME_CHARS = 1000
LATER = ("overview", "tools", "finder", "preset")
"""Rules that records hold only where they are not the default: the first records lack them."""


@dataclass(frozen=True, slots=True)
class Rules:
    """The numbers an episode is played by. Raises ValueError if they leave no episode to play."""

    grammar: str = "json"
    num_overview: int | tuple[int, ...] = 64
    """Frames of the overview; they count against the budget. Of several, which end in ascending
    order, one is drawn for each episode."""
    frames_per_zoom: int = 16
    frame_budget: int = 128
    """Frames in all, overview and clips."""
    max_turns: int = 5
    """Replies in all; the last one must answer."""
    overview: str = UNIFORM
    """Name of what picks the times of the overview."""
    tools: tuple[str, ...] = ONLY_ZOOM
    """Names of the tools that are offered, see `TOOLS`; they end in that order."""
    finder: str = ""
    """Name of what searches, for the tool `find`; empty without that tool."""
    preset: str = ""
    """Name of the preset that lays messages out; empty for the layout of `conversation`."""

    def __post_init__(self) -> None:
        """Refuses numbers that leave no episode to play."""
        if not is_grammar(self.grammar):
            raise ValueError(f"grammar needs one of {list(GRAMMARS)}, got {brief(self.grammar)}")
        sizes = _sizes(self.num_overview)
        object.__setattr__(self, "num_overview", sizes if len(sizes) > 1 else sizes[0])
        for name, most in MOST.items():
            value = getattr(self, name)
            if not is_whole_number(value, 1, most):
                raise ValueError(
                    f"{name} needs a whole number from 1 to {most}, got {brief(value)}"
                )
        if self.frame_budget < sizes[-1]:
            raise ValueError(
                f"frame_budget needs room for the overview of {sizes[-1]} frames, "
                f"got {self.frame_budget}: raise it or lower num_overview"
            )
        _check_name("overview", self.overview)
        if not isinstance(self.preset, str) or self.preset not in ("", *PRESETS):
            raise ValueError(f"preset needs one of {[*PRESETS]}, got {brief(self.preset)}")
        object.__setattr__(self, "tools", _tools(self.tools))
        grammar = grammar_of(self.grammar)
        words = grammar.words if grammar.read_calls else ONLY_ZOOM
        if self.tools != ONLY_ZOOM and not set(self.tools) <= set(words):
            raise ValueError(
                f"grammar {self.grammar} knows no tool but {', '.join(words)}, "
                f"got tools {list(self.tools)}: "
                "give grammar='json'"
            )
        if FIND in self.tools and self.finder == "":
            raise ValueError(
                f"the tool {FIND} needs a finder, got none: give finder='module:function', a scorer"
            )
        if FIND in self.tools:
            _check_name("finder", self.finder)
        elif self.finder != "":
            raise ValueError(
                f"finder needs the tool {FIND}, got tools {list(self.tools)}: add it, or leave the "
                "finder out"
            )

    @property
    def overview_sizes(self) -> tuple[int, ...]:
        """Numbers of frames that an overview may have, ascending."""
        sizes = self.num_overview
        return sizes if isinstance(sizes, tuple) else (sizes,)

    @property
    def is_overview_fixed(self) -> bool:
        """Whether the rules and the video alone say the times of the overview."""
        return self.overview == UNIFORM and len(self.overview_sizes) == 1

    @property
    def most_calls(self) -> int:
        """Calls that a reply may hold."""
        return grammar_of(self.grammar).most_calls

    @property
    def max_clip_frames(self) -> int:
        """The most frames that all calls of an episode can show."""
        by_turns = (self.max_turns - 1) * self.most_calls * self.frames_per_zoom
        return min(by_turns, self.frame_budget - self.overview_sizes[0])

    @property
    def order(self) -> tuple[Any, ...]:
        """What rules are sorted by."""
        return tuple({**asdict(self), "num_overview": self.overview_sizes}.values())

    def by_name(self) -> dict[str, Any]:
        """Returns the rules by their names, as JSON holds them; `LATER` ones if they are set."""
        default = {one.name: one.default for one in fields(self)}
        rules = asdict(self)
        if isinstance(self.num_overview, tuple):
            rules["num_overview"] = list(self.num_overview)
        rules["tools"] = list(self.tools)
        return {
            name: value
            for name, value in rules.items()
            if name not in LATER or getattr(self, name) != default[name]
        }


def _check_name(kind: str, name: object) -> None:
    """Refuses what is no name of what picks or finds. Raises ValueError."""
    if not isinstance(name, str) or not name.strip() or UNPRINTABLE.search(name):
        raise ValueError(f"{kind} needs a name on one line, got {brief(name)}")
    if len(name) > MOST_NAME_CHARS:
        raise ValueError(
            f"{kind} needs a name of at most {MOST_NAME_CHARS} characters, got {len(name)}"
        )


def _sizes(num_overview: object) -> tuple[int, ...]:
    """Returns the numbers of frames that an overview may have, ascending. Raises ValueError."""
    sizes = tuple(num_overview) if isinstance(num_overview, tuple | list) else (num_overview,)
    are_numbers = all(is_whole_number(size, 0, MOST_OVERVIEW) for size in sizes)
    if not sizes or not are_numbers or len(set(sizes)) < len(sizes):
        raise ValueError(
            f"num_overview needs a whole number from 0 to {MOST_OVERVIEW}, or several that differ, "
            f"got {brief(num_overview)}"
        )
    return tuple(sorted(sizes))


def _tools(tools: object) -> tuple[str, ...]:
    """Returns names of tools in the order of TOOLS. Raises ValueError."""
    names = tuple(tools) if isinstance(tools, tuple | list) else (tools,)
    are_known = all(isinstance(name, str) and name in TOOLS for name in names)
    if not names or not are_known or len(set(names)) < len(names):
        raise ValueError(f"tools needs one or more of {list(TOOLS)}, each once, got {brief(tools)}")
    return tuple(name for name in TOOLS if name in names)
