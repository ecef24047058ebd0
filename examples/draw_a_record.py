"""Draw an episode of a records file as `render_mode="rgb_array"` shows it, in larger frames."""

from pathlib import Path

import numpy as np
from PIL import Image

from zoomgym import ZoomGymError
from zoomgym.io.commands import Parser
from zoomgym.records import env_to_watch, read_records
from zoomgym.rollout import watch_again

MAX_PIXELS = 112 * 112

parser = Parser(prog="python -m examples.draw_a_record", description=__doc__)
parser.add_argument("records", type=Path, help="a file of records, JSON Lines")
parser.add_argument("picture", type=Path, help="the file to write, such as episode.png")
parser.add_argument("index", type=int, nargs="?", default=0, help="which record, from 0 on")
parser.add_argument("--tasks", help="the task set that it was played on, if not synthetic")
args = parser.parse_args()
try:
    records = list(read_records(args.records))
    if not 0 <= args.index < len(records):
        parser.error(f"index needs 0 to {len(records) - 1}, got {args.index}")
    record = records[args.index]
    env = env_to_watch(record, args.tasks, max_pixels=MAX_PIXELS, render_mode="rgb_array")
    watch_again(env, record)
    picture = Image.fromarray(np.asarray(env.render())).quantize(128)
    picture.save(args.picture, optimize=True)
except (ZoomGymError, ValueError, OSError) as error:
    parser.fail(error)
print(f"{record.agent}, {record.task.id} -> {args.picture}")
