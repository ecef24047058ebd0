"""Tasks: questions about videos, in sets that are drawn from seeds or read from files."""

from zoomgym.rules import VideoQuestion
from zoomgym.tasks.catalog import SYNTHETIC, TASK_SETTINGS, check_task_set, open_task_set, tasks_of
from zoomgym.tasks.datasets.manifest import ManifestTasks, write_manifest
from zoomgym.tasks.datasets.official import compare
from zoomgym.tasks.datasets.scores import Comparison, Graded
from zoomgym.tasks.needle import NeedleTasks
from zoomgym.tasks.synthetic.difficulty import DIFFICULTIES, named_difficulty
from zoomgym.tasks.synthetic.drawn import DrawnVideo, frames_together, set_drawn_memory
from zoomgym.tasks.synthetic.families import EVERY_FAMILY, FAMILIES, TOOL_FAMILIES, family_of
from zoomgym.tasks.synthetic.families.count import NUM_PULSES
from zoomgym.tasks.synthetic.layout import (
    AMBER,
    BARS,
    BEACON,
    FPS,
    LARGE_SIZE,
    SIGN_SIDE,
    SIGN_TOP,
    TINY,
)
from zoomgym.tasks.synthetic.marks import (
    FINE_PARTS,
    Beacon,
    Sign,
    board_picture,
    sign_picture,
    speck_picture,
    wheel_picture,
)
from zoomgym.tasks.synthetic.plan import (
    COUNTDOWN_STEPS,
    NUM_OPTIONS,
    OVERVIEW_STEPS,
    Family,
    Plan,
    Puzzle,
)
from zoomgym.tasks.synthetic.scene import Scene
from zoomgym.tasks.synthetic.seal import is_sealed, seal
from zoomgym.tasks.synthetic.symbols import LAMPS, PULSES, SYMBOLS
from zoomgym.tasks.synthetic.task_set import SPLITS, SyntheticTasks
from zoomgym.tasks.synthetic.write import SILENCE
from zoomgym.tasks.task_set import TaskSet, hash_tasks

__all__ = [
    "AMBER",
    "BARS",
    "BEACON",
    "COUNTDOWN_STEPS",
    "DIFFICULTIES",
    "EVERY_FAMILY",
    "FAMILIES",
    "FINE_PARTS",
    "FPS",
    "LAMPS",
    "LARGE_SIZE",
    "NUM_OPTIONS",
    "NUM_PULSES",
    "OVERVIEW_STEPS",
    "PULSES",
    "SIGN_SIDE",
    "SIGN_TOP",
    "SILENCE",
    "SPLITS",
    "SYMBOLS",
    "SYNTHETIC",
    "TASK_SETTINGS",
    "TINY",
    "TOOL_FAMILIES",
    "Beacon",
    "Comparison",
    "DrawnVideo",
    "Family",
    "Graded",
    "ManifestTasks",
    "NeedleTasks",
    "Plan",
    "Puzzle",
    "Scene",
    "Sign",
    "SyntheticTasks",
    "TaskSet",
    "VideoQuestion",
    "board_picture",
    "check_task_set",
    "compare",
    "family_of",
    "frames_together",
    "hash_tasks",
    "is_sealed",
    "named_difficulty",
    "open_task_set",
    "seal",
    "set_drawn_memory",
    "sign_picture",
    "speck_picture",
    "tasks_of",
    "wheel_picture",
    "write_manifest",
]
