"""Threads of PyTorch: their number, and how they wait for each other.

An OpenMP thread that has finished spins until the others have, too. If another process holds a
core, the slowest thread waits while the rest spin: two threads on two cores, one of them busy, take
several times as long as one thread.
"""

import os


def wait_asleep() -> None:
    """Makes threads sleep while they wait, unless the user has chosen otherwise.

    Call it before PyTorch is imported, when OpenMP reads the setting.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def use_threads(num_threads: int) -> None:
    """Sets the number of threads; 0 lets PyTorch choose. Raises ValueError for less."""
    import torch

    if num_threads < 0:
        raise ValueError(f"num_threads needs 0 or more, got {num_threads}")
    if num_threads:
        torch.set_num_threads(num_threads)
