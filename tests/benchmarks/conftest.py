"""Tests of Qwen's benchmark are collected where the extra `qwen` is installed."""

from importlib.util import find_spec

if not all(find_spec(package) for package in ("torch", "transformers", "trl")):
    collect_ignore = ["test_qwen_speed.py", "test_stopwatch.py"]
