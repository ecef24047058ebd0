"""Make the environment, look, zoom where something happens, answer."""

from zoomgym.io.commands import Parser

Parser(prog="python -m examples.play_an_episode", description=__doc__).parse_args()

import gymnasium as gym

env = gym.make("zoomgym:ZoomEnv-v0", tasks="synthetic:flash", render_mode="ansi")
observation, info = env.reset(seed=7)
print(observation["question"])

# The overview: 64 frames, evenly over the video. The beacon is the brightest thing in the top rows.
overview, times_s = observation["overview"], observation["overview_t"]
beacon = overview[:, 2:14, :, 0].mean(axis=(1, 2)) - overview[:, 2:14, :, 2].mean(axis=(1, 2))
lit_s = times_s[beacon.argmax()]

# Zoom in there: at most 16 frames a call, 4 calls, 64 frames in all.
start_s = max(0.0, lit_s - 2)
zoom = f'{{"segment": [{start_s}, {start_s + 4}], "fps": 4}}'
observation, reward, terminated, truncated, info = env.step(zoom)
print(observation["feedback"])
shown = observation["clip_t"] >= 0  # `clip` always has 64 places: empty ones are black, at time -1
print(observation["clip"][shown].shape, observation["clip_t"][:4], observation["frames_left"])

# The clip shows a white cross: C. 0.9 for a right answer, 0.1 for clean replies, 0.5 for the zoom.
observation, reward, terminated, truncated, info = env.step('{"answer": "C"}')
print(env.render())
print(f"reward {reward}, the answer was {info['truth']}")
