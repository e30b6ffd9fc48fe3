"""Generate Larkspur: ``python -m examples.larkspur FOLDER [--scale S] [--seed N]``."""

import argparse
import sys
import time
from pathlib import Path

from examples.larkspur.generate import SEED, generate


def main() -> None:
    """Generate into a folder and tell what it holds."""
    parser = argparse.ArgumentParser(prog="python -m examples.larkspur", description=__doc__)
    parser.add_argument("folder", type=Path, help="where to write inbox/ and truth/")
    parser.add_argument("--scale", type=float, default=1.0, help="volumes, 1 = 40,000 customers")
    parser.add_argument("--seed", type=int, default=SEED)
    given = parser.parse_args()
    summary = generate(given.folder, seed=given.seed, scale=given.scale, progress=_say)
    by_feed = ", ".join(f"{feed} {count:,}" for feed, count in summary.events.items())
    _say(f"{summary.customers:,} customers, {summary.total:,} events ({by_feed})")
    _say(f"{time.process_time():.1f} s of CPU time")


def _say(sentence: str) -> None:
    sys.stdout.write(sentence + "\n")


if __name__ == "__main__":
    main()
