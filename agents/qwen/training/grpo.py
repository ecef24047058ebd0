"""Reinforcement learning with GRPO, on TRL's trainer and this package's environment.

    python -m agents.qwen.training.grpo --model runs/sft --out runs/grpo --env '{"tasks": ..}'

Defaults are the paper's (arXiv 2512.22315, section 4.1, and the released scripts): clip 0.2 and
0.27, KL 0.001, entropy 0.001, temperature 1, 16 rollouts a task, 128 tasks a generation, 32 an
update, learning rate 1e-6, dynamic sampling. Departures:

- A group with equal rewards is not only dropped: another task is drawn, up to `max_redraws` times.
  A group that is still flat has no advantage, but its tokens count in the mean: the less there is
  to learn, the smaller the steps.
- The tool bonus is paid (weight 0.5, as the paper says; the released script has it at 0).
- The loss is `dapo`: all tokens count alike, as in the paper's framework (verl's `token-mean`), but
  an update divides by the tokens of its generation over the number of its updates, not by its own;
  KL is TRL's estimator (k3) without importance weights.
- `max_tokens` bounds each reply, not the episode: frames don't count against it.

On many GPUs, start it by `accelerate launch` with one of the files in `accelerate/`. Each process
plays whole groups. Together they play the same episodes as one process and learn the same from
them; only which update of a generation learns from which episode differs. With `vllm`, vLLM plays
through TRL, which then weighs tokens by how likely the trainer finds them; this has not been run
against a real vLLM yet.
"""

import os
from collections.abc import Callable, Sequence
from functools import partial

from trl import GRPOConfig
from trl.import_utils import is_vllm_available

from agents.qwen.model.loading import load_processor
from agents.qwen.training.grpo_trainer import History, ZoomTrainer
from agents.qwen.training.order import TaskIds
from agents.qwen.training.resuming import keep_settings, last_checkpoint
from agents.qwen.training.rollouts import Player
from agents.qwen.training.settings import GRPOSettings, run_training
from agents.threads import use_threads
from zoomgym.envs import ZoomEnv

HISTORY = "history.jsonl"


def train_grpo(settings: GRPOSettings, *, resume: bool = False) -> ZoomTrainer:
    """Trains a policy, or resumes it; writes model, checkpoints and logs into `settings.out`.

    Raises:
        OSError: there is no model at `settings.model`.
        ValueError: settings do not fit together, or the folder holds another run.
        TaskError: `settings.env` names no tasks.
    """
    use_threads(settings.num_threads)
    keep_settings(settings.out, settings, resume=resume)
    trainer = make_trainer(settings)
    trainer.train(resume_from_checkpoint=last_checkpoint(settings.out))
    trainer.save_model(str(settings.out))
    return trainer


def trl_config(settings: GRPOSettings) -> GRPOConfig:
    """Returns the settings in TRL's form. Raises ValueError if they do not fit together."""
    if settings.vllm and not is_vllm_available():
        raise ValueError(f"vllm {settings.vllm} needs the package vllm: pip install 'trl[vllm]'")
    if os.environ.get("ACCELERATE_USE_FSDP") == "true" and not settings.vllm:
        raise ValueError(
            "FSDP fetches weights whenever the model reads, and processes read a different number "
            "of times: use DDP or DeepSpeed, or let vLLM play"
        )
    num_processes = int(os.environ.get("WORLD_SIZE", "1"))
    accumulation, per_generation = settings.batches(num_processes)
    return GRPOConfig(
        **settings.trl_arguments(settings.out),
        max_steps=settings.steps,
        warmup_steps=settings.warmup_steps,
        lr_scheduler_type="constant_with_warmup",
        weight_decay=0.0,
        gradient_accumulation_steps=accumulation,
        steps_per_generation=per_generation,
        use_vllm=bool(settings.vllm),
        vllm_mode=settings.vllm or "colocate",
        vllm_server_base_url=settings.vllm_url,
        vllm_gpu_memory_utilization=settings.vllm_memory,
        vllm_max_model_length=settings.vllm_context,
        vllm_importance_sampling_mode="token_truncate",  # a ratio of whole episodes is far from 1
        num_generations=settings.group_size,
        temperature=settings.temperature,
        epsilon=settings.clip_low,
        epsilon_high=settings.clip_high,
        beta=settings.kl,
        entropy_coef=settings.entropy,
        loss_type="dapo",
        use_bias_correction_kl=False,
        max_completion_length=None,
        ddp_timeout=7200,  # seconds that processes wait for one that still plays
        logging_steps=1,
        shuffle_dataset=False,
    )


def make_trainer(
    settings: GRPOSettings, make_env: Callable[[], ZoomEnv] | None = None
) -> ZoomTrainer:
    """Returns a trainer that plays in environments of `settings.env`, unless others are given.

    Raises OSError if there is no model, and ValueError if settings do not fit together.
    """
    args = trl_config(settings)
    processor = load_processor(settings.model)
    model = settings.load_model(settings.model, settings.dtype, args.device)
    make_env = make_env or partial(ZoomEnv, **{"on_video_error": "skip", **settings.env})
    player = Player(
        processor,
        make_env,
        group_size=settings.group_size,
        temperature=settings.temperature,
        max_tokens=settings.max_tokens,
        rows=settings.rows,
        seed=settings.seed,
    )
    env = make_env()
    settings.check_pictures(args.world_size, env.rules.overview_sizes[0] > 0)
    task_ids = TaskIds(env.tasks, settings.num_tasks)
    trainer = ZoomTrainer(model, processor, player, settings, args, task_ids)
    trainer.add_callback(History(settings.out / HISTORY))
    return trainer


def main(argv: Sequence[str] | None = None) -> int:
    """Command line. train_grpo() does the work."""
    return run_training(train_grpo, GRPOSettings, "grpo", __doc__, argv)


if __name__ == "__main__":
    raise SystemExit(main())
