"""Readers of tasks that come from outside: files on disk, in layouts made elsewhere."""

from zoomgym.tasks.datasets.benchmark import BenchmarkTasks, Layout
from zoomgym.tasks.datasets.cgbench import CGBENCH, CGBENCH_MINI
from zoomgym.tasks.datasets.charades_sta import CHARADES_STA
from zoomgym.tasks.datasets.check import CheckedRow, check_benchmark, check_manifest, check_videos
from zoomgym.tasks.datasets.egoschema import EGOSCHEMA
from zoomgym.tasks.datasets.extremewhenbench import EXTREMEWHENBENCH
from zoomgym.tasks.datasets.longvideobench import LONGVIDEOBENCH
from zoomgym.tasks.datasets.longvideoreason import LONGVIDEOREASON
from zoomgym.tasks.datasets.lvbench import LVBENCH
from zoomgym.tasks.datasets.manifest import ManifestTasks, write_manifest
from zoomgym.tasks.datasets.mlvu import MLVU, MLVU_TEST
from zoomgym.tasks.datasets.mmvu import MMVU
from zoomgym.tasks.datasets.nextgqa import NEXTGQA
from zoomgym.tasks.datasets.videomme import VIDEOMME
from zoomgym.tasks.datasets.videomme_v2 import VIDEOMME_V2
from zoomgym.tasks.datasets.videommlu import VIDEOMMLU
from zoomgym.tasks.datasets.videommmu import VIDEOMMMU
from zoomgym.tasks.datasets.videozoomer_rl import VIDEOZOOMER_RL

__all__ = [
    "BENCHMARKS",
    "BenchmarkTasks",
    "CheckedRow",
    "Layout",
    "ManifestTasks",
    "check_benchmark",
    "check_manifest",
    "check_videos",
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
        VIDEOMME_V2,
        NEXTGQA,
        CGBENCH,
        CGBENCH_MINI,
        CHARADES_STA,
        EXTREMEWHENBENCH,
        VIDEOZOOMER_RL,
    )
}
