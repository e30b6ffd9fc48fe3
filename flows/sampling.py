"""The stage's part that tells who was asked and who answered."""

from dataclasses import dataclass
from datetime import date

import polars as pl

from contracts.tables import MetricTrust, SampleMix, SamplingSentinel, WhoAnswered
from flows.passes import Measured
from flows.stages import Tables, late
from flows.workspace import LoadedWorkspace
from transforms.metric_trust import sample_doubts
from transforms.sampling import answer_delays, people_asked, sampled_by_period, sampled_daily
from transforms.sentinels import sampling_sentinels
from transforms.who_answered import Names, sample_mix, who_answered
from warehouse.releases import Releases


@dataclass(frozen=True)
class Sampled:
    """What samples say.

    Attributes:
        tables: SampleMix, WhoAnswered, SamplingSentinel.
        drifts: Rows of SamplingSentinel that have left their usual range and not come back.
    """

    tables: Tables
    drifts: pl.DataFrame


def sampled(workspace: LoadedWorkspace, measured: Measured, trust: pl.DataFrame) -> Sampled:
    """The tables of samples.

    Args:
        workspace: Map and clock.
        measured: What the passes left behind.
        trust: DataTrust.
    """
    if not any(metric.sample for metric in workspace.atlas.metrics):
        tables: Tables = {table: table.empty() for table in (SampleMix, WhoAnswered, SamplingSentinel)}
        return Sampled(tables, tables[SamplingSentinel])
    known = known_until(workspace, measured, trust)
    names = Names(workspace.atlas, measured.codebook)
    metrics, slots = workspace.atlas.metrics, measured.slots
    told, lazy = measured.told.lazy(), known.lazy()
    daily, people, delays = pl.collect_all(
        [
            sampled_daily(told, measured.lived.lazy(), metrics, slots, lazy),
            people_asked(told, metrics, slots),
            answer_delays(told, metrics, slots, lazy),
        ]
    )
    periods = sampled_by_period(daily.lazy(), measured.calendar).collect().lazy()
    mix, answered = pl.collect_all([sample_mix(periods, names), who_answered(periods, names)])
    sentinels = sampling_sentinels(daily, people, delays, known, names)
    drifts = sentinels.filter("is_standing")
    return Sampled({SampleMix: mix, WhoAnswered: answered, SamplingSentinel: sentinels}, drifts)


def known_until(workspace: LoadedWorkspace, measured: Measured, trust: pl.DataFrame) -> pl.DataFrame:
    """touchpoint, metric, known_until: of the metrics with a sample that touchpoints are judged by.

    A feed that is late behind anything at the touchpoint may owe invitations as well as answers.
    """
    earliest: dict[int, date] = {}
    for touchpoint, _, day in late(workspace, measured, trust).iter_rows():
        earliest[touchpoint] = min(day, earliest.get(touchpoint, day))
    numbers = {one.id: number for number, one in enumerate(workspace.atlas.metrics, start=1) if one.sample}
    today = measured.calendar.today
    rows = [
        (place, numbers[metric], earliest.get(place, today))
        for place, touchpoint in enumerate(workspace.atlas.touchpoints, start=1)
        for metric in touchpoint.metrics
        if metric in numbers
    ]
    schema = {"touchpoint": pl.UInt16, "metric": pl.UInt16, "known_until": pl.Date}
    return pl.DataFrame(rows, schema=schema, orient="row")


def published_doubts(workspace: LoadedWorkspace) -> dict[tuple[str, str], list[str]]:
    """Why samples cannot be believed, as the newest release says; none before the first."""
    releases = Releases(workspace.warehouse / "published")
    release, name = releases.head(), MetricTrust.table_name()
    if release is None or name not in release.by_table:
        return {}
    trust = releases.frame(release, name)
    return sample_doubts(trust) if "representation_grade" in trust.columns else {}
