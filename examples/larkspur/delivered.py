"""The planted truths about how the data arrives: broken, twice, late, or no more."""

from datetime import datetime

from examples.larkspur import plan, when
from examples.larkspur.facts import Facts, Truth, truth


def build(facts: Facts) -> list[Truth]:
    """Return the truths about contracts, duplicates, lateness and identifiers."""
    return [
        _broken_rows(facts),
        _duplicate_rows(facts),
        _late_rows(facts),
        _late_feed(facts),
        _shared_identifiers(facts),
    ]


def _iso(at: int) -> str:
    """Write UTC seconds as ISO Berlin time."""
    return datetime.fromtimestamp(at, plan.WINDOW_FROM.tzinfo).isoformat()


def _broken_rows(facts: Facts) -> Truth:
    files = facts.files.values()
    return truth(
        "broken_rows",
        "Some rows of every feed break their contract, each in one way.",
        "contracts",
        where={"streams": ["crm.history", "survey.answers", "tickets.tickets"]},
        expect={
            "crm.history": plan.BROKEN_HISTORY,
            "survey.answers": plan.BROKEN_ANSWERS,
            "tickets.tickets": {"not_json": plan.CUT_TICKETS, "missing_at": plan.UNDATED_ENTRIES},
            "rows": sum(sum(file.broken.values()) for file in files),
            "entries": sum(sum(file.broken_entries.values()) for file in files),
        },
    )


def _duplicate_rows(facts: Facts) -> Truth:
    original = f"history_{plan.COPIED_MONTH}.csv"
    return truth(
        "duplicate_rows",
        "Some CRM rows come twice, some reuse another row's id, and one file comes twice.",
        "contracts",
        where={"feed": "crm", "stream": "history", "repeated_file": original},
        expect={
            **plan.REPEATED_HISTORY,
            "repeated_files": 1,
            "rows_of_repeated_file": facts.files[f"crm/{original}"].rows,
        },
    )


def _late_rows(facts: Facts) -> Truth:
    late = facts.history.filter(file=f"crm/{plan.LATE_FILE}")["at"].to_numpy()
    first = plan.berlin(f"{plan.LATE_MONTH}-01")
    return truth(
        "late_rows",
        "Some CRM rows of February 2026 arrive only in May, in a file of their own.",
        "freshness",
        where={"feed": "crm", "stream": "history", "file": plan.LATE_FILE},
        when={"from": first.isoformat(), "until": when.month_end(plan.LATE_MONTH).isoformat()},
        expect={
            "rows": len(late),
            "first": _iso(int(late.min())),
            "last": _iso(int(late.max())),
            "delivered": plan.LATE_EXPORTED.isoformat(),
        },
    )


def _late_feed(facts: Facts) -> Truth:
    sent, answered = facts.invitations["sent"].to_numpy(), facts.answers["at"].to_numpy()
    last = _iso(max(int(sent.max()), int(answered.max())))
    return truth(
        "late_feed",
        "The survey feed stops on 26 October 2026, days before the clock.",
        "freshness",
        where={"feed": "survey"},
        when=last,
        expect={"last_event": last, "clock": plan.CLOCK.isoformat()},
    )


def _shared_identifiers(facts: Facts) -> Truth:
    return truth(
        "shared_identifiers",
        "One company's customers share an e-mail address, and most of them a switchboard phone.",
        "attribution",
        where={"email": plan.SHARED_EMAIL, "phone": "+49" + "".join(plan.SWITCHBOARD)},
        expect={
            "customers_by_email": plan.SHARED_EMAIL_BY,
            "customers_by_phone": plan.SWITCHBOARD_BY,
            "events_without_customer": facts.owners["customer_id"].null_count(),
        },
    )
