"""What a change of the map does to people, verdicts and scores: read off one cube of both maps."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from contracts.accountability import NOBODY
from contracts.map_change import Burden, Flip, Holder, Judged, Load, Move, Reroute, ScoreChange
from contracts.tenures import EARLIEST, LATEST, Tenure, in_force
from transforms.cards import cards
from transforms.credit import PARTS, named
from transforms.estimate import above_the_line, scale_of
from transforms.measure import ADDITIVE
from transforms.methods.owner_change import owner_change
from transforms.moves import Stretch, settled_at
from transforms.observations import observed
from transforms.periods import PERIOD, PERIOD_COLUMNS
from transforms.quantiles import quantile_families
from transforms.stakes import together
from transforms.valued import Values
from transforms.whatif import SIDES, Comparison, Cube, measured_alike, side_sums, side_values

_JUDGED = ("touchpoint", "owner parts")
"""Cards whose verdicts are compared."""
_VERDICT = ("n", "value", "value_low", "value_high", "goal", "verdict")
_QUOTIENTS = ("nps", "csat", "ces", "share", "mean")
"""Estimators whose change is split by owner."""


@dataclass(frozen=True)
class Plans:
    """Queries over the cube, to be run together.

    Attributes:
        by_stretch: stretch, events, customers: credited to another person.
        by_pair: touchpoint (pair), events, customers of the window, of events that go elsewhere.
        changed: events, customers, one row: credited to another person, anywhere.
        total: events, customers, one row: the window.
        burdens: By side: touchpoint, events, customers of the window, of touchpoints that change hands.
        people: By side: owner (id of who holds the touchpoint when settled), events, customers.
        credited: By side: sums of the window, credited: the period's columns, `PARTS`, the additive columns.
        observed: By side: observations of quantiles of the window, as `measure.case_values` has them.
        scores: owner, metric and the split of the change.
    """

    by_stretch: pl.LazyFrame
    by_pair: pl.LazyFrame
    changed: pl.LazyFrame
    total: pl.LazyFrame
    burdens: Mapping[str, pl.LazyFrame]
    people: Mapping[str, pl.LazyFrame]
    credited: Mapping[str, pl.LazyFrame]
    observed: Mapping[str, pl.LazyFrame]
    scores: pl.LazyFrame

    def all(self) -> list[pl.LazyFrame]:
        """Every query, in the order that `Found.of` takes their answers."""
        single = [self.by_stretch, self.by_pair, self.changed, self.total, self.scores]
        sided = (self.burdens, self.people, self.credited, self.observed)
        return [*single, *(part[name] for part in sided for name in SIDES)]


@dataclass(frozen=True)
class Found:
    """The answers to `Plans`, by the same names."""

    by_stretch: pl.DataFrame
    by_pair: pl.DataFrame
    changed: pl.DataFrame
    total: pl.DataFrame
    scores: pl.DataFrame
    burdens: Mapping[str, pl.DataFrame]
    people: Mapping[str, pl.DataFrame]
    credited: Mapping[str, pl.DataFrame]
    observed: Mapping[str, pl.DataFrame]

    @classmethod
    def of(cls, answers: Sequence[pl.DataFrame]) -> "Found":
        """The answers in the order of `Plans.all`."""
        by_stretch, by_pair, changed, total, scores = answers[:5]
        burdens, people, credited, observed = (
            dict(zip(SIDES, answers[at : at + 2], strict=True)) for at in range(5, len(answers), 2)
        )
        return cls(by_stretch, by_pair, changed, total, scores, burdens, people, credited, observed)


def plans(cube: Cube, comparison: Comparison) -> Plans:
    """Everything to ask of the cube."""
    lately = cube.customers.lazy().filter("is_window")
    moved = lately.filter(_changes_owner(comparison))
    every = pl.lit(0).alias("all")
    held = _settled_holders(comparison)
    return Plans(
        by_stretch=together(moved, "stretch"),
        by_pair=together(lately.filter(_goes_elsewhere(cube, comparison)), "touchpoint"),
        changed=together(moved.with_columns(every), "all"),
        total=together(lately.with_columns(every), "all"),
        burdens={name: _of_moved_touchpoints(lately, cube, comparison, name) for name in SIDES},
        people={name: _of_holders(lately, cube, held[name], name) for name in SIDES},
        credited={name: _credited(cube, comparison, name) for name in SIDES},
        observed={name: _observed(cube, comparison, name) for name in SIDES},
        scores=_scores(cube, comparison, held),
    )


def moves(found: Found, cube: Cube, comparison: Comparison) -> list[Move]:
    """Touchpoints that change hands, appear or go, by touchpoint and time."""
    waiting = _open_cases(cube, comparison)
    names = {t.id: t.name for side in comparison.sides.values() for t in side.atlas.touchpoints}
    people = {p.id: p.name for side in comparison.sides.values() for p in side.atlas.people}
    stakes = {key: tuple(stake) for key, *stake in found.by_stretch.iter_rows()}
    whole = {
        comparison.renamed.get(side.touchpoints[code], side.touchpoints[code]): tuple(stake)
        for side, burden in zip(
            (comparison.before, comparison.after), (found.burdens[name] for name in SIDES), strict=True
        )
        for code, *stake in burden.iter_rows()
    }

    lasting = [(n, s) for n, s in enumerate(comparison.differing, start=1) if s.end > comparison.now]
    handing = {stretch.touchpoint: number for number, stretch in reversed(lasting)}

    def move(number: int, stretch: Stretch) -> Move:
        is_handover = handing.get(stretch.touchpoint) == number
        events, customers = stakes.get(number, (0, 0))
        window_events, window_customers = whole.get(stretch.touchpoint, (0, 0))
        return Move(
            touchpoint=stretch.touchpoint,
            name=names[stretch.touchpoint],
            starts_at=None if stretch.start == EARLIEST else stretch.start,
            ends_at=None if stretch.end == LATEST else stretch.end,
            before=_holder(stretch.before, people),
            after=_holder(stretch.after, people),
            events=events,
            customers=customers,
            window_events=window_events,
            window_customers=window_customers,
            is_handover=is_handover,
            open_cases=waiting.get(stretch.touchpoint, 0) if is_handover else 0,
        )

    return [move(number, stretch) for number, stretch in enumerate(comparison.differing, start=1)]


def _open_cases(cube: Cube, comparison: Comparison) -> dict[str, int]:
    """Open cases by touchpoint: of the new map, and of the old one where the new one has it no more."""
    counted: dict[str, int] = {}
    for name in reversed(SIDES):
        side = comparison.sides[name]
        own = cube.open_cases[name].with_columns(cube.pairs.touchpoint(name)).filter(pl.col("touchpoint") > 0)
        summed = own.group_by("touchpoint").agg(pl.col("n").sum())
        for code, count in summed.iter_rows():
            place = side.touchpoints[code]
            counted.setdefault(comparison.renamed.get(place, place), count)
    return counted


def reroutes(found: Found, cube: Cube, comparison: Comparison) -> list[Reroute]:
    """Events that go to another touchpoint, most first."""
    old, new = comparison.before.touchpoints, comparison.after.touchpoints
    made = (
        Reroute(
            touchpoint_before=comparison.renamed.get(old[before], old[before]),
            touchpoint_after=new[after],
            events=events,
            customers=customers,
        )
        for pair, events, customers in found.by_pair.iter_rows()
        for before, after in [cube.pairs.known[pair]]
    )
    return sorted(made, key=lambda one: (-one.events, one.touchpoint_before, one.touchpoint_after))


def flips(judged: Mapping[str, pl.DataFrame], comparison: Comparison) -> list[Flip]:
    """Verdicts that turn: of touchpoints, then of people's parts of them.

    Args:
        judged: By side: what `verdicts` returned, collected.
        comparison: The two maps.
    """
    sides = {
        name: {
            (
                row["owner"] or "",
                comparison.renamed.get(row["touchpoint"], row["touchpoint"]),
                row["metric"],
            ): row
            for row in judged[name].iter_rows(named=True)
        }
        for name in SIDES
    }
    before, after = sides["before"], sides["after"]
    turned = [
        Flip(
            touchpoint=key[1],
            metric=key[2],
            unit=(after.get(key) or before[key])["unit"],
            owner=key[0] or None,
            before=_judged(before.get(key)),
            after=_judged(after.get(key)),
        )
        for key in sorted({*before, *after})
        if before.get(key, {}).get("verdict") != after.get(key, {}).get("verdict")
    ]
    silent = {None, "no_goal", "no_data"}
    told = [flip for flip in turned if not _words(flip) <= silent]
    return sorted(told, key=lambda flip: (flip.owner is not None, "missed" not in _words(flip)))


def loads(found: Found, judged: Mapping[str, pl.DataFrame], comparison: Comparison) -> list[Load]:
    """Burden of everybody whose burden changes, by the load they will have, `nobody` first.

    Args:
        found: What the cube answered.
        judged: By side: what `verdicts` returned, collected.
        comparison: The two maps.
    """
    names = {p.id: p.name for side in comparison.sides.values() for p in side.atlas.people}
    held = {name: _burdens(found.people[name], judged[name], comparison, name) for name in SIDES}
    people = sorted({*held["before"], *held["after"]})
    made = [
        Load(
            owner=owner,
            name=names.get(owner),
            before=held["before"].get(owner, Burden()),
            after=held["after"].get(owner, Burden()),
        )
        for owner in people
    ]
    changed = [load for load in made if load.before != load.after]
    return sorted(changed, key=lambda load: (load.owner != NOBODY, -load.after.events, load.owner))


def score_changes(found: Found, comparison: Comparison) -> list[ScoreChange]:
    """Scores of people that change, by person and metric."""
    units = {metric.id: metric.unit for metric in comparison.after.atlas.metrics}
    return [
        ScoreChange(unit=units[row["metric"]], **row)
        for row in found.scores.sort("owner", "metric").iter_rows(named=True)
        if row["portfolio"] is not None and row["before"] != row["after"]
    ]


def _changes_owner(comparison: Comparison) -> pl.Expr:
    """Whether the two maps credit a row to different people, from its tenures in both."""
    owners = [
        pl.lit(pl.Series([NOBODY, *(t.person or NOBODY for t in side.tenures)])).gather(
            pl.col(f"tenure_{name}")
        )
        for name, side in comparison.sides.items()
    ]
    return owners[0] != owners[1]


def _goes_elsewhere(cube: Cube, comparison: Comparison) -> pl.Expr:
    """Whether a row's pair is two different touchpoints."""
    same = comparison.same_touchpoint
    pairs = cube.pairs.known
    differs = pl.Series([same[before] != after or (before > 0 and not after) for before, after in pairs])
    return pl.lit(differs).gather(pl.col("touchpoint"))


def _of_moved_touchpoints(
    lately: pl.LazyFrame, cube: Cube, comparison: Comparison, name: str
) -> pl.LazyFrame:
    moved = {stretch.touchpoint for stretch in comparison.differing}
    side = comparison.sides[name]
    is_moved = pl.Series([comparison.renamed.get(t, t) in moved for t in side.touchpoints])
    sided = lately.with_columns(cube.pairs.touchpoint(name))
    return together(sided.filter(pl.lit(is_moved).gather(pl.col("touchpoint"))), "touchpoint")


def _of_holders(lately: pl.LazyFrame, cube: Cube, held: pl.Series, name: str) -> pl.LazyFrame:
    """owner, events, customers of what everybody holds in one map; grouped by numbers, which is quicker."""
    people = held.unique().sort()
    numbers = held.replace_strict(people, range(people.len()), return_dtype=pl.UInt16)
    sided = lately.with_columns(cube.pairs.touchpoint(name)).filter(pl.col("touchpoint") > 0)
    summed = together(sided.with_columns(owner=pl.lit(numbers).gather(pl.col("touchpoint"))), "owner")
    return summed.with_columns(owner=pl.lit(people).gather(pl.col("owner")))


def _settled_holders(comparison: Comparison) -> dict[str, pl.Series]:
    """Person by number of touchpoint, in each map, once the change is in force; null for what is gone."""
    moment = settled_at(comparison.differing, comparison.now)
    found = {}
    for name, side in comparison.sides.items():
        held = in_force(side.tenures, moment)
        people = [held[t].person or NOBODY if t in held else None for t in side.touchpoints]
        found[name] = pl.Series(people, dtype=pl.String)
    return found


def verdicts(found: Found, comparison: Comparison, name: str) -> pl.LazyFrame:
    """Every verdict of one map over the window, of touchpoints and of people's parts of them.

    Returns:
        touchpoint, owner (null for the whole touchpoint), metric (ids), unit, n, value, value_low,
        value_high, goal, verdict. Parts without a goal are left out.
    """
    side = comparison.sides[name]
    last = side.scoring.slots.frame()["date"].max()
    spans = pl.select(*_period(comparison), first=pl.lit(comparison.window.first), last=pl.lit(last))
    values = observed(Values.of(found.observed[name]), spans, side.scoring)
    judged = cards(found.credited[name].lazy(), values, side.scoring, _JUDGED)
    owner = pl.lit(pl.Series(side.scoring.owners, dtype=pl.String)).gather(pl.col("owner"))
    units = ["count", *(metric.unit for metric in side.atlas.metrics)]
    is_part = pl.col("card") == "owner parts"
    has_goal = ~is_part | pl.col("goal").is_not_null()
    return judged.filter(pl.col("touchpoint") > 0, has_goal).select(
        touchpoint=named("touchpoint", side.touchpoints),
        owner=pl.when(is_part).then(owner),
        metric=named("metric", side.scoring.metric_ids),
        unit=named("metric", units),
        **{column: pl.col(column) for column in _VERDICT},
    )


def _credited(cube: Cube, comparison: Comparison, name: str) -> pl.LazyFrame:
    scoring = comparison.sides[name].scoring
    sums = _lately(side_sums(cube, comparison, name), comparison)
    summed = scoring.credited(sums).group_by(PARTS).agg(pl.col(ADDITIVE).sum())
    return summed.with_columns(_period(comparison)).select(*PERIOD_COLUMNS, *PARTS, *ADDITIVE)


def _observed(cube: Cube, comparison: Comparison, name: str) -> pl.LazyFrame:
    return _lately(side_values(cube, name), comparison)


def _lately(frame: pl.LazyFrame, comparison: Comparison) -> pl.LazyFrame:
    return frame.filter(pl.col("slot") >= comparison.first_slot(comparison.window.first))


def _period(comparison: Comparison) -> list[pl.Expr]:
    """The window as the one period there is."""
    window = comparison.window
    ends = {"period_start": window.first, "period_end": window.end}
    return [
        pl.lit("to_date", dtype=PERIOD).alias("period"),
        *(pl.lit(day).alias(column) for column, day in ends.items()),
    ]


def _scores(cube: Cube, comparison: Comparison, held: Mapping[str, pl.Series]) -> pl.LazyFrame:
    """The split of every person's score between what they hold in the old map and in the new one.

    A part is a pair of touchpoints: the same events under both maps. So nobody does better or worse, and
    customers go nowhere else: whatever changes is the portfolio's.
    """
    summed = (
        _lately(cube.sums.lazy(), comparison)
        .group_by("touchpoint", measured="metric")
        .agg(pl.col(ADDITIVE).sum())
        .join(_scored_metrics(comparison), on="measured")
    )
    holders = [
        pl.lit(held[name]).gather(cube.pairs.touchpoint(name)).alias(f"owner_{name}") for name in SIDES
    ]
    observed, total = pl.col("n").cast(pl.Float64), pl.col("factor") * above_the_line(pl.col("estimator"))
    each = summed.select(
        "metric",
        "touchpoint",
        *holders,
        segment=pl.lit(0),
        **{f"n_{name}": observed for name in SIDES},
        **{f"sum_{name}": total for name in SIDES},
    )
    people = pl.concat(
        each.select("metric", owner=f"owner_{name}").filter(pl.col("owner").is_not_null()) for name in SIDES
    ).unique()
    owned = each.join(people, on="metric").with_columns(
        (pl.col(f"owner_{name}") == pl.col("owner")).fill_null(value=False).alias(f"is_held_{name}")
        for name in SIDES
    )
    theirs = owned.filter(pl.col("is_held_before") | pl.col("is_held_after"))
    split = owner_change(theirs, ["owner", "metric"]).group_by("owner", "metric")
    known = pl.col("change").first().is_not_null()
    whole = split.agg(
        pl.col("value_before").first().alias("before"),
        pl.col("value_after").first().alias("after"),
        *(pl.when(known).then(pl.col(part).sum()).alias(part) for part in ("rate", "mix", "portfolio")),
    )
    return whole.select(_NO_SCORES.columns)


_NO_SCORES = pl.DataFrame(
    schema={"owner": pl.String, "metric": pl.String}
    | dict.fromkeys(("before", "after", "rate", "mix", "portfolio"), pl.Float64)
)


def _scored_metrics(comparison: Comparison) -> pl.LazyFrame:
    """The scored metrics: measured (number), metric (id), estimator, factor: quotients over events that both maps measure alike."""
    known = {metric.id: metric for metric in comparison.before.atlas.metrics}
    rows = [
        (
            number,
            metric.id,
            metric.estimator,
            scale_of(metric),
        )
        for metric in comparison.after.atlas.metrics
        if metric.of == "events" and metric.estimator in _QUOTIENTS
        if metric.id in known and measured_alike(metric, known[metric.id])
        for number, measured in enumerate(comparison.metrics, start=1)
        if measured_alike(metric, measured)
    ]
    types = {"measured": pl.UInt16, "metric": pl.String, "estimator": pl.String, "factor": pl.Float64}
    return pl.LazyFrame(rows, schema=types, orient="row")


def _burdens(
    people: pl.DataFrame, judged: pl.DataFrame, comparison: Comparison, name: str
) -> dict[str, Burden]:
    """What everybody holds once the change is in force."""
    side = comparison.sides[name]
    moment = settled_at(comparison.differing, comparison.now)
    held = {t: tenure.person or NOBODY for t, tenure in in_force(side.tenures, moment).items()}
    counts = {owner: (events, customers) for owner, events, customers in people.iter_rows()}
    missed = judged.filter(pl.col("owner").is_null(), pl.col("verdict") == "missed")
    goals = [held.get(touchpoint) for touchpoint in missed["touchpoint"]]
    mine = list(held.values())
    return {
        owner: Burden(
            touchpoints=mine.count(owner),
            events=counts.get(owner, (0, 0))[0],
            customers=counts.get(owner, (0, 0))[1],
            goals_missed=goals.count(owner),
        )
        for owner in dict.fromkeys(mine)
    }


def _holder(tenure: Tenure | None, people: Mapping[str, str]) -> Holder | None:
    if tenure is None:
        return None
    owner = tenure.person or NOBODY
    return Holder(owner=owner, owner_name=people.get(owner), seat=tenure.seat, team=tenure.team)


def _judged(row: Mapping[str, object] | None) -> Judged | None:
    return Judged(**{name: row[name] for name in _VERDICT}) if row else None  # ty: ignore[invalid-argument-type]


def _words(flip: Flip) -> set[str | None]:
    return {judged.verdict if judged else None for judged in (flip.before, flip.after)}


def observed_pairs(cube: Cube, comparison: Comparison, name: str) -> pl.LazyFrame:
    """touchpoint, metric (numbers): what was ever observed in one map, the whole history."""
    families = quantile_families(comparison.sides[name].atlas.metrics)
    members = pl.LazyFrame(
        [(first, number) for first, numbers in families.items() for number in numbers],
        schema={"metric": pl.UInt16, "member": pl.UInt16},
        orient="row",
    )
    values = (
        side_values(cube, name).filter(pl.col("value").is_not_null()).select("touchpoint", "metric").unique()
    )
    ranked = values.join(members, on="metric").select("touchpoint", metric="member")
    summed = side_sums(cube, comparison, name).filter(pl.col("n") > 0).select("touchpoint", "metric")
    return pl.concat([summed, ranked]).unique()
