"""What the rules would have done over the past: the evaluator of today, week by week over history."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta

from contracts.alert_settings import Alerts
from contracts.alerts import Episode, Evidence, Week
from transforms.alert_decision import Around, decide_touchpoint
from transforms.alert_evidence import prefixes
from transforms.business_days import WorkCalendar


@dataclass(frozen=True)
class Backtest:
    """What two rules would have raised for one metric of one touchpoint.

    Attributes:
        touchpoint: Touchpoint.
        metric: Metric.
        weeks: Whole weeks with data.
        naive: Ends of the weeks in which "value below goal" would have raised an alarm anew.
        fired: Ends of the weeks in which the evidence rule would have.
        resolved: Ends of the weeks in which it would have ended it.
        first_below: First day of the weeks below the goal that led to each firing.
    """

    touchpoint: str
    metric: str
    weeks: int
    naive: tuple[date, ...]
    fired: tuple[date, ...]
    resolved: tuple[date, ...]
    first_below: tuple[date, ...]

    @property
    def years(self) -> float:
        """Years of data."""
        return self.weeks * 7 / 365.25


def backtest(every: Iterable[Evidence], settings: Alerts, calendar: WorkCalendar) -> list[Backtest]:
    """Today's rule over every whole week of the past, beside the naive one.

    Goals count as they were in force; owners, silences and planned changes do not matter to when it
    would have fired. Missing weeks neither fire nor resolve here either.
    """
    quiet = settings.model_copy(update={"planned_changes": ()})
    return [_one(evidence, quiet, calendar) for evidence in every]


def _one(evidence: Evidence, settings: Alerts, calendar: WorkCalendar) -> Backtest:
    fired, resolved, began = [], [], []
    episode: Episode | None = None
    for known in prefixes(evidence):
        end = known.weeks[-1].end
        now = datetime.combine(end, time(6), calendar.zone).astimezone(UTC)
        after = decide_touchpoint(known, episode, Around(now, settings, calendar)).after
        if after is not None and after.fired_at is not None:
            if episode is None or episode.fired_at is None:
                fired.append(end)
                began.append(after.began)
            if not after.is_open:
                resolved.append(end)
        episode = replace(after, due_at=None) if after is not None and after.is_open else None
    observed = [week for week in evidence.weeks if week.has_data]
    return Backtest(
        touchpoint=evidence.key.scope,
        metric=evidence.key.metric,
        weeks=len(observed),
        naive=tuple(_onsets(observed)),
        fired=tuple(fired),
        resolved=tuple(resolved),
        first_below=tuple(began),
    )


def _onsets(weeks: Sequence[Week]) -> Iterable[date]:
    was_below = False
    for week in weeks:
        if week.is_below and not was_below:
            yield week.end
        was_below = week.is_below


def delay(one: Backtest, place: int) -> timedelta:
    """From the first day below the goal to the firing that it led to."""
    return one.fired[place] - one.first_below[place]
