"""What was planted against what was found: every truth held against the published tables.

A finder looks at published tables only, as anybody could. A truth that no published table can tell
yet is "not looked for yet", and a gap that was found but not planted is reported too.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo

import polars as pl

BERLIN = ZoneInfo("Europe/Berlin")
Tables = Callable[[str], pl.DataFrame]
Status = Literal["found", "missed", "not looked for yet"]
Truth = Mapping[str, Any]

REASONS = {
    "unknown_stage": "stage.enum",
    "unreadable_time": "changed_at.type",
    "negative_amount": "amount_eur.minimum",
    "missing_customer": "customer_id.required",
    "time_before_1970": "occurred_at.before_1970",
    "time_in_future": "occurred_at.in_the_future",
    "reused_id": "primary_key.unique",
    "csat_out_of_range": "csat.maximum",
    "cut_row": "line.too_few_fields",
    "not_utf8": "line.not_utf8",
    "not_json": "line.not_json",
    "missing_at": "changed_at.required",
}
"""The contract rule that each kind of planted fault breaks."""


@dataclass(frozen=True)
class Line:
    """One truth and what became of it.

    Attributes:
        planted: The truth, in one sentence.
        status: found, missed, or not looked for yet.
        said: What the tables say.
    """

    planted: str
    status: Status
    said: str


def compare(truths: Sequence[Truth], tables: Tables) -> list[Line]:
    """Every truth, in the order they were planted, with what the tables say of it."""
    lines = []
    for truth in truths:
        finder = FINDERS.get(truth["kind"])
        if finder is None:
            lines.append(Line(truth["sentence"], "not looked for yet", ""))
            continue
        is_found, said = finder(truth, tables)
        lines.append(Line(truth["sentence"], "found" if is_found else "missed", said))
    return lines


def unplanted_gaps(truths: Sequence[Truth], tables: Tables, *, is_whole: bool = False) -> list[str]:
    """Gaps that were found but not planted.

    Args:
        truths: The planted truths.
        tables: The published tables.
        is_whole: Whether the company has its full scale: with a share of its customers every touchpoint has
            too few answers.
    """
    planted = {_gap_key(truth) for truth in truths}
    return [
        row["sentence"]
        for row in tables("gap_finding").iter_rows(named=True)
        if (row["rule"], row["object_id"].partition("@")[0]) not in planted
        and (is_whole or row["rule"] != "too_few_answers")
    ]


def unplanted_breaches(truths: Sequence[Truth], tables: Tables) -> list[str]:
    """Weeks said to miss their goal where no drop was planted.

    Only at full scale: with three answers a week chance alone makes a breach now and then.
    """
    dropped = {t["where"]["touchpoint"] for t in truths if t["kind"] == "metric_drop"}
    breached = _weeks(tables).filter(pl.col("is_breach"), ~pl.col("touchpoint_id").is_in(list(dropped)))
    return [
        f"{row['touchpoint_id']}: {row['metric']} is said to miss its goal in the week of {row['period_start']}."
        for row in breached.iter_rows(named=True)
    ]


@dataclass(frozen=True)
class Attribution:
    """Owners credited, held against the plan.

    Attributes:
        events: Events compared.
        wrong: Events credited to another person than the plan's, or to nobody when there was one.
        wrong_by_current: Events whose owner then is not the owner today.
    """

    events: int
    wrong: int
    wrong_by_current: int


def attribution(credited: pl.DataFrame, truth: pl.DataFrame) -> Attribution:
    """Hold the owner of every event against the generator's plan.

    Args:
        credited: event_id, touchpoint_id, owner_id, current_owner_id of every stored event.
        truth: feed, native_id, touchpoint, person: one row per planted event.

    Raises:
        ValueError: An event is stored that was not planted, or the other way round.
    """
    parts = pl.col("event_id").str.split("|").list
    native = credited.with_columns(
        feed=parts.get(0), native_id=parts.get(2).str.replace("~", "#", literal=True)
    )
    joined = native.join(truth, on=["feed", "native_id"], how="full", coalesce=True)
    if joined["event_id"].has_nulls() or joined.height != truth.height:
        message = f"{truth.height:,} events were planted, {credited.height:,} are stored"
        raise ValueError(message)
    person = pl.col("person").fill_null("nobody")
    touchpoint = pl.col("touchpoint").fill_null("unmatched")
    is_wrong = (pl.col("owner_id") != person) | (pl.col("touchpoint_id") != touchpoint)
    wrong, by_current = joined.select(
        is_wrong.sum().alias("wrong"), (pl.col("current_owner_id") != person).sum().alias("current")
    ).row(0)
    return Attribution(joined.height, wrong, by_current)


def _gap_key(truth: Truth) -> tuple[str, str]:
    """Rule and object of the gap that a truth should show as; empty when it shows elsewhere."""
    rule, named = GAPS.get(truth["kind"], ("", lambda _: ""))
    return rule, named(truth["where"])


GAPS: Mapping[str, tuple[str, Callable[[Mapping[str, Any]], str]]] = {
    "vacancy": ("vacant_seat", lambda where: where["seat"]),
    "unowned_touchpoint": ("unowned_touchpoint", lambda where: where["touchpoint"]),
    "no_metric": ("touchpoint_without_metric", lambda where: where["touchpoint"]),
    "no_goal": ("touchpoint_without_goal", lambda where: where["touchpoint"]),
    "shadowed_rule": ("shadowed_rule", lambda where: where["rule"]),
    "unmatched_kind": ("unmatched_kind", lambda where: f"{where['feed']}:{where['kind']}"),
    "ping_pong": ("handoff_without_integrator", lambda where: "+".join(sorted(where["teams"]))),
    "late_feed": ("late_feed", lambda where: where["feed"]),
    "shared_identifiers": ("shared_identifier", lambda _: "shared"),
    "nobody_responsible": ("responsible_missing", lambda where: where["touchpoint"]),
    "no_review": ("touchpoint_without_review", lambda where: where["touchpoint"]),
    "few_answers": ("too_few_answers", lambda where: where["touchpoint"]),
    "judged_collect": ("judged_select_who_is_asked", lambda where: where["touchpoint"]),
    "sampling_drift": ("sampling_drift", lambda where: where["touchpoint"]),
    "goal_incomplete": ("goal_incomplete", lambda where: f"{where['touchpoint']}.nps"),
    "stale_validation": ("validation_too_old", lambda where: where["touchpoint"]),
    "waived_gap": ("never_validated_by_frontline", lambda where: where["touchpoint"]),
    "expired_waiver": ("touchpoint_without_goal", lambda where: where["touchpoint"]),
}
"""The gap that each kind of truth should show as: its rule, and its object from the truth's place."""


def _gap(truth: Truth, tables: Tables) -> dict[str, Any] | None:
    rule, thing = _gap_key(truth)
    found = tables("gap_finding").filter(
        pl.col("rule") == rule, pl.col("object_id").str.split("@").list.first() == thing
    )
    return found.row(0, named=True) if found.height == 1 else None


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _owner_change(truth: Truth, tables: Tables) -> tuple[bool, str]:
    held = tables("bridge_assignment").filter(pl.col("touchpoint_id") == truth["where"]["touchpoint"])
    by_owner = _events_by_owner(tables, truth["where"]["touchpoint"])
    before, after = truth["expect"]["before"], truth["expect"]["after"]
    change = held.filter(pl.col("owner_id") == after)["valid_from_at"].to_list()
    is_found = change == [_instant(truth["when"])] and by_owner == truth["expect"]["events"]
    counted = ", ".join(f"{owner} {by_owner.get(owner, 0):,}" for owner in (before, after))
    return is_found, f"changed hands at {change[0]:%Y-%m-%d %H:%M} UTC; events credited: {counted}"


def _events_by_owner(tables: Tables, touchpoint: str) -> dict[str, int]:
    daily = tables("measure_daily").filter(
        pl.col("touchpoint_id") == touchpoint, pl.col("metric") == "events"
    )
    return dict(daily.group_by("owner_id").agg(pl.col("n").sum()).iter_rows())


def _vacancy(truth: Truth, tables: Tables) -> tuple[bool, str]:
    gap = _gap(truth, tables)
    if gap is None:
        return False, "no such gap"
    planted = (_instant(truth["when"]["from"]), _instant(truth["when"]["until"]))
    expected = truth["expect"]["events_of_nobody"]
    is_found = (gap["since_at"], gap["until_at"]) == planted and gap["event_count"] == expected
    return is_found, f"{gap['event_count']:,} events of {gap['customer_count']:,} customers belong to nobody"


def _unowned(truth: Truth, tables: Tables) -> tuple[bool, str]:
    gap = _gap(truth, tables)
    if gap is None:
        return False, "no such gap"
    return gap["event_count"] == truth["expect"][
        "events_of_nobody"
    ], f"{gap['event_count']:,} events without owner"


def _named_gap(truth: Truth, tables: Tables) -> tuple[bool, str]:
    gap = _gap(truth, tables)
    return gap is not None, gap["sentence"] if gap else "no such gap"


def _waiver(truth: Truth, tables: Tables) -> tuple[bool, str]:
    gap = _gap(truth, tables)
    if gap is None:
        return False, "no such gap"
    expect = truth["expect"]
    is_found = (gap["state"], gap["waived_until_at"]) == (expect["state"], _instant(expect["until"]))
    return is_found, f"{gap['state']}: {gap['sentence']}"


def _shadowed(truth: Truth, tables: Tables) -> tuple[bool, str]:
    row = tables("rule_hit").filter(pl.col("rule_id") == truth["where"]["rule"]).row(0, named=True)
    is_found = row["shadowed_by"] == truth["expect"]["shadowed_by"] and row["event_count"] == 0
    return is_found and _gap(truth, tables) is not None, f"{row['shadowed_by']} wins in its place"


def _unmatched(truth: Truth, tables: Tables) -> tuple[bool, str]:
    gap = _gap(truth, tables)
    if gap is None:
        return False, "no such gap"
    return gap["event_count"] == truth["expect"]["events"], f"{gap['event_count']:,} events matched nothing"


def _ping_pong(truth: Truth, tables: Tables) -> tuple[bool, str]:
    teams, expect = truth["where"]["teams"], truth["expect"]
    between = tables("fact_handoff").filter(
        pl.col("from_team_id").is_in(teams), pl.col("to_team_id").is_in(teams)
    )
    handed = int(between["handoff_count"].sum())
    returned = tables("fact_case").filter(pl.col("is_ping_pong")).height
    is_found = (handed, returned) == (expect["handoffs"], expect["tickets_returned"])
    said = f"{handed:,} handoffs between the two, {returned:,} tickets came back, no integrator"
    return is_found and _gap(truth, tables) is not None, said


def _drop(truth: Truth, tables: Tables) -> tuple[bool, str]:
    weeks = _weeks(tables).filter(pl.col("touchpoint_id") == truth["where"]["touchpoint"])
    breached = weeks.filter(pl.col("is_breach")).sort("period_start")
    if breached.is_empty():
        return False, "no week misses the goal on evidence"
    first = breached.row(0, named=True)
    began = _instant(truth["when"]).date()
    known = first["period_end"]
    said = (
        f"missed on evidence from the week of {first['period_start']}, {(known - began).days // 7} weeks "
        f"after it began; {first['owner_name']} answers for it"
    )
    return first["period_start"] >= began, said


def _noise(truth: Truth, tables: Tables) -> tuple[bool, str]:
    weeks = _weeks(tables).filter(pl.col("touchpoint_id") == truth["where"]["touchpoint"])
    alarms = _naive_alarms(weeks)
    breaches = weeks.filter(pl.col("is_breach")).height
    said = f"a naive rule would have raised {alarms} alarms in {weeks.height} weeks, evidence none"
    return (
        alarms > 0 and breaches == 0,
        said if not breaches else f"{breaches} weeks are said to miss the goal",
    )


def _naive_alarms(weeks: pl.DataFrame) -> int:
    """Weeks that fall below the goal anew: what `alerts backtest` calls naive."""
    observed = weeks.filter(pl.col("n") > 0).sort("period_start")
    is_below = pl.col("is_below_goal").fill_null(value=False)
    return observed.filter(is_below & ~is_below.shift(1, fill_value=False)).height


def _weeks(tables: Tables) -> pl.DataFrame:
    return tables("scorecard_touchpoint").filter(
        pl.col("period") == "week", pl.col("goal").is_not_null(), pl.col("is_final")
    )


def _broken(truth: Truth, tables: Tables) -> tuple[bool, str]:
    waiting = _quarantined(tables)
    found = {reason: count for reason, count in waiting.items() if reason != REASONS["reused_id"]}
    expected = {REASONS[fault]: count for fault, count in _faults(truth["expect"])}
    rows = int(tables("data_trust")["rows_quarantined"].sum())
    return found == expected, f"{rows:,} rows wait in quarantine, for {len(waiting)} reasons"


def _faults(expect: Mapping[str, Any]) -> Iterable[tuple[str, int]]:
    """Every leaf of the expected counts whose name is a fault."""
    for name, value in expect.items():
        if isinstance(value, Mapping):
            yield from _faults(value)
        elif name in REASONS:
            yield name, value


def _duplicates(truth: Truth, tables: Tables) -> tuple[bool, str]:
    where, expect = truth["where"], truth["expect"]
    trust = tables("data_trust").filter(pl.col("feed") == where["feed"], pl.col("stream") == where["stream"])
    repeated = int(trust["rows_duplicate"].sum())
    reused = _quarantined(tables).get(REASONS["reused_id"], 0)
    is_found = repeated == expect["identical_row"] + expect["rows_of_repeated_file"]
    said = f"{repeated:,} rows repeat another one, a whole file among them; {reused} reuse another row's id"
    return is_found and reused == expect["reused_id"], said


def _quarantined(tables: Tables) -> dict[str, int]:
    counted = tables("quarantine_reason").group_by("reason").agg(pl.col("row_count").sum())
    return dict(counted.iter_rows())


_LATE = {"late events", "late or corrected events"}
"""Why late rows restate: they are observations, or what follows one."""


def _late_rows(truth: Truth, tables: Tables) -> tuple[bool, str]:
    """Every late row is in a restated month, for the reason that it came late."""
    month = _instant(truth["when"]["from"]).date()
    log = tables("restatement").filter(pl.col("scorecard") == "scorecard_touchpoint")
    counted = log.filter(
        pl.col("metric") == "events",
        pl.col("period").cast(pl.String) == "month",
        pl.col("period_start") == month,
    )
    came = int((counted["n_is"] - counted["n_was"]).sum())
    reasons = sorted(log["why"].unique())
    flagged = tables("scorecard_touchpoint").filter("is_restated").height
    said = (
        f"{came:,} events came after {month:%B} had been published: {log.height:,} values restated "
        f"({', '.join(reasons)})"
    )
    is_found = came == truth["expect"]["rows"] and set(reasons) <= _LATE and flagged == log.height
    return is_found, said


_ANSWERED = ("csat", "ces", "nps")
"""Metrics that the survey feed stands behind."""


def _late_feed(truth: Truth, tables: Tables) -> tuple[bool, str]:
    gap = _gap(truth, tables)
    if gap is None:
        return False, "no such gap"
    goals = tables("scorecard_touchpoint").filter(pl.col("goal").is_not_null(), pl.col("n") > 0)
    answers = goals.filter(pl.col("metric").is_in(_ANSWERED))
    beyond = pl.col("period_end") > _instant(truth["when"]).astimezone(BERLIN).date()
    waits = pl.col("verdict") == "no_data"
    is_found = (
        gap["since_at"] == _instant(truth["when"])
        and answers.filter(beyond != waits).is_empty()
        and goals.filter(waits, ~pl.col("metric").is_in(_ANSWERED)).is_empty()
    )
    return is_found, f"{gap['sentence']} {answers.filter(waits).height} verdicts wait for it."


_ENOUGH_ASKED = 1_000
"""Invitations since the drift from which on its weeks can tell; fewer are told by the quarter alone."""


def _sampling(truth: Truth, tables: Tables) -> tuple[bool, str]:
    """The quarters before and after, and at full scale the finding of the audit and the week it began."""
    where, turn = truth["where"], _instant(truth["when"]).astimezone(BERLIN).date()
    quarters = tables("who_answered").filter(
        pl.col("touchpoint_id") == where["touchpoint"],
        pl.col("metric") == "csat",
        pl.col("period").cast(pl.String) == "quarter",
    )
    before = quarters.filter(pl.col("period_end") == turn).row(0, named=True)
    after = quarters.filter(pl.col("period_start") == turn).row(0, named=True)
    is_found = before["mix_excess"] < _UNLIKE < after["mix_excess"]
    said = (
        f"{after['mix_excess']:.0%} of the quarter's answers would have to come from others; "
        f"{100 * after['change_by_who']:+.1f} points of its change of {100 * after['change']:+.1f} points are who "
        "answered."
    )
    if truth["expect"]["invitations"]["after"]["all"] < _ENOUGH_ASKED:
        return is_found, said
    gap = _gap(truth, tables)
    if gap is None:
        return False, "no such gap"
    began = gap["since_at"].astimezone(BERLIN).date()
    is_found = is_found and began <= turn < began + timedelta(days=7)
    return is_found, f"{gap['sentence']} {said}"


_UNLIKE = 0.1
"""Share of answers that would have to come from others, above chance, from which on a sample is no picture."""

FINDERS: Mapping[str, Callable[[Truth, Tables], tuple[bool, str]]] = {
    "owner_change": _owner_change,
    "vacancy": _vacancy,
    "unowned_touchpoint": _unowned,
    "no_metric": _named_gap,
    "no_goal": _named_gap,
    "shadowed_rule": _shadowed,
    "unmatched_kind": _unmatched,
    "ping_pong": _ping_pong,
    "metric_drop": _drop,
    "healthy_noise": _noise,
    "broken_rows": _broken,
    "duplicate_rows": _duplicates,
    "late_rows": _late_rows,
    "late_feed": _late_feed,
    "shared_identifiers": _named_gap,
    "nobody_responsible": _named_gap,
    "no_review": _named_gap,
    "few_answers": _named_gap,
    "judged_collect": _named_gap,
    "sampling_drift": _sampling,
    "goal_incomplete": _named_gap,
    "stale_validation": _named_gap,
    "waived_gap": _waiver,
    "expired_waiver": _waiver,
}
"""Finders by kind of truth. A kind without one is not looked for yet."""
