"""Tests of Qwen are collected where the extra `qwen` is installed."""

from importlib.util import find_spec

if all(find_spec(package) for package in ("torch", "transformers", "peft")):
    from tests.agents.qwen.small import family, folder, one_thread, tiny

    __all__ = ["family", "folder", "one_thread", "tiny"]
else:
    collect_ignore_glob = ["test_*.py"]
