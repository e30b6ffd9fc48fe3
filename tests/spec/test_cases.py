"""# Cases

Events about one subject become one case; its way through groups becomes handoffs and returns.
"""

import pytest

from contracts.tables import ScorecardCompany
from tests.conftest import drawn
from tests.spec.pipeline import a_map, score

HEAD = "occurred_at | subject_type | subject_id | kind | actor_team"


def lived(*entries: str, ticket: str = "t") -> dict:
    """The case that a ticket's entries make: `time kind [group]` each, on one day."""
    rows = [_row(entry, ticket) for entry in entries]
    scored = score("\n".join([HEAD, *rows]), a_map())
    return scored.cases.row(0, named=True)


def _row(entry: str, ticket: str) -> str:
    at, kind, *group = entry.split(" ")
    return f"2026-03-02 {at} | ticket | {ticket} | ticket.{kind} | {''.join(group)}"


def test_a_case_runs_from_opening_to_its_last_resolution():
    case = lived(
        "08:00 opened", "08:30 replied", "09:00 resolved", "10:00 reopened", "12:00 resolved", "13:00 closed"
    )
    assert (case["first_response_hours"], case["resolution_hours"], case["closing_hours"]) == (0.5, 4, 5)
    assert (case["reopened_count"], case["event_count"]) == (1, 6)


@pytest.mark.parametrize(
    ("entries", "hours"),
    [
        pytest.param("09:00 resolved, 10:00 closed, 11:00 reopened", (None, None), id="open again"),
        pytest.param("09:00 resolved, 09:00 reopened", (None, None), id="at the same instant, told later"),
        pytest.param("09:00 reopened, 09:00 resolved", (1, None), id="at the same instant, told before"),
        pytest.param("09:00 resolved, 11:00 reopened, 12:00 closed", (1, 4), id="closed without another resolution"),
        pytest.param("11:00 reopened", (None, None), id="never ended"),
    ],
)  # fmt: skip
def test_a_case_that_was_reopened_and_has_not_ended_since_is_open(entries: str, hours: tuple):
    case = lived("08:00 opened", *entries.split(", "))
    assert (case["resolution_hours"], case["closing_hours"], case["reopened_count"]) == (*hours, 1)


def test_an_open_case_has_no_durations():
    case = lived("08:00 opened")
    assert (case["first_response_at"], case["resolution_hours"]) == (None, None)


def test_a_subject_whose_opening_was_not_recorded_is_no_case():
    scored = score(f"{HEAD}\n2026-03-02 08:00 | ticket | t | ticket.replied |", a_map())
    assert scored.cases.is_empty()


@pytest.mark.parametrize(
    ("groups", "handoffs", "ping_pong", "direct"),
    [
        pytest.param("A", 0, False, False, id="one group"),
        pytest.param("A A", 0, False, False, id="the same group twice is no handoff"),
        pytest.param("A B", 1, False, False, id="one handoff"),
        pytest.param("A B A", 2, True, True, id="back after exactly one other"),
        pytest.param("A B C A", 3, True, False, id="back after two others"),
        pytest.param("A - B - A", 2, True, True, id="entries without a group are skipped"),
        pytest.param("A B A B A", 4, True, True, id="ping pong"),
    ],
)
def test_handoffs_are_changes_of_group(groups: str, handoffs: int, ping_pong: bool, direct: bool):
    entries = ["08:00 opened"]
    for minute, group in enumerate(groups.split(" "), start=1):
        entries.append(f"08:{minute:02d} assigned {'' if group == '-' else group}".strip())
    case = lived(*entries)
    assert (case["handoff_count"], case["is_ping_pong"], case["is_direct_ping_pong"]) == (
        handoffs,
        ping_pong,
        direct,
    )


def test_a_return_is_a_handoff_to_a_group_that_held_it_before():
    rows = [_row(entry, "t") for entry in ("08:00 opened A", "09:00 assigned B", "11:00 assigned A")]
    moved = score("\n".join([HEAD, *rows]), a_map()).handoffs.sort("occurred_at")
    assert moved["is_return"].to_list() == [False, True]
    assert [micro / 3_600_000_000 for micro in moved["held_microseconds"]] == [1, 2]


def test_handoffs_do_not_cross_cases():
    rows = [_row("08:00 opened A", "one"), _row("09:00 opened B", "two")]
    assert score("\n".join([HEAD, *rows]), a_map()).handoffs.is_empty()


def test_an_attribute_is_reduced_as_the_map_says():
    """Last keeps the last one known: an event that says nothing does not erase it."""
    events = drawn("""
        occurred_at      | subject_type | subject_id | kind           | attribute_priority
        -----------------+--------------+------------+----------------+-------------------
        2026-03-02 08:00 | ticket       | t          | ticket.opened  | low
        2026-03-02 09:00 | ticket       | t          | ticket.updated | high
        2026-03-02 10:00 | ticket       | t          | ticket.closed  |
    """)
    atlas = a_map(
        "{id: n, name: N, estimator: count, of: cases, by: [priority]}", attributes="{priority: last}"
    )
    scored = score(events, atlas)
    assert scored.cases["attribute_priority"].to_list() == [1], "codes: high 1, low 2"


@pytest.mark.parametrize(
    ("amounts", "total"),
    [
        pytest.param(["0.1", "0.2", "-"], 0.3, id="in whole thousandths, so the order does not matter"),
        pytest.param(["0.2", "0.1", "-"], 0.3, id="the other way round"),
        pytest.param(["5", "-2", "0"], 3.0, id="what was taken back is taken off"),
        pytest.param(["-", "-"], None, id="nothing known is not nothing"),
    ],
)
def test_a_number_of_its_events_is_added_up(amounts: list[str], total: float | None):
    kinds = ["opened", *["updated"] * (len(amounts) - 1)]
    rows = [
        f"2026-03-02 0{hour}:00 | ticket | t | ticket.{kind} | {'' if amount == '-' else amount}"
        for hour, (kind, amount) in enumerate(zip(kinds, amounts, strict=True))
    ]
    text = "\n".join(["occurred_at | subject_type | subject_id | kind | amount", *rows])
    scored = score(text, a_map(attributes="{amount: sum}"))
    assert scored.cases["amount"].to_list() == [total]


def test_events_at_one_instant_follow_their_sequence():
    events = drawn("""
        occurred_at      | subject_type | subject_id | kind            | sequence | actor_team
        -----------------+--------------+------------+-----------------+----------+-----------
        2026-03-02 08:00 | ticket       | t          | ticket.assigned | 3        | C
        2026-03-02 08:00 | ticket       | t          | ticket.assigned | 2        | B
        2026-03-02 08:00 | ticket       | t          | ticket.opened   | 1        | A
    """)
    moved = score(events, a_map()).handoffs
    assert moved.select("from_group", "to_group").rows() == [(1, 2), (2, 3)], "codes: A 1, B 2, C 3"


def test_a_case_counts_in_the_period_of_its_milestone():
    """Opened in one week and closed in the next: the metric says which of the two counts."""
    rows = [
        f"2026-03-{day} 08:00 | ticket | t | ticket.{kind} |"
        for day, kind in (("05", "opened"), ("10", "closed"))
    ]
    for milestone, week in (("opened", "2026-03-02"), ("closed", "2026-03-09")):
        metric = f"{{id: n, name: N, estimator: count, of: cases, at: {milestone}}}"
        card = score("\n".join([HEAD, *rows]), a_map(metric)).card(
            ScorecardCompany, period="week", metric="n"
        )
        assert [str(start) for start in card["period_start"]] == [week]
