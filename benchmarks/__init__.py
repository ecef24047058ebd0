"""Benchmarks: agents compared on suites of tasks, and the speed of the package."""

import agents  # noqa: F401 - explains what is missing before anything else is imported
