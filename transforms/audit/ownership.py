"""Gaps of ownership: nobody, nobody in particular, nobody who could step in."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

import polars as pl

from contracts.tenures import Tenure
from transforms.audit.declare import Finding, about, rule
from transforms.audit.evidence import Evidence, known

NOTICE_DAYS = 28


@rule(
    "critical",
    "Nobody is accountable for {name}: the map names no seat.",
    "Name a seat under 'accountable'.",
    "owners",
)
def unowned_touchpoint(evidence: Evidence) -> Iterator[Finding]:
    """A touchpoint for which the map names no seat."""
    told: set[str] = set()
    for index, tenure in evidence.without_owner("unowned"):
        again = f"{tenure.touchpoint}@{_second(evidence, tenure.start)}"
        yield Finding(
            object_type="touchpoint",
            object_id=again if tenure.touchpoint in told else tenure.touchpoint,
            said={"name": evidence.names[tenure.touchpoint]},
            stake=evidence.stake_without_owner([index]),
            touchpoint=tenure.touchpoint,
            since=known(tenure.start),
            until=known(tenure.end),
            declared_at=evidence.atlas.where("touchpoints", tenure.touchpoint),
        )
        told.add(tenure.touchpoint)


@rule(
    "critical",
    "{seat} {verb} vacant: nobody answered for {touchpoints}.",
    "Name a holder or a cover; when it is over, who covered it, if anybody did.",
    "owners",
)
def vacant_seat(evidence: Evidence) -> Iterator[Finding]:
    """A seat that nobody held or covered, with the touchpoints that depend on it."""
    vacancies: dict[tuple[str, datetime, datetime], list[tuple[int, Tenure]]] = {}
    for index, tenure in evidence.without_owner("vacant"):
        vacancies.setdefault((tenure.seat or "", tenure.start, tenure.end), []).append((index, tenure))
    told: set[str] = set()
    for (seat, start, end), held in vacancies.items():
        thing = f"{seat}@{_second(evidence, start)}"
        # Touchpoints may leave the vacant seat at different moments.
        thing = f"{thing}..{_second(evidence, end)}" if thing in told else thing
        told.add(thing)
        ended = end <= evidence.now
        yield Finding(
            object_type="seat",
            object_id=thing,
            said={
                "seat": evidence.names[seat],
                "verb": "was" if ended else "is",
                "touchpoints": ", ".join(evidence.names[tenure.touchpoint] for _, tenure in held),
            },
            stake=evidence.stake_without_owner(index for index, _ in held),
            severity="warning" if ended else None,
            since=known(start),
            until=known(end),
            declared_at=evidence.atlas.where("seats", seat),
        )


@rule(
    "warning",
    "{seat} will be vacant from {start}: nobody will answer for {touchpoints}.",
    "Name a successor or a cover before then.",
    "owners",
)
def vacancy_ahead(evidence: Evidence) -> Iterator[Finding]:
    """A vacancy on record that begins within four weeks."""
    soon = evidence.now + timedelta(days=NOTICE_DAYS)
    coming: dict[tuple[str, datetime], list[str]] = {}
    for tenure in evidence.standing.tenures:
        if tenure.state == "vacant" and evidence.now < tenure.start <= soon:
            coming.setdefault((tenure.seat or "", tenure.start), []).append(tenure.touchpoint)
    for (seat, start), touchpoints in coming.items():
        local = start.astimezone(evidence.atlas.zone)
        yield Finding(
            object_type="seat",
            object_id=f"{seat}@{local:%Y-%m-%dT%H:%M:%S}",
            said={
                "seat": evidence.names[seat],
                "start": f"{local:%Y-%m-%d}",
                "touchpoints": ", ".join(evidence.names[one] for one in touchpoints),
            },
            stake=evidence.stake_of(touchpoints),
            since=start,
            declared_at=evidence.atlas.where("seats", seat),
        )


@rule(
    "critical",
    "Nobody in particular is accountable for {name}: {person!r} is no single person.",
    "Name one person as the seat's holder; make the others responsible.",
    "owners",
)
def diffuse_accountable(evidence: Evidence) -> Iterator[Finding]:
    """A touchpoint whose accountable person is a group, a list or everybody."""
    for touchpoint in evidence.living:
        person = evidence.standing.held[touchpoint.id].person
        if person and evidence.standing.is_diffuse(evidence.standing.people[person]):
            yield about(evidence, touchpoint, person=evidence.standing.people[person])


@rule(
    "warning",
    "{person} says that they do not answer for {name}: {reason}.",
    "Agree on who does, and correct the map; or let them confirm it: 'answerable attest'.",
    "owners",
)
def attestation_declined(evidence: Evidence) -> Iterator[Finding]:
    """A touchpoint whose accountable person says that it is not theirs."""
    touchpoints = {one.id: one for one in evidence.living}
    for said in evidence.said:
        if said.state == "declined" and said.word and said.touchpoint in touchpoints:
            person, reason = evidence.standing.people[said.word.person], said.word.reason or "no reason given"
            found = about(evidence, touchpoints[said.touchpoint], person=person, reason=reason.rstrip("."))
            yield replace(found, since=said.word.attested_at)


@rule(
    "warning",
    "{name} names nobody responsible: nobody is said to do the work.",
    "Name a team, seat or person under 'responsible'.",
    "accountable",
)
def responsible_missing(evidence: Evidence) -> Iterator[Finding]:
    """A touchpoint without a responsible team, seat or person."""
    return (about(evidence, touchpoint) for touchpoint in evidence.living if not touchpoint.responsible)


@rule(
    "info",
    "{count} have to be asked before anything changes at {name}; more than {limit} slow everybody down.",
    "Keep those without whom a change would be wrong; inform the others.",
    "accountable",
)
def too_many_consulted(evidence: Evidence) -> Iterator[Finding]:
    """A touchpoint that consults more than the limit."""
    limit = evidence.limits.consulted_per_touchpoint
    for touchpoint in evidence.living:
        if len(touchpoint.consulted) > limit:
            yield about(evidence, touchpoint, count=len(touchpoint.consulted), limit=limit)


@rule(
    "warning",
    "{seat} of {team} is accountable for {name}, but the team only joins what others do.",
    "Make a seat accountable whose team does the work, or waive it with a reason.",
    "owners",
)
def coordinator_accountable(evidence: Evidence) -> Iterator[Finding]:
    """A touchpoint that customers meet, owned by a team that only coordinates."""
    coordinating = {team.id for team in evidence.atlas.teams if team.kind == "coordination"}
    for touchpoint in evidence.living:
        tenure = evidence.standing.held[touchpoint.id]
        if touchpoint.kind == "execution" and tenure.team in coordinating:
            names = evidence.names
            yield about(evidence, touchpoint, seat=names[tenure.seat or ""], team=names[tenure.team or ""])


@rule(
    "warning",
    "{person} answers for {count} touchpoints, more than {limit}.",
    "Share them out, or raise 'limits.touchpoints_per_person'.",
    "owners",
)
def person_overloaded(evidence: Evidence) -> Iterator[Finding]:
    """A person who answers for more touchpoints than the limit."""
    limit = evidence.limits.touchpoints_per_person
    for row in evidence.load.filter(pl.col("touchpoint_count") > limit).iter_rows(named=True):
        yield _of_person(row, count=row["touchpoint_count"], limit=limit)


@rule(
    "warning",
    "Nobody could step in for {person} at {count} touchpoints, more than {limit}: {touchpoints}.",
    "Name a cover, a delegate or somebody responsible, or raise 'limits.alone_per_person'.",
    "owners",
)
def bus_factor_of_one(evidence: Evidence) -> Iterator[Finding]:
    """A person without whom more touchpoints than the limit are left to nobody."""
    limit = evidence.limits.alone_per_person
    for row in evidence.load.filter(pl.col("alone_count") > limit).iter_rows(named=True):
        yield _of_person(row, count=row["alone_count"], limit=limit, touchpoints=row["alone_at"])


def _second(evidence: Evidence, moment: datetime) -> str:
    return f"{moment.astimezone(evidence.atlas.zone):%Y-%m-%dT%H:%M:%S}"


def _of_person(row: dict, **said: object) -> Finding:
    return Finding(
        object_type="person",
        object_id=row["owner_id"],
        said={"person": row["owner_name"], **said},
        stake=(row["event_28d_count"], row["customer_28d_count"]),
    )


@rule("warning", "{seat} is vacant, but {duty}.", "Name a holder, or give it to another seat.", "owners")
def vacant_duty(evidence: Evidence) -> Iterator[Finding]:
    """A seat that chairs a review, joins two teams or owns a feed, and that nobody holds now."""
    duties = [(review.chair, f"chairs {review.name}", review.id) for review in evidence.atlas.reviews]
    duties += [
        (one.seat, f"answers for work between {' and '.join(one.between)}", "+".join(sorted(one.between)))
        for one in evidence.atlas.integrators
    ]
    feeds = evidence.trust.unique("feed", maintain_order=True).select("owner_seat_id", "feed")
    duties += [(seat, f"owns feed {feed}", feed) for seat, feed in feeds.iter_rows()]
    for seat, duty, name in duties:
        if seat in evidence.standing.answering and evidence.standing.answering[seat] is None:
            yield Finding(
                object_type="seat",
                object_id=f"{seat}.{name}",
                said={"seat": evidence.names[seat], "duty": duty},
                declared_at=evidence.atlas.where("seats", seat),
            )


@rule("info", "{seat} answers for nothing.", "Give it a touchpoint, or drop the seat.", "owners")
def idle_seat(evidence: Evidence) -> Iterator[Finding]:
    """A seat that answers for no touchpoint, review, feed or pair of teams, now or later."""
    busy = {tenure.seat for tenure in evidence.standing.tenures if tenure.end > evidence.now}
    busy |= {review.chair for review in evidence.atlas.reviews}
    busy |= {integrator.seat for integrator in evidence.atlas.integrators}
    busy |= {team.lead for team in evidence.atlas.teams}
    busy |= {seat for right in evidence.atlas.decision_rights for seat in right.seats}
    busy |= {name for one in evidence.atlas.touchpoints for name in (*one.responsible, *one.consulted)}
    busy |= set(evidence.trust["owner_seat_id"])
    for seat in evidence.atlas.seats:
        if seat.id not in busy:
            yield Finding(
                object_type="seat",
                object_id=seat.id,
                said={"seat": seat.name},
                declared_at=evidence.atlas.where("seats", seat.id),
            )
