"""Tests, and what they set before NumPy and PyTorch are imported."""

import os

# Tests run side by side, and threads that wait for each other on cores that are taken cost twice
# the processor time. Inherited by all processes that tests start.
os.environ.setdefault("OMP_NUM_THREADS", "1")
