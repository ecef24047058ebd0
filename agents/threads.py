"""Threads of PyTorch: how many there are, and how they wait for each other.

In OpenMP, a thread that has finished spins until the others have. If another process holds a core,
the slowest thread does not run while the rest spin: two threads on two cores, one of them busy,
take several times as long as one thread alone.
"""

import os


def wait_asleep() -> None:
    """Makes threads sleep while they wait, unless the user has chosen otherwise.

    OpenMP reads it once, when PyTorch is imported: packages that import PyTorch call this before.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def use_threads(num_threads: int) -> None:
    """Sets how many threads compute; 0 leaves it to PyTorch. Raises ValueError if it is below."""
    import torch

    if num_threads < 0:
        raise ValueError(f"num_threads needs 0 or more, got {num_threads}")
    if num_threads:
        torch.set_num_threads(num_threads)
