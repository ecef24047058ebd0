"""Readers of tasks that come from outside: files on disk, in layouts made elsewhere."""

from zoomgym.datasets.benchmark import BenchmarkTasks, Layout
from zoomgym.datasets.check import CheckedRow, check_benchmark, check_manifest
from zoomgym.datasets.egoschema import EGOSCHEMA
from zoomgym.datasets.longvideobench import LONGVIDEOBENCH
from zoomgym.datasets.longvideoreason import LONGVIDEOREASON
from zoomgym.datasets.lvbench import LVBENCH
from zoomgym.datasets.manifest import ManifestTasks, write_manifest
from zoomgym.datasets.mlvu import MLVU, MLVU_TEST
from zoomgym.datasets.mmvu import MMVU
from zoomgym.datasets.videomme import VIDEOMME
from zoomgym.datasets.videommlu import VIDEOMMLU
from zoomgym.datasets.videommmu import VIDEOMMMU
from zoomgym.datasets.videozoomer_rl import VIDEOZOOMER_RL

__all__ = [
    "BENCHMARKS",
    "BenchmarkTasks",
    "CheckedRow",
    "Layout",
    "ManifestTasks",
    "check_benchmark",
    "check_manifest",
    "write_manifest",
]

BENCHMARKS: dict[str, Layout] = {
    layout.name: layout
    for layout in (
        EGOSCHEMA,
        LONGVIDEOBENCH,
        LONGVIDEOREASON,
        LVBENCH,
        MLVU,
        MLVU_TEST,
        MMVU,
        VIDEOMME,
        VIDEOMMLU,
        VIDEOMMMU,
        VIDEOZOOMER_RL,
    )
}
"""By the name that the catalog knows, followed by `:` and a folder."""
