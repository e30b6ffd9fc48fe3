"""What changed between two versions of a contract, whom it breaks, and which version it asks for.

A feed's contract is an input: whoever delivers has to keep it, so asking for more breaks them. A
published table's is an output: whoever reads relies on it, so promising less breaks them. What is gone
or has another type breaks both.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

Effect = Literal["tightens", "loosens", "breaks", "says"]
Perspective = Literal["input", "output"]
Bump = Literal["major", "minor", "patch", "none"]
Values = Mapping[str, Any]
"""A contract, or a part of one, as plain values."""

BUMPS: tuple[Bump, ...] = ("none", "patch", "minor", "major")
_SAYS = ("name", "description", "status", "domain", "dataProduct", "team", "physicalType", "dimension")
_SEMVER = re.compile(r"^(\d+)\.(\d+)\.(\d+)$")
_LOWER = ("minimum", "minLength")
_UPPER = ("maximum", "maxLength")
_ASKED = ("required", "unique", "primaryKey")


@dataclass(frozen=True, order=True)
class Change:
    """One change.

    Attributes:
        path: Where, as `schema.column.what`.
        what: What changed, from and to.
        effect: tightens: fewer deliveries keep it. loosens: more do. breaks: another shape. says: only
            words.
    """

    path: str
    what: str
    effect: Effect

    def bump(self, perspective: Perspective) -> Bump:
        """The version that the change asks for."""
        if self.effect == "says":
            return "patch"
        hurts = "tightens" if perspective == "input" else "loosens"
        return "major" if self.effect in ("breaks", hurts) else "minor"


def changes(before: Values, after: Values) -> list[Change]:
    """Every change between two versions of one contract: plain values, defaults left out."""
    found = [*_words("", before, after), *_levels(before, after), *_files(before, after)]
    old, new = ({one["name"]: one for one in side["schema"]} for side in (before, after))
    for name in sorted(old.keys() | new.keys()):
        if name not in new:
            found.append(Change(name, "the schema is gone", "breaks"))
        elif name not in old:
            found.append(Change(name, "the schema is new", "loosens"))
        else:
            found += _schema(name, old[name], new[name])
    return sorted(found)


def needed(found: list[Change], perspective: Perspective) -> Bump:
    """The largest bump that any of the changes asks for."""
    return max((change.bump(perspective) for change in found), key=BUMPS.index, default="none")


def bump_of(before: str, after: str) -> Bump | None:
    """What a version was raised by; None when it was lowered or is no semantic version."""
    old, new = _SEMVER.match(before), _SEMVER.match(after)
    if old is None or new is None:
        return "none" if before == after else None
    parts = [(int(a), int(b)) for a, b in zip(old.groups(), new.groups(), strict=True)]
    for name, (a, b) in zip(("major", "minor", "patch"), parts, strict=True):
        if a != b:
            return next(bump for bump in BUMPS if bump == name) if b > a else None
    return "none"


def raised(version: str, bump: Bump) -> str:
    """The version after a bump."""
    match = _SEMVER.match(version)
    if match is None:
        return version
    major, minor, patch = map(int, match.groups())
    return {
        "major": f"{major + 1}.0.0",
        "minor": f"{major}.{minor + 1}.0",
        "patch": f"{major}.{minor}.{patch + 1}",
        "none": version,
    }[bump]


def is_enough(before: str, after: str, bump: Bump) -> bool:
    """Whether a version was raised by at least what the changes ask for."""
    made = bump_of(before, after)
    return made is not None and BUMPS.index(made) >= BUMPS.index(bump)


def _schema(path: str, old: Values, new: Values) -> Iterator[Change]:
    yield from _words(path, old, new)
    yield from _custom(path, old, new)
    yield from _rules(path, old, new)
    columns = [{one["name"]: one for one in side["properties"]} for side in (old, new)]
    for name in sorted(columns[0].keys() | columns[1].keys()):
        where = f"{path}.{name}"
        if name not in columns[1]:
            yield Change(where, "the column is gone", "breaks")
        elif name not in columns[0]:
            # A delivery that lacks a column of its contract is held, whether its values may be missing or not.
            yield Change(where, "the column is new", "tightens")
        else:
            yield from _column(where, columns[0][name], columns[1][name])


def _column(path: str, old: Values, new: Values) -> Iterator[Change]:
    yield from _words(path, old, new)
    for name in ("logicalType", "physicalName", "classification", "primaryKeyPosition"):
        if old.get(name) != new.get(name):
            yield Change(f"{path}.{name}", _from_to(old.get(name), new.get(name)), "breaks")
    for name in _ASKED:
        if bool(old.get(name)) != bool(new.get(name)):
            effect: Effect = "tightens" if new.get(name) else "loosens"
            yield Change(f"{path}.{name}", _from_to(old.get(name), new.get(name)), effect)
    yield from _values(path, old, new)
    yield from _options(path, old.get("logicalTypeOptions", {}), new.get("logicalTypeOptions", {}))
    yield from _relations(path, old, new)
    yield from _custom(path, old, new)
    yield from _rules(path, old, new)


def _values(path: str, old: Values, new: Values) -> Iterator[Change]:
    before, after = ([one["value"] for one in side.get("enum", ())] for side in (old, new))
    if set(before) == set(after):
        return
    where = f"{path}.enum"
    if not before or not after:
        yield Change(where, "values are listed" if after else "any value", "tightens" if after else "loosens")
        return
    if gone := [value for value in before if value not in after]:
        yield Change(where, f"no longer {', '.join(gone)}", "tightens")
    if more := [value for value in after if value not in before]:
        yield Change(where, f"also {', '.join(more)}", "loosens")


def _options(path: str, old: Values, new: Values) -> Iterator[Change]:
    for name in sorted(old.keys() | new.keys()):
        before, after = old.get(name), new.get(name)
        if before == after:
            continue
        where, said = f"{path}.{name}", _from_to(before, after)
        if before is None or after is None:
            is_limit = name in (*_LOWER, *_UPPER, "pattern")
            effect: Effect = "breaks" if not is_limit else "tightens" if before is None else "loosens"
            yield Change(where, said, effect)
        elif name in (*_LOWER, *_UPPER):
            is_tighter = after > before if name in _LOWER else after < before
            yield Change(where, said, "tightens" if is_tighter else "loosens")
        else:
            # Which of two patterns accepts more cannot be told in general.
            yield Change(where, said, "breaks")


def _relations(path: str, old: Values, new: Values) -> Iterator[Change]:
    before, after = (
        {one["to"]: one.get("severity", "error") for one in side.get("relationships") or ()}
        for side in (old, new)
    )
    if before != after:
        where = f"{path}.relationships"
        if not before or not after:
            yield Change(where, _from_to(list(before), list(after)), "tightens" if after else "loosens")
        elif before.keys() != after.keys():
            yield Change(where, _from_to(list(before), list(after)), "breaks")
        else:
            is_tighter = "error" in after.values()
            yield Change(where, _from_to(before, after), "tightens" if is_tighter else "loosens")


def _rules(path: str, old: Values, new: Values) -> Iterator[Change]:
    before, after = ({one["id"]: one for one in side.get("quality") or ()} for side in (old, new))
    for name in sorted(before.keys() | after.keys()):
        where = f"{path}.{name}"
        if name not in before or name not in after:
            # Only an error asks for anything; a warning is counted.
            asks = _severity(before.get(name) or after[name]) == "error"
            effect: Effect = "says" if not asks else "tightens" if name in after else "loosens"
            yield Change(where, "the rule is new" if name in after else "the rule is gone", effect)
            continue
        a, b = before[name], after[name]
        if _severity(a) != _severity(b):
            effect = "tightens" if _severity(b) == "error" else "loosens"
            yield Change(f"{where}.severity", _from_to(_severity(a), _severity(b)), effect)
        yield from _limits(where, a, b)
        for part in ("type", "query", "metric", "arguments", "unit"):
            if a.get(part) != b.get(part):
                yield Change(f"{where}.{part}", _from_to(a.get(part), b.get(part)), "breaks")
        yield from _words(where, a, b)


def _severity(rule: Values) -> str:
    return rule.get("severity", "error")


def _limits(path: str, old: Values, new: Values) -> Iterator[Change]:
    limits = [
        {k: v for k, v in side.items() if k.startswith("mustBe") and v is not None} for side in (old, new)
    ]
    if limits[0] == limits[1]:
        return
    (was, before), (now, after) = (next(iter(side.items())) for side in limits)
    said = f"{was} {before} -> {now} {after}"
    if was == now and isinstance(before, int | float) and was != "mustBe":
        rises = "Less" in was
        yield Change(path, said, "loosens" if (after > before) == rises else "tightens")
    else:
        # What must be nothing may now be something, or the other way round.
        yield Change(
            path, said, "loosens" if was == "mustBe" else "tightens" if now == "mustBe" else "breaks"
        )


def _custom(path: str, old: Values, new: Values) -> Iterator[Change]:
    before, after = (
        {one["property"]: one["value"] for one in side.get("customProperties") or ()} for side in (old, new)
    )
    for name in sorted(before.keys() | after.keys()):
        a, b = before.get(name), after.get(name)
        if a == b:
            continue
        if name == "maxQuarantineRate" and a is not None and b is not None:
            effect: Effect = "tightens" if b < a else "loosens"
        else:
            effect = "says" if name in ("owner", "volumeBaseline") else "breaks"
        yield Change(f"{path}.{name}", _from_to(a, b), effect)


def _levels(old: Values, new: Values) -> Iterator[Change]:
    before, after = (_hours(side) for side in (old, new))
    if before != after:
        is_tighter = after is not None and (before is None or after < before)
        said = f"{_shown_hours(before)} -> {_shown_hours(after)}"
        yield Change("freshness", said, "tightens" if is_tighter else "loosens")


def _hours(contract: Values) -> float | None:
    promised = [one["value"] * (24 if one["unit"] == "d" else 1) for one in contract.get("slaProperties", ())]
    return min(promised, default=None)


def _shown_hours(hours: float | None) -> str:
    return "no promise" if hours is None else f"{hours:g} hours"


def _files(old: Values, new: Values) -> Iterator[Change]:
    before, after = old.get("customProperties") or (), new.get("customProperties") or ()
    if before != after:
        yield Change("references", "other files are referred to", "breaks")


def _words(path: str, old: Values, new: Values) -> Iterator[Change]:
    for name in _SAYS:
        if old.get(name) != new.get(name):
            yield Change(".".join(filter(None, (path, name))), "says otherwise", "says")


def _from_to(before: object, after: object) -> str:
    return f"{_shown(before)} -> {_shown(after)}"


def _shown(value: object) -> str:
    return "nothing" if value in (None, [], ()) else str(value)
