"""How the interpreter of a process of ours is set, before anything large is loaded."""

import atexit
import ctypes
import gc
import os
import re
from pathlib import Path

_ALLOCATIONS = 250_000
_CPUS = Path("/proc/cpuinfo")
_MICROCODED = ("AuthenticAMD", 25)
"""Processors by their maker and family whose AVX-512 stores compressed numbers by microcode: Zen 4."""
_SORTS, _USED = "NPY_DISABLE_CPU_FEATURES", "NPY_ENABLE_CPU_FEATURES"
_TRIM, _MMAP = -1, -3  # the C library's numbers of its settings
_HELD = 32 << 20


def prepare() -> None:
    """Look for cyclic garbage rarely, let linear algebra have one thread, and pydantic look for no plugins; hold memory.

    The collector's defaults are for small heaps: a run spent a tenth of its time looking through modules and plans
    that are all in use, and an interpreter that ends looks through all of them several times more (0.3 CPU s): what
    is there then goes with the process. The problems that are solved here are small, and one thread gives the same
    bits everywhere. For its plugins, of which we need none, pydantic reads what every installed package says of itself.
    """
    gc.set_threshold(_ALLOCATIONS, 20, 20)
    atexit.register(gc.freeze)  # registered first, called last
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    _hold_memory()


def choose_sorting(cpus: Path | None = None) -> None:
    """Have numpy sort without AVX-512 on processors where that is slow; it looks when it is loaded, and not again.

    What it sorts by there stores compressed numbers, which Zen 4 does by microcode (AMD, Software Optimization Guide for
    the Zen 4 Microarchitecture, 2.11.2): 50 ns a number instead of 12, a seventh of all that a run costs. Who has set
    the variable has chosen already, and so has who says what is to be used: numpy takes only one of both.

    Args:
        cpus: What Linux says of processors, `/proc/cpuinfo` when absent; other systems say nothing.
    """
    if _USED in os.environ:
        return
    try:
        with (cpus or _CPUS).open() as file:
            told = file.read(512)  # of the first of them
    except OSError:
        return
    maker = re.search(r"^vendor_id\s*: (\S+)$", told, re.MULTILINE)
    family = re.search(r"^cpu family\s*: (\d+)$", told, re.MULTILINE)
    if maker and family and (maker[1], int(family[1])) == _MICROCODED:
        os.environ.setdefault(_SORTS, "X86_V4 AVX512_ICL AVX512_SPR")


def _hold_memory() -> None:
    """Have memory of arrays that was let go stay here for the next ones, up to so much of it.

    glibc gives it back to the system at once, and every page that comes again is cleared first: a third of all
    that arrays of a hundred thousand events cost. Other C libraries have settings of their own.
    """
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):
        for setting in (_TRIM, _MMAP):
            libc.mallopt(setting, _HELD)


def give_back() -> None:
    """Give memory that is held for arrays to come back to the system: what comes next has other uses for it."""
    libc = ctypes.CDLL(None)
    if hasattr(libc, "malloc_trim"):
        libc.malloc_trim(0)
