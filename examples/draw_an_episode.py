"""Play an episode by hand and save its picture: what `render_mode="rgb_array"` shows."""

import sys
from pathlib import Path

import numpy as np
from PIL import Image

from zoomgym import ZoomEnv

path = Path(sys.argv[1] if len(sys.argv) > 1 else "episode.png")
env = ZoomEnv("synthetic:order", difficulty="medium", source="scene", render_mode="rgb_array")
env.reset(seed=5)
env.step('{"segment": [33, 41], "fps": 2}')
env.step('{"segment": [35.5, 39.5], "fps": 5}')
env.step('{"segment": [35.5, 39.5], "fps": 4}')
env.step('{"answer": "D"}')
picture = Image.fromarray(np.asarray(env.render()))
picture.save(path, optimize=True)
print(f"{path}: {picture.width} x {picture.height}")
