"""Peers: the grammars that their checkpoints write, and the presets that play them here.

A grammar of a peer maps its text to our actions. What cannot be mapped is refused.
"""

from collections.abc import Mapping

from zoomgym.rules.peers.hermes import EVA, LONGVT, PARAVT, TIMESEARCH
from zoomgym.rules.peers.layout import MessageLayout
from zoomgym.rules.peers.objects import GEMINI, OMNIAGENT
from zoomgym.rules.peers.presets import PRESETS, filled_in, layout_of
from zoomgym.rules.peers.spans import DYNFRAME, FRAMETHINKER, VIDEO_MTR
from zoomgym.rules.peers.tree import VTS
from zoomgym.rules.reading import Grammar

__all__ = [
    "PEER_GRAMMARS",
    "PRESETS",
    "MessageLayout",
    "filled_in",
    "layout_of",
]

PEER_GRAMMARS: Mapping[str, Grammar] = {
    grammar.name: grammar
    for grammar in (
        LONGVT,
        PARAVT,
        EVA,
        TIMESEARCH,
        VIDEO_MTR,
        FRAMETHINKER,
        DYNFRAME,
        OMNIAGENT,
        GEMINI,
        VTS,
    )
}
"""By their names."""
