"""Records: finished episodes on disk, replayed, graded again and traced to their tasks."""

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

__all__ = [
    "SCHEMA",
    "Record",
    "append_line",
    "append_record",
    "drop_cut_line",
    "read_lines",
    "read_records",
    "regrade",
    "replay",
    "write_records",
]
