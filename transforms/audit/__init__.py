"""The gap audit: the map held against what customers lived through.

A rule is one declaration (see `declare`): its name, how bad it is, its sentence and remedy, who has to act,
and a function that yields what it finds. A waiver in the map silences a finding until it ends; the finding
stays in the table, and is back by itself the moment the waiver has ended.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import polars as pl

from contracts.accountability import Waiver
from contracts.tables import GapFinding
from contracts.tables.findings import SEVERITIES
from contracts.tenures import LATEST, instant
from transforms.audit import judgement, matching, ownership, promises, trust, upkeep, work
from transforms.audit.declare import RULES, AuditRule, Finding
from transforms.audit.evidence import HANDOFF_DAYS, Evidence, Stake

__all__ = ["HANDOFF_DAYS", "RULES", "AuditRule", "Evidence", "Finding", "Stake", "audit", "open_findings"]

_DECLARED_IN = (judgement, matching, ownership, promises, trust, upkeep, work)


def audit(evidence: Evidence, rules: Iterable[AuditRule] = tuple(RULES)) -> pl.DataFrame:
    """GapFinding: everything that every rule finds, the most customers at stake first."""
    ordered = sorted(rules, key=lambda one: one.is_last)
    first = [(one, found) for one in ordered if not one.is_last for found in one.find(evidence)]
    seen = replace(evidence, found=frozenset((one.name, found.object_id) for one, found in first))
    last = [(one, found) for one in ordered if one.is_last for found in one.find(seen)]
    rows = [_row(one, found, evidence) for one, found in [*first, *last]]
    table = pl.DataFrame(rows, schema={**GapFinding.published_schema(), "place": pl.Int64})
    order = ["customer_count", "event_count", "severity", "rule", "object_id"]
    ranked = table.sort(order, descending=[True, True, False, False, False])
    return ranked.with_columns(place=pl.int_range(1, pl.len() + 1, dtype=pl.Int64))


def open_findings(findings: pl.DataFrame, at_least: str = "info") -> pl.DataFrame:
    """Findings that no waiver silences and that are at least so severe, the most customers first."""
    severe = SEVERITIES[: SEVERITIES.index(at_least) + 1]
    return findings.filter(
        pl.col("state") != "waived", pl.col("severity").cast(pl.String).is_in(list(severe))
    ).sort("place")


def _row(rule: AuditRule, finding: Finding, evidence: Evidence) -> dict[str, Any]:
    waiver = _waiver(evidence, rule.name, finding.object_id)
    ends = instant(waiver.until, evidence.atlas.zone, LATEST) if waiver else None
    return {
        "rule": rule.name,
        "object_type": finding.object_type,
        "object_id": finding.object_id,
        "severity": finding.severity or rule.severity,
        "state": "open" if ends is None else "waived" if evidence.now < ends else "reopened",
        "sentence": rule.sentence.format(**finding.said),
        "remedy": rule.remedy.format(**finding.said),
        "fixed_by": finding.fixed_by or _fixer(rule, finding, evidence),
        "since_at": finding.since,
        "until_at": finding.until,
        "event_count": finding.stake[0],
        "customer_count": finding.stake[1],
        "declared_at": finding.declared_at,
        "waived_until_at": ends,
        "waived_by": waiver.approver if waiver else None,
        "waiver_reason": waiver.reason if waiver else None,
    }


def _waiver(evidence: Evidence, rule: str, thing: str) -> Waiver | None:
    """The waiver of a finding that ends last."""
    meant = [one for one in evidence.atlas.waivers if upkeep.is_waived_by(one, rule, thing)]
    return max(meant, key=lambda one: instant(one.until, evidence.atlas.zone, LATEST), default=None)


def _fixer(rule: AuditRule, finding: Finding, evidence: Evidence) -> str | None:
    """Who has to act, as far as the map says: nobody is inferred."""
    if rule.fixed_by in ("accountable", "feed"):
        tenure = evidence.standing.held.get(finding.touchpoint or "")
        return tenure.seat if tenure else None
    rights = [right for right in evidence.atlas.decision_rights if right.what == rule.fixed_by]
    seats = _deciding(rights, finding.touchpoint)
    return ", ".join(dict.fromkeys(seats)) or None


def _deciding(rights: Sequence[Any], touchpoint: str | None) -> list[str]:
    return [
        seat
        for right in rights
        if not right.touchpoints or touchpoint in right.touchpoints
        for seat in right.seats
    ]
