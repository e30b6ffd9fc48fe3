"""How the interpreter of a process of ours is set, before anything large is loaded."""

import gc
import os

_ALLOCATIONS = 250_000


def prepare() -> None:
    """Look for cyclic garbage rarely, and let linear algebra have one thread.

    The collector's defaults are for small heaps: a run spent a tenth of its time looking through modules and plans
    that are all in use. The problems that are solved here are small, and one thread gives the same bits everywhere.
    """
    gc.set_threshold(_ALLOCATIONS, 20, 20)
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
