"""Attestation: the people accountable now say whether they are, and the ledger keeps their word."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from contracts.answers import Answer
from contracts.attestations import Attestation, Attested, Word, attested
from contracts.errors import QuestionError, did_you_mean
from contracts.map_parts import former_ids
from contracts.tenures import in_force
from flows.beliefs import actor
from flows.workspace import LoadedWorkspace

if TYPE_CHECKING:
    from warehouse.ledger import Ledger


def standing(workspace: LoadedWorkspace, ledger: "Ledger | None" = None) -> list[Attested]:
    """Where every touchpoint that exists now stands: confirmed, declined or pending.

    Args:
        workspace: The workspace.
        ledger: Its ledger, if it was reached already; else it is looked whether it was lost.
    """
    if ledger is None:
        from flows.lost_ledger import reached  # noqa: PLC0415 - loads SQLAlchemy

        ledger = reached(workspace)
    words = [] if ledger is None else ledger.attestations()
    return attested(
        in_force(workspace.tenures, workspace.now),
        words,
        workspace.now,
        workspace.settings.attestation_days,
        former_ids(workspace.atlas.touchpoints),
    )


def give_word(
    workspace: LoadedWorkspace, answer: Answer, person: str, state: Word, reason: str | None
) -> Attestation:
    """Keep a person's word on a touchpoint.

    Args:
        workspace: The workspace.
        answer: Who is accountable for the touchpoint now.
        person: Who gives their word.
        state: confirmed or declined.
        reason: Why they decline.

    Raises:
        QuestionError: They are not the one who is accountable now.
        StoreError: The ledger cannot be written.
        WorkspaceError: The warehouse is another workspace's.
    """
    from warehouse.claim import must_be_ours  # noqa: PLC0415 - loads polars
    from warehouse.ledger import Ledger  # noqa: PLC0415 - loads SQLAlchemy

    known = [one.id for one in workspace.atlas.people]
    if person not in known:
        raise QuestionError.at(person, "is nobody of the map.", did_you_mean(person, known))
    if answer.person != person or answer.seat is None:
        said = f"{answer.person!r} is" if answer.person else f"nobody is: {answer.reason}"
        raise QuestionError.at(
            person,
            f"is not accountable for {answer.touchpoint!r} now; {said}.",
            "Only they can give their word. If the map is wrong, correct it and check it in.",
        )
    atlas, now = workspace.atlas, datetime.now(UTC)  # noqa: TID251 - the ledger notes the real time
    word = Attestation(
        touchpoint=answer.touchpoint,
        person=person,
        seat=answer.seat,
        state=state,
        reason=reason,
        map_version=atlas.version,
        attested_at=workspace.now,
        recorded_at=now,
        recorded_by=actor(),
    )
    must_be_ours(workspace.warehouse, workspace.root)
    ledger = Ledger(workspace.warehouse)
    # Their word is on this version: it has to be known whichever run comes first.
    ledger.note_map(atlas.version, now, workspace.map_texts, by=actor(), timezone=workspace.settings.timezone)
    ledger.attest(word)
    return word
