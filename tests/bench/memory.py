"""The peak of a process's memory, and of nobody before it."""

from pathlib import Path


def peak_mb() -> int:
    """MB at most resident at once, of this program.

    From /proc instead of `getrusage`, whose peak begins with that of the process which started this one: what
    pytest held when it forked would be counted as ours.
    """
    return peak_bytes("self") >> 20


def peak_bytes(pid: int | str) -> int:
    """Bytes at most resident at once so far, of a process that is still there; 0 of one that is gone.

    Raises:
        RuntimeError: This is not Linux.
    """
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        lines = []
    for line in lines:
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) << 10
    if pid == "self":
        raise RuntimeError("no VmHWM in /proc/self/status: this needs Linux.")
    return 0


def forget_peak() -> None:
    """Have the peak begin again, at what is resident now."""
    Path("/proc/self/clear_refs").write_text("5")
