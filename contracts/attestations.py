"""What accountable people say themselves: that a touchpoint is theirs, or that it is not."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from contracts.tenures import Tenure

Word = Literal["confirmed", "declined"]
AttestationState = Literal["confirmed", "declined", "pending"]


@dataclass(frozen=True, slots=True)
class Attestation:
    """One person's word on one touchpoint.

    Attributes:
        touchpoint: Id of the touchpoint, as it was then.
        person: Who gave their word: the person accountable then.
        seat: The seat they answered in.
        state: confirmed or declined.
        reason: Why they declined.
        map_version: The map that named them.
        attested_at: The workspace's instant.
        recorded_at: The real time.
        recorded_by: Who noted it.
    """

    touchpoint: str
    person: str
    seat: str
    state: Word
    reason: str | None
    map_version: str
    attested_at: datetime
    recorded_at: datetime
    recorded_by: str | None


@dataclass(frozen=True, slots=True)
class Attested:
    """Where one touchpoint stands now.

    Attributes:
        touchpoint: Its id.
        state: confirmed, declined, or pending: the person accountable now has not said, or too long ago.
        person: Who is asked: the person accountable now; None when nobody is.
        word: Their last word, also one that is too old; None when they never gave it.
    """

    touchpoint: str
    state: AttestationState
    person: str | None
    word: Attestation | None = None


def attested(
    held: Mapping[str, Tenure],
    words: Iterable[Attestation],
    now: datetime,
    days: int,
    current: Mapping[str, str],
) -> list[Attested]:
    """Where every touchpoint stands.

    Args:
        held: The tenure in force now, by touchpoint.
        words: Every word that was given, the oldest first.
        now: The instant it is.
        days: How long a word counts.
        current: The id that a former id stands for.

    Returns:
        One for each touchpoint of `held`, in its order. A word counts only while its person is the
        accountable one: whoever comes after has to give their own.
    """
    last: dict[tuple[str, str], Attestation] = {
        (current.get(word.touchpoint, word.touchpoint), word.person): word
        for word in words
        if word.attested_at <= now
    }
    return [_standing(tenure, last, now, days) for tenure in held.values()]


def _standing(
    tenure: Tenure, last: Mapping[tuple[str, str], Attestation], now: datetime, days: int
) -> Attested:
    word = last.get((tenure.touchpoint, tenure.person or ""))
    counts = word is not None and now < word.attested_at + timedelta(days=days)
    state: AttestationState = word.state if word is not None and counts else "pending"
    return Attested(tenure.touchpoint, state, tenure.person, word)
