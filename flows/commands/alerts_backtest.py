"""`answerable alerts backtest`."""

import json
import sys
from dataclasses import asdict
from pathlib import Path

from flows.workspace import load
from views.units import plural


def alerts_backtest(folder: Path = Path(), *, fire_after: int | None = None, json_: bool = False) -> None:
    """Hold the evidence rule against the naive one over all published weeks, before you switch anything on.

    Example: `answerable alerts backtest --fire-after 2` asks for two weeks of evidence in a row. The naive
    rule raises an alarm whenever a week falls below its goal after one that did not. The evaluator is the
    one that runs use; nothing is written.

    Args:
        folder: The workspace.
        fire_after: Weeks of evidence in a row; as answerable.yaml says when absent.
        json_: Print as JSON.
    """
    from contracts.alert_settings import Alerts  # noqa: PLC0415
    from contracts.alerts import plain  # noqa: PLC0415
    from flows.alert_desk import published_grounds  # noqa: PLC0415 - loads SQLAlchemy
    from transforms.alert_backtest import backtest, delay  # noqa: PLC0415
    from transforms.business_days import WorkCalendar  # noqa: PLC0415

    workspace = load(folder)
    settings = workspace.settings.alerts or Alerts()
    if fire_after is not None:
        settings = settings.model_copy(update={"fire_after_windows": fire_after})
    calendar = WorkCalendar.of(settings, workspace.settings.zone)
    found = backtest(published_grounds(workspace).evidence, settings, calendar)
    if json_:
        sys.stdout.write(json.dumps(plain([asdict(one) for one in found]), indent=1) + "\n")
        return
    for one in found:
        place = f"{one.touchpoint}/{one.metric}"
        sys.stdout.write(
            f"{place:<36} {one.weeks:>4} weeks  naive {len(one.naive):>3}  evidence {len(one.fired)}\n"
        )
        for index, end in enumerate(one.fired):
            days = delay(one, index).days
            sys.stdout.write(
                f"{'':<36} fires {end}, {days} days after {one.first_below[index]}, when it began\n"
            )
        for end in one.resolved:
            sys.stdout.write(f"{'':<36} resolves {end}\n")
    years = sum(one.years for one in found)
    naive, fired = (sum(len(getattr(one, name)) for one in found) for name in ("naive", "fired"))
    sys.stdout.write(
        f"{len(found)} goals over {years:.1f} goal-years: the naive rule would have raised {plural(naive, 'alarm')}, "
        f"evidence {fired}.\n"
    )
