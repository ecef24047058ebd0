"""Writes episodes of a random agent as a Minari dataset, and shows a step of it with its frames."""

import os
from tempfile import TemporaryDirectory

import minari

from zoomgym import ZoomEnv
from zoomgym.integrations.minari import create_dataset, record_of
from zoomgym.records import env_to_watch
from zoomgym.rollout import to_record, watch_again

env = ZoomEnv("synthetic:flash", source="scene")
env.action_space.seed(0)
records = []
for seed in range(5):
    env.reset(seed=seed)
    while not env.episode.is_over:
        env.step(env.action_space.sample())
    records.append(to_record(env, agent_name="random", seed=seed, agent_s=0.0))
with TemporaryDirectory() as folder:
    os.environ["MINARI_DATASETS_PATH"] = folder
    create_dataset("zoomgym/flash/random-v0", records, description="Random replies")
    dataset = minari.load_dataset("zoomgym/flash/random-v0")
    print(dataset.total_steps, "steps take", dataset.storage.get_size(), "MB")
    record = record_of(dataset[0])
observation = watch_again(env_to_watch(record), record, num_turns=1)
print(record.turns[0].reply, "showed", [clip.images.shape for clip in observation.clips])
