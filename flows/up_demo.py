"""The company of `answerable up --demo`: the synthetic one on the last day of September, one feed held back.

On that morning the survey's September has not come yet: its feed is overdue, and nothing can be said of what
rests on it. Once it is in the inbox the planted drop of deliveries is there to be seen, on evidence.
"""

import shutil
from collections.abc import Callable
from pathlib import Path

from contracts.workspace import FILE
from flows.commands.demo import make_company

_LATER, _HELD, _TO = "later", "*_2026-09.csv", "inbox/survey"
_AFTER = "2026-10"
"""What the company lives through later."""

_CLOCK = "clock: 2026-09-30T06:00:00 # the morning of the demo: September is not over"
_ALERTS = """
expect_future_minutes: 50000 # September's files hold all of its last day
alerts:
  channels: [{id: desk, kind: file, path: warehouse/alerts.jsonl}]
  roles: {default: [desk]}
"""


def prepare(folder: Path, scale: float, tell: Callable[[str], None]) -> list[str]:
    """Make the company, unless it is there; what to do with it, in words.

    Args:
        folder: Where.
        scale: Share of its customers.
        tell: Told of progress.
    """
    later = folder / _LATER
    if not later.is_dir():
        make_company(folder, scale, tell)
        _settings(folder / FILE)
        for path in sorted((folder / "inbox").glob(f"*/*{_AFTER}*")):
            path.unlink()
        part = folder / f".{_LATER}.part"
        part.mkdir(exist_ok=True)
        for path in sorted((folder / _TO).glob(_HELD)):
            shutil.move(path, part / path.name)
        part.rename(later)
    if not any(later.iterdir()):
        return [f"the company is in {folder}; the survey's September is in its inbox already"]
    return [
        f"the company is in {folder}; the survey's September is held back",
        f"once everything is ready: mv {later}/*.csv {folder / _TO}/",
        f"what is told then: {folder / 'warehouse/alerts.jsonl'}",
    ]


def _settings(path: Path) -> None:
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("clock:")]
    path.write_text("\n".join([*lines, _CLOCK]) + _ALERTS, encoding="utf-8")
