"""Training of Qwen2.5-VL: a cold start by SFT, then GRPO."""
