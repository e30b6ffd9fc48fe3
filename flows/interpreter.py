"""How the interpreter of a process of ours is set, before anything large is loaded."""

import atexit
import gc
import os

_ALLOCATIONS = 250_000


def prepare() -> None:
    """Look for cyclic garbage rarely, let linear algebra have one thread, and pydantic look for no plugins.

    The collector's defaults are for small heaps: a run spent a tenth of its time looking through modules and plans
    that are all in use, and an interpreter that ends looks through all of them several times more (0.3 CPU s): what
    is there then goes with the process. The problems that are solved here are small, and one thread gives the same
    bits everywhere. For its plugins, of which we need none, pydantic reads what every installed package says of itself.
    """
    gc.set_threshold(_ALLOCATIONS, 20, 20)
    atexit.register(gc.freeze)  # registered first, called last
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
