"""Numbers, text, files and requests: what comes from outside is bounded and checked here."""

from zoomgym.io.cache import cache_folder, cached_file, written_file
from zoomgym.io.calls import attempt, side_by_side
from zoomgym.io.endpoint import (
    EndpointError,
    ask,
    check_address,
    check_json,
    excerpt,
    mask,
    missing_key,
    read_content,
    read_key,
)
from zoomgym.io.files import LINKS_VARIABLE, is_inside, open_named, open_own, read_named, replaced
from zoomgym.io.hints import (
    did_you_mean,
    file_in,
    in_words,
    is_folder,
    nearest,
    no_folder,
    reason,
    unreadable,
)
from zoomgym.io.imports import import_named
from zoomgym.io.numbers import is_finite_number, is_number_within, is_whole_number, plain_number
from zoomgym.io.post import post
from zoomgym.io.strict_json import load_json
from zoomgym.io.text import (
    UNPRINTABLE,
    brief,
    encodable,
    number_of,
    on_one_line,
    plain,
    transliterated,
)

__all__ = [
    "LINKS_VARIABLE",
    "UNPRINTABLE",
    "EndpointError",
    "ask",
    "attempt",
    "brief",
    "cache_folder",
    "cached_file",
    "check_address",
    "check_json",
    "did_you_mean",
    "encodable",
    "excerpt",
    "file_in",
    "import_named",
    "in_words",
    "is_finite_number",
    "is_folder",
    "is_inside",
    "is_number_within",
    "is_whole_number",
    "load_json",
    "mask",
    "missing_key",
    "nearest",
    "no_folder",
    "number_of",
    "on_one_line",
    "open_named",
    "open_own",
    "plain",
    "plain_number",
    "post",
    "read_content",
    "read_key",
    "read_named",
    "reason",
    "replaced",
    "side_by_side",
    "transliterated",
    "unreadable",
    "written_file",
]
