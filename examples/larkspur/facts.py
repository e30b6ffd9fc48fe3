"""What the truths are read from, and the form each is told in."""

from dataclasses import dataclass

import polars as pl

from examples.larkspur.writing import FileCount

Truth = dict[str, object]


@dataclass(frozen=True)
class Facts:
    """Everything the truths are read from; good rows only.

    Attributes:
        scale: The scale of the volumes.
        owners: One row an event, as ``owners.attribute`` returns them.
        history: One row a CRM event: history_id, stage, channel, file, at (UTC s).
        invitations: One row an invitation: survey, segment, sent (UTC s).
        answers: One row an answer: survey, csat, at (UTC s).
        entries: One row a ticket entry: ticket, seq, field, from, to.
        files: What each file of the inbox holds.

    """

    scale: float
    owners: pl.DataFrame
    history: pl.DataFrame
    invitations: pl.DataFrame
    answers: pl.DataFrame
    entries: pl.DataFrame
    files: dict[str, FileCount]

    def events_at(self, touchpoint: str) -> pl.DataFrame:
        """Return the events of one touchpoint."""
        return self.owners.filter(pl.col("touchpoint") == touchpoint)


def truth(kind: str, sentence: str, looked_for_by: str, **rest: object) -> Truth:
    """Return one truth.

    Args:
        kind: What is planted; there is one of each kind, so it names the truth too.
        sentence: It, in plain English.
        looked_for_by: The part of a system that ought to find it.
        **rest: where (ids), when (ISO instant, from and until, or left out) and expect
            (exact numbers).

    Returns:
        The truth as it is written to ``truths.json``.

    """
    return {
        "id": kind,
        "kind": kind,
        "sentence": sentence,
        "where": rest["where"],
        "when": rest.get("when"),
        "expect": rest["expect"],
        "looked_for_by": looked_for_by,
    }
