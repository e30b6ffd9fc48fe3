"""Drawn events through the pure core: match, measure, credit, score. No disk, no clock."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import polars as pl

from contracts.accountability import AccountabilityMap
from contracts.documents import parse
from contracts.events import ATTRIBUTE, LARGE_CODES, SMALL_CODES, Codebook, stored_schema
from contracts.map_checks import assemble
from contracts.tables import FactAttribution, MetricWindow, Table
from contracts.tenures import tenures
from tests.conftest import drawn
from transforms.attribution import change_parts, fact_attribution
from transforms.behind import feeds_of_cases, feeds_of_events, frozen
from transforms.cards import by_period, cards, touchpoint_counts
from transforms.case_tables import with_slots
from transforms.cases import cases, handoffs
from transforms.credit import Scoring, credited_daily
from transforms.followed import followed_events, measure_followed
from transforms.map_tables import dim_goal
from transforms.match import Matcher, match
from transforms.measure import answers, case_values, count_events, measure_cases, measure_events, volume
from transforms.observations import observed
from transforms.periods import Calendar
from transforms.rules import compile_rules
from transforms.score import measure_daily, score_distribution, scorecards
from transforms.slots import slots
from transforms.valued import Values
from transforms.windows import charted, metric_windows, window_sums, window_values

BERLIN = ZoneInfo("Europe/Berlin")

MAP = """
teams: [{id: team, name: Team, groups: [Desk]}, {id: other, name: Other, groups: [Lab]}]
people: [{id: ada, name: Ada}, {id: ben, name: Ben}]
seats:
  - id: seat
    name: Seat
    team: team
    holders:
      - {person: ada, until: 2026-03-11T12:00}
      - {vacant: true, from: 2026-03-11T12:00, until: 2026-03-12}
      - {person: ben, from: 2026-03-12}
touchpoints:
  - id: point
    name: Point
    stage: engage
    accountable: seat
    metrics: METRIC
    goals: GOALS
rules: [{id: every_event, touchpoint: point}]
metrics: METRICS
cases: [{subject: ticket, attributes: ATTRIBUTES}]
"""


def a_map(
    metric: str = "{id: csat, name: CSAT, estimator: csat}",
    goals: str = "[]",
    attributes: str = "{}",
    text: str = MAP,
) -> AccountabilityMap:
    """A map of one touchpoint judged by one metric."""
    name = metric.partition("id: ")[2].partition(",")[0]
    filled = (
        text.replace("METRICS", f"[{metric}]")
        .replace("METRIC", name)
        .replace("GOALS", goals)
        .replace("ATTRIBUTES", attributes)
    )
    return assemble([parse(filled, "map.yaml")], BERLIN)


def coded(events: pl.DataFrame) -> tuple[pl.DataFrame, Codebook]:
    """Drawn events as they are stored: texts as codes."""
    attributes = {c.removeprefix(ATTRIBUTE): "text" for c in events.columns if c.startswith(ATTRIBUTE)}
    values, columns = {}, {}
    for name, kind in stored_schema(attributes).items():
        given = (
            events[name]
            if name in events.columns
            else pl.Series(name, [None] * events.height, dtype=pl.String)
        )
        if name in (*SMALL_CODES, *LARGE_CODES) or name.startswith(ATTRIBUTE):
            values[name] = given.unique().drop_nulls().sort().to_list()
            codes = {value: code for code, value in enumerate(values[name], start=1)}
            columns[name] = (
                given.replace_strict(codes, default=0, return_dtype=kind)
                if codes
                else pl.Series([0] * events.height, dtype=kind)
            )
        elif name.endswith("_at"):
            filled = given.fill_null(events["occurred_at"])
            columns[name] = (
                filled.str.to_datetime("%Y-%m-%d %H:%M", time_unit="us")
                .dt.replace_time_zone(str(BERLIN))
                .dt.convert_time_zone("UTC")
            )
        elif name in ("customer", "sequence"):
            columns[name] = given.cast(kind).fill_null(0)
        elif name == "row":
            columns[name] = pl.int_range(events.height, dtype=kind, eager=True).alias(name)
        else:
            columns[name] = given.cast(kind)
    return pl.DataFrame(columns), Codebook(values, attributes)


@dataclass(frozen=True)
class Scored:
    """What the core made of drawn events."""

    tables: dict[type[Table], pl.DataFrame]
    daily: pl.DataFrame
    distribution: pl.DataFrame
    cases: pl.DataFrame
    handoffs: pl.DataFrame

    def card(self, table: type[Table], **where: object) -> pl.DataFrame:
        """Rows of one scorecard."""
        return self.tables[table].filter(**where)


def score(
    events: str | pl.DataFrame,
    atlas: AccountabilityMap,
    today: str = "2026-03-20",
    stale_since: dict[str, str] | None = None,
    grace_days: int = 90,
) -> Scored:
    """Score drawn events as of the morning of a day; feeds may be stale since a local moment."""
    stored, codebook = coded(drawn(events) if isinstance(events, str) else events)
    now = datetime.fromisoformat(f"{today}T06:00").replace(tzinfo=BERLIN)
    when = stored["occurred_at"].dt.convert_time_zone(str(BERLIN)).dt.date()
    first, last = when.min(), max(when.max(), now.date())
    names = [touchpoint.id for touchpoint in atlas.touchpoints]
    held = tenures(atlas)
    days = slots(held, names, first, last + timedelta(days=1), BERLIN)
    matched = (
        match(stored.lazy(), Matcher(compile_rules(atlas.rules, codebook), days, names)).collect().lazy()
    )
    spec = atlas.cases[0]
    found = with_slots(cases(matched, spec, codebook), days).collect()
    parts = [
        volume(count_events(matched)),
        measure_events(matched, atlas.metrics, codebook, names),
        measure_followed(
            followed_events(matched, atlas.metrics, codebook), atlas.metrics, now.astimezone(UTC)
        ),
        measure_cases(found.lazy(), atlas.metrics, codebook, now.astimezone(UTC)),
    ]
    segments = _segments(atlas, codebook)
    behind = pl.concat(
        [
            feeds_of_events(matched, atlas.metrics, codebook).collect(),
            feeds_of_cases(found.lazy(), atlas.metrics, codebook).collect(),
        ]
    )
    since = {
        feed: datetime.fromisoformat(moment).replace(tzinfo=BERLIN)
        for feed, moment in (stale_since or {}).items()
    }
    scoring = Scoring(
        atlas,
        days,
        Calendar(first, now.date()),
        now.astimezone(UTC),
        dim_goal(atlas),
        segments,
        grace_days,
        frozen(behind, codebook, since, BERLIN),
    )
    daily = credited_daily(pl.concat(parts), scoring).collect()
    periods = by_period(daily.lazy(), scoring).collect().lazy()
    told = case_values(found.lazy(), atlas.metrics, codebook, now.astimezone(UTC)).collect()
    values = observed(Values.of(told), scoring.calendar.spans().collect(), scoring)
    made = cards(periods, values, scoring).collect().lazy()
    counts = touchpoint_counts(periods, values, scoring).collect().lazy()
    changes = change_parts(periods, scoring).collect().lazy()
    plans = scorecards(made, counts, changes, scoring)
    plans[FactAttribution] = fact_attribution(changes, scoring)
    widened = window_sums(daily.lazy(), scoring), window_values(values, scoring)
    windows = metric_windows(cards(*widened, scoring, ["touchpoint"], charted(scoring)), scoring)
    plans[MetricWindow] = windows
    return Scored(
        {table: plan.collect() for table, plan in plans.items()},
        measure_daily(daily.lazy(), scoring).collect(),
        score_distribution(answers(matched, atlas.metrics, codebook), scoring).collect(),
        found,
        handoffs(matched, spec, codebook).collect(),
    )


def _segments(atlas: AccountabilityMap, codebook: Codebook) -> pl.DataFrame:
    rows = [
        (number, place, code, name, value or "(none)")
        for number, metric in enumerate(atlas.metrics, start=1)
        for place, name in enumerate(metric.by, start=1)
        for code, value in enumerate(codebook.series(codebook.column(name)))
    ]
    schema = {
        "metric": pl.UInt16,
        "dimension": pl.UInt32,
        "segment": pl.UInt32,
        "dimension_name": pl.String,
        "segment_name": pl.String,
    }
    return pl.DataFrame(rows, schema=schema, orient="row")
