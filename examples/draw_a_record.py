"""Draw an episode of a records file as `render_mode="rgb_array"` shows it, in larger frames."""

import sys
from pathlib import Path

import numpy as np
from PIL import Image

from zoomgym import ZoomEnv
from zoomgym.records import read_records
from zoomgym.rollout import watch_again

MAX_PIXELS = 112 * 112

records, picture = Path(sys.argv[1]), Path(sys.argv[2])
index = int(sys.argv[3]) if len(sys.argv) > 3 else 0
record = list(read_records(records))[index]
settings = {**record.settings, "max_pixels": MAX_PIXELS}
env = ZoomEnv(**settings, render_mode="rgb_array")
watch_again(env, record)
Image.fromarray(np.asarray(env.render())).quantize(128).save(picture, optimize=True)
print(f"{record.agent}, {record.task.id} -> {picture}")
