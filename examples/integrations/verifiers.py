"""Plays three tasks in verifiers' loop: `python -m examples.integrations.verifiers MODEL URL`.

The API key is in the environment variable ZOOMGYM_API_KEY.
"""

import asyncio
import sys
from pathlib import Path

import verifiers.v1 as vf
from verifiers.v1.utils.loaders import load_environment

from zoomgym.integrations.verifiers import ZoomGameConfig

sys.path.append(str(Path(__file__).parent / "prime_hub"))  # where the plugin zoomgym-v1 is
TASKSET = {"id": "zoomgym-v1", "num_tasks": 3, "arguments": {"tasks": "synthetic:flash"}}


async def main(model: str, url: str) -> None:
    """Plays the tasks, one after the other."""
    env = load_environment(ZoomGameConfig(taskset=TASKSET))
    client = vf.EvalClientConfig(base_url=url, api_key_var="ZOOMGYM_API_KEY")
    async with env.serving():
        for task in env.taskset.load():
            [trace] = (await env.run_episode(task, vf.ModelContext(model, client))).traces
            print(task.data.id, trace.reward, trace.metrics)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
