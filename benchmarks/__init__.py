"""Benchmarks: agents compared on suites of tasks, and the speed of the package."""
