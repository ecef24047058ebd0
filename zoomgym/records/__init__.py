"""Records: finished episodes on disk, replayed, graded again and traced to their tasks."""

from zoomgym.records.bounds import load_row
from zoomgym.records.record import (
    SCHEMA,
    Record,
    append_line,
    append_record,
    drop_cut_line,
    read_lines,
    read_records,
    regrade,
    replay,
    write_records,
)
from zoomgym.records.regrade import regrade_all
from zoomgym.records.reopen import env_to_watch, is_synthetic, made_again, task_set_of

__all__ = [
    "SCHEMA",
    "Record",
    "append_line",
    "append_record",
    "drop_cut_line",
    "env_to_watch",
    "is_synthetic",
    "load_row",
    "made_again",
    "read_lines",
    "read_records",
    "regrade",
    "regrade_all",
    "replay",
    "task_set_of",
    "write_records",
]
