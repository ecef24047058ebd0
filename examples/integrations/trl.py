"""Trains in TRL's own tool loop: one step with a tiny random model, so that it runs anywhere."""

from pathlib import Path
from tempfile import TemporaryDirectory

from trl import GRPOConfig, GRPOTrainer
from trl.chat_template_utils import qwen3_vl_chat_template

from agents.qwen.model.loading import load_model, load_processor
from agents.qwen.model.tiny import save_tiny
from zoomgym.integrations.trl import ZoomSpec

spec = ZoomSpec({"source": "scene", "num_overview": 8, "max_turns": 3}, num_tasks=16)
with TemporaryDirectory() as folder:  # instead: model="Qwen/Qwen3-VL-2B-Instruct", no processor
    save_tiny(Path(folder))
    processor = load_processor(folder)
    processor.chat_template = qwen3_vl_chat_template
    limits = {"max_completion_length": 4096, "max_tool_calling_iterations": 2}
    trainer = GRPOTrainer(
        model=load_model(folder),
        processing_class=processor,
        args=GRPOConfig(folder, num_generations=4, max_steps=1, **limits, bf16=False, report_to=[],
                        generation_kwargs={"max_new_tokens": 16}, save_strategy="no"),
        train_dataset=spec.train_dataset,
        environment_factory=spec.environment_factory,
        reward_funcs=spec.reward_funcs,
    )  # fmt: skip
    trainer.train()
    print(trainer.state.log_history[0]["reward"], "reward after", trainer.state.global_step, "step")
