"""Training of a Qwen model: a cold start by SFT, then GRPO."""

import torch  # noqa: F401 - if it is missing, trl would hide which package it is
