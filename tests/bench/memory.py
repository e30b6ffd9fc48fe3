"""The peak of this process's memory, and of nobody before it."""

from pathlib import Path


def peak_mb() -> int:
    """MB at most resident at once, of this program.

    From /proc instead of `getrusage`, whose peak begins with that of the process which started this one: what
    pytest held when it forked would be counted as ours.
    """
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) // 1024
    raise RuntimeError("no VmHWM in /proc/self/status: this needs Linux.")


def forget_peak() -> None:
    """Have the peak begin again, at what is resident now."""
    Path("/proc/self/clear_refs").write_text("5")
