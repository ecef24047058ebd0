"""Readers of tasks that come from outside: files on disk, in layouts made elsewhere."""

from zoomgym.datasets.check import check_manifest
from zoomgym.datasets.manifest import ManifestTasks, write_manifest

__all__ = ["ManifestTasks", "check_manifest", "write_manifest"]
