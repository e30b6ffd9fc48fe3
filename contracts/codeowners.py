"""Who reviews changes to the map: its decision rights as a CODEOWNERS file."""

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime

from contracts.accountability import AccountabilityMap, Decided, DecisionRight
from contracts.errors import MapError, Problem
from contracts.tenures import seated

_DECIDED: Mapping[str, tuple[Decided, ...]] = {
    "touchpoints": ("owners", "goals"),
    "metrics": ("metrics",),
    "rules": ("rules",),
    "cases": ("rules",),
    **dict.fromkeys(
        ("stages", "teams", "people", "seats", "integrators", "reviews", "waivers", "decision_rights"),
        ("owners",),
    ),
}
"""What is decided by a change to each section of the map."""
_HEAD = """\
# Who reviews changes to the accountability map: the holders of its decision rights.
# Written by 'answerable map codeowners'; write it anew when a seat changes hands.
# A right is for a whole file here: keep what different seats decide in different files.
"""


def codeowners(
    atlas: AccountabilityMap, files: Mapping[str, Collection[str]], now: datetime, prefix: str = "/"
) -> str:
    """The CODEOWNERS file of a map.

    Args:
        atlas: The map.
        files: Sections of the map by file, e.g. `map/metrics.yaml`.
        now: Whoever holds a seat, or covers it, at this instant.
        prefix: Folder of the workspace below the repository's top, with slashes at both ends.

    Raises:
        MapError: There is no decision right, or somebody who has one has no account.
    """
    if not atlas.decision_rights:
        raise MapError.at(
            "map/",
            "has no 'decision_rights'.",
            "Declare who may change what: decision_rights: [{what: goals, seats: [...]}].",
        )
    holders = _holders(atlas, now)
    _refuse_unknown_accounts(atlas, holders)
    accounts = {person.id: person.account for person in atlas.people}
    lines = []
    for file, sections in files.items():
        whats = sorted({what for section in sections for what in _DECIDED.get(section, ())})
        seats = [seat for what in whats for seat in _deciding(atlas, file, what)]
        names = dict.fromkeys(str(accounts[person]) for seat in seats for person in holders[seat])
        said = f"{prefix}{file} {' '.join(names)}  # {', '.join(whats)}"
        lines.append(said if names else f"# {prefix}{file}: nobody has a right to its {' and '.join(whats)}")
    return f"{_HEAD}\n{chr(10).join(lines)}\n"


def _holders(atlas: AccountabilityMap, now: datetime) -> dict[str, list[str]]:
    """Who answers in every seat now, and who holds it."""
    return {
        seat.id: [
            person
            for span in seated(seat, atlas.zone)
            if span.start <= now < span.end
            for person in dict.fromkeys((span.value.person, span.value.holder))
            if person is not None
        ]
        for seat in atlas.seats
    }


def _deciding(atlas: AccountabilityMap, file: str, what: Decided) -> Iterator[str]:
    """Seats with a right to what stands in a file."""
    inside = {t.id for t in atlas.touchpoints if _file(atlas, t.id) == file}
    for right in atlas.decision_rights:
        if right.what == what and (
            not right.touchpoints or what == "metrics" or inside & set(right.touchpoints)
        ):
            yield from right.seats


def _file(atlas: AccountabilityMap, touchpoint: str) -> str:
    return atlas.where("touchpoints", touchpoint).rpartition(":")[0]


def _refuse_unknown_accounts(atlas: AccountabilityMap, holders: Mapping[str, list[str]]) -> None:
    rights: Mapping[str, DecisionRight] = {
        person: right for right in atlas.decision_rights for seat in right.seats for person in holders[seat]
    }
    problems = [
        Problem(
            atlas.where("people", person.id),
            f"{person.id!r} decides on {rights[person.id].what}, but has no 'account'.",
            f'Add it in quotes: account: "@{person.id}".',
        )
        for person in atlas.people
        if person.id in rights and person.account is None
    ]
    if problems:
        raise MapError.of(problems)
