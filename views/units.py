"""Values and changes with their unit, as people say them."""


def plural(count: int, noun: str, nouns: str = "") -> str:
    """A count and its noun; `nouns` where several are not told by an s."""
    return f"{count:,} {noun if count == 1 else nouns or noun + 's'}"


_FORMATS = {"share": "{:.1%}", "points": "{:+.0f}", "count": "{:,.0f}"}


def value_text(value: float | None, unit: str) -> str:
    """A value with its unit."""
    if value is None:
        return "-"
    if unit in ("hours", "minutes", "days"):
        return f"{value:,.1f} {unit[0]}"
    return _FORMATS.get(unit, "{:,.2f}").format(value)


def change_text(change: float | None, unit: str) -> str:
    """By how much a value changed: with its sign, and of shares in points."""
    if change is None:
        return "-"
    if unit in ("share", "points"):
        return f"{change * (100 if unit == 'share' else 1):+.1f} points"
    said = value_text(abs(change), unit)
    return f"{'-' if change < 0 else '+'}{said}"
