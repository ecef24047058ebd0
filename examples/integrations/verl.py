"""Writes what verl needs to train on episodes: rows, the agent loop's settings, the command."""

import sys
from pathlib import Path

import pyarrow
import pyarrow.parquet

from zoomgym import open_task_set
from zoomgym.integrations.verl import rows

ENV = "{tasks: synthetic, source: scene, grammar: video_zoom, num_overview: 16}"
LOOP = f"- name: zoomgym\n  _target_: zoomgym.integrations.verl.ZoomAgentLoop\n  env: {ENV}\n"
SETTINGS = """
data.train_files={folder}/train.parquet data.val_files={folder}/test.parquet
data.max_prompt_length=4096 data.max_response_length=8192 data.train_batch_size=64
actor_rollout_ref.rollout.prompt_length=4096 actor_rollout_ref.rollout.response_length=8192
actor_rollout_ref.rollout.agent.agent_loop_config_path={folder}/loops.yaml
actor_rollout_ref.rollout.name=vllm actor_rollout_ref.rollout.n=8 algorithm.adv_estimator=grpo
actor_rollout_ref.actor.use_dynamic_bsz=true actor_rollout_ref.actor.ppo_mini_batch_size=64
actor_rollout_ref.model.path=Qwen/Qwen2.5-VL-7B-Instruct
"""

folder = Path(sys.argv[1] if len(sys.argv) > 1 else "runs/verl")
folder.mkdir(parents=True, exist_ok=True)
for split, num_tasks in (("train", 1000), ("test", 100)):
    table = pyarrow.Table.from_pylist(rows(open_task_set("synthetic", split=split), num_tasks))
    pyarrow.parquet.write_table(table, folder / f"{split}.parquet")
(folder / "loops.yaml").write_text(LOOP)
print("python -m verl.trainer.main_ppo", *SETTINGS.format(folder=folder.resolve()).split())
