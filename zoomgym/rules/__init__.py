"""Rules of an episode: what a reply may be, what a zoom shows, what is left, what it is worth.

Pure values and functions: nothing here knows Gymnasium, decodes a video or draws a task.
"""

from zoomgym.grading import Segment, overlap
from zoomgym.rules.actions import (
    CROP,
    FIND,
    MOST_FIND_CHARS,
    ONLY_ZOOM,
    TOOLS,
    TRANSCRIPT,
    ZOOM,
    Action,
    Answer,
    Box,
    CropCall,
    FindCall,
    FrameCall,
    TranscriptCall,
    ZoomCall,
    ZoomCalls,
)
from zoomgym.rules.budget import FrameBudget
from zoomgym.rules.episode import Episode, advance, error_kind, start
from zoomgym.rules.grammar import (
    GRAMMARS,
    MAX_REPLY_CHARS,
    action_in,
    call_in,
    grammar_of,
    lesson,
    read_reply,
    write_reply,
)
from zoomgym.rules.overview import (
    MOST_SCANNED,
    UNIFORM,
    Overview,
    check_times,
    random_times,
    scan_times,
    times_by_change,
    times_by_score,
)
from zoomgym.rules.peers import PRESETS, MessageLayout, filled_in, layout_of
from zoomgym.rules.question import MAX_OPTIONS, VideoQuestion, with_options
from zoomgym.rules.reading import END_OF_THOUGHT, THINK
from zoomgym.rules.rewards import RewardParts, is_gated_right, merge_weights, score
from zoomgym.rules.search import (
    MOST_FOUND,
    MOST_SEARCHED,
    Find,
    Found,
    best_matches,
    search_times,
)
from zoomgym.rules.settings import Rules
from zoomgym.rules.timeline import count_frames, overview_times, zoom_times
from zoomgym.rules.transcript import MOST_TRANSCRIPT_CHARS, Cue, Tell, told
from zoomgym.rules.turn import LAST_TURN, Turn

__all__ = [
    "CROP",
    "END_OF_THOUGHT",
    "FIND",
    "GRAMMARS",
    "LAST_TURN",
    "MAX_OPTIONS",
    "MAX_REPLY_CHARS",
    "MOST_FIND_CHARS",
    "MOST_FOUND",
    "MOST_SCANNED",
    "MOST_SEARCHED",
    "MOST_TRANSCRIPT_CHARS",
    "ONLY_ZOOM",
    "PRESETS",
    "THINK",
    "TOOLS",
    "TRANSCRIPT",
    "UNIFORM",
    "ZOOM",
    "Action",
    "Answer",
    "Box",
    "CropCall",
    "Cue",
    "Episode",
    "Find",
    "FindCall",
    "Found",
    "FrameBudget",
    "FrameCall",
    "MessageLayout",
    "Overview",
    "RewardParts",
    "Rules",
    "Segment",
    "Tell",
    "TranscriptCall",
    "Turn",
    "VideoQuestion",
    "ZoomCall",
    "ZoomCalls",
    "action_in",
    "advance",
    "best_matches",
    "call_in",
    "check_times",
    "count_frames",
    "error_kind",
    "filled_in",
    "grammar_of",
    "is_gated_right",
    "layout_of",
    "lesson",
    "merge_weights",
    "overlap",
    "overview_times",
    "random_times",
    "read_reply",
    "scan_times",
    "score",
    "search_times",
    "start",
    "times_by_change",
    "times_by_score",
    "told",
    "with_options",
    "write_reply",
    "zoom_times",
]
