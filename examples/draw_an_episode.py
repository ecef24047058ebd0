"""Play an episode by hand and save its picture: what `render_mode="rgb_array"` shows."""

from pathlib import Path

import numpy as np
from PIL import Image

from zoomgym import ZoomEnv
from zoomgym.io.commands import Parser

parser = Parser(prog="python -m examples.draw_an_episode", description=__doc__)
parser.add_argument(
    "picture", type=Path, nargs="?", default=Path("episode.png"), help="default: episode.png"
)
path = parser.parse_args().picture
env = ZoomEnv("synthetic:order", difficulty="medium", source="scene", render_mode="rgb_array")
env.reset(seed=5)
env.step('{"segment": [33, 41], "fps": 2}')
env.step('{"segment": [35.5, 39.5], "fps": 5}')
env.step('{"segment": [35.5, 39.5], "fps": 4}')
env.step('{"answer": "D"}')
picture = Image.fromarray(np.asarray(env.render()))
try:
    picture.save(path, optimize=True)
except (ValueError, OSError) as error:
    parser.fail(error)
print(f"{path}: {picture.width} x {picture.height}")
