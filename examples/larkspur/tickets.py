"""Help-desk tickets and their histories.

A ticket is named by its row number, in order of creation.  Histories grow step by step: a
step reads each ticket's present group, assignee or status and moves it on, so that every
entry's ``from`` is what the entry before it left.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl

from examples.larkspur import plan, when
from examples.larkspur.chance import choose, lags
from examples.larkspur.people import People, noisy_email, noisy_phone

_ADVISORS = 24
_BOTH_IDENTIFIERS = 0.22  # share of tickets that carry e-mail and phone where both exist
_OPENED, _EARLY_HANDOVER, _REASSIGNED, _PENDING = 0.30, 0.4, 0.5, 0.12
_SHARES = {name: category.share for name, category in plan.CATEGORIES.items()}


@dataclass(frozen=True)
class Desk:
    """What the help desk holds.

    Attributes:
        tickets: One row a ticket: ticket_id, created (UTC s), customer, channel, category,
            priority, email and phone (as written, or null), known (whether those two fit one
            customer alone), solved (first time, UTC s, or null).
        entries: One row a history entry: ticket (row number), seq, at (UTC s), field, from
            (or null), to, by; inside the window only.

    """

    tickets: pl.DataFrame
    entries: pl.DataFrame


class _Histories:
    """The growing histories of all tickets and where each ticket stands now."""

    def __init__(self, created: np.ndarray) -> None:
        self.now = created.copy()
        self._state = {"status": np.full(len(created), "new", dtype="<U16")}
        self._frames: list[pl.DataFrame] = []

    def state(self, field: str) -> np.ndarray:
        """Return the present value of a field for every ticket; empty before the first."""
        return self._state.setdefault(field, np.full(len(self.now), "", dtype="<U16"))

    def step(self, who: np.ndarray, wait: np.ndarray | int, field: str, to: np.ndarray | str) -> None:
        """Move a field of some tickets on.

        Args:
            who: Row numbers of the tickets.
            wait: How long after each ticket's latest entry (s), one a ticket in ``who``.
            field: The field.
            to: Its new value.

        """
        state = self.state(field)
        self.now[who] += wait
        rows = pl.DataFrame(
            {"ticket": who, "at": self.now[who], "from": state[who], "by": self._by(who, field)}
        )
        state[who] = to
        rows = rows.with_columns(pl.lit(field).alias("field"), pl.Series("to", state[who]))
        self._frames.append(rows)

    def entries(self) -> pl.DataFrame:
        """Return all entries so far, numbered from 1 within each ticket."""
        # The sort is stable, so that a ticket's entries stay in the order of the steps.
        whole = pl.concat(self._frames).sort("ticket", maintain_order=True)
        return whole.filter(when.in_window()).with_columns(
            pl.when(pl.col("from") != "").then("from").alias("from"),
            (pl.int_range(pl.len()).over("ticket") + 1).alias("seq"),
        )

    def _by(self, who: np.ndarray, field: str) -> np.ndarray:
        """Return who makes an entry: the customer, the router or the ticket's advisor."""
        if field == "created":
            return np.full(len(who), "customer")
        advisor = self.state("assignee")[who]
        return np.where(advisor == "", "router", advisor)


def build(rng: np.random.Generator, people: People, scale: float) -> Desk:
    """Invent the tickets and what happened to them.

    Args:
        rng: Source of chance.
        people: The customers.
        scale: Multiplies the number of good tickets; those that will be cut come on top.

    Returns:
        Tickets and entries.

    """
    count = plan.volume("tickets", scale) + plan.CUT_TICKETS
    created = when.draw(rng, count)
    tickets = pl.DataFrame(
        {
            "created": created,
            "customer": people.pick(rng, created),
            "category": choose(rng, count, _SHARES),
            "priority": choose(rng, count, plan.PRIORITIES),
            "wanted": choose(rng, count, plan.TICKET_CHANNELS),
        }
    )
    tickets = _with_requesters(rng, people, tickets)
    tickets = tickets.with_columns(pl.Series("ticket_id", _ticket_ids(count)))
    entries = _live(rng, tickets)
    solved = entries.filter(pl.col("field") == "status", pl.col("to") == "solved")
    solved = solved.group_by("ticket").agg(pl.col("at").min().alias("solved"))
    tickets = tickets.with_row_index("ticket").with_columns(pl.col("ticket").cast(pl.Int64))
    tickets = tickets.join(solved, on="ticket", how="left", maintain_order="left")
    return Desk(tickets.drop("ticket"), entries)


def _ticket_ids(count: int) -> pl.Series:
    return "T" + pl.Series(np.arange(1, count + 1)).cast(pl.String).str.zfill(6)


def _with_requesters(rng: np.random.Generator, people: People, tickets: pl.DataFrame) -> pl.DataFrame:
    """Settle on a channel each customer can use, and write down who asks."""
    count = len(tickets)
    who = people.table[tickets["customer"]]
    has_email, has_phone = who["email"].is_not_null(), who["area"].is_not_null()
    both = pl.lit(pl.Series(rng.random(count) < _BOTH_IDENTIFIERS))
    wanted = pl.col("wanted")
    channel = (
        pl.when(~pl.lit(has_email))
        .then(pl.lit("phone"))
        .when((wanted == "phone") & ~pl.lit(has_phone))
        .then(pl.lit("email"))
        .otherwise(wanted)
    )
    by_phone = pl.col("channel") == "phone"
    email_kept, phone_kept = ~by_phone | both, by_phone | both
    written = tickets.with_columns(channel.alias("channel")).with_columns(
        pl.when(email_kept).then(pl.lit(noisy_email(rng, who["email"]))).alias("email"),
        pl.when(phone_kept).then(pl.lit(noisy_phone(rng, who))).alias("phone"),
    )
    email_tells = pl.col("email").is_not_null() & ~pl.lit(who["shares_email"])
    phone_tells = pl.col("phone").is_not_null() & ~pl.lit(who["shares_phone"])
    return written.with_columns((email_tells | phone_tells).alias("known")).drop("wanted")


def _live(rng: np.random.Generator, tickets: pl.DataFrame) -> pl.DataFrame:
    """Let every ticket run its course."""
    histories = _Histories(tickets["created"].to_numpy())
    everyone = np.arange(len(tickets))
    histories.step(everyone, 0, "created", "new")
    histories.step(everyone, rng.integers(2, 60, len(everyone)), "group", plan.FRONT_DESK)
    _assign(rng, histories, everyone, 2 * plan.MINUTE)
    opened = everyone[rng.random(len(everyone)) < _OPENED]
    histories.step(opened, lags(rng, len(opened), plan.MINUTE, 0.5), "status", "open")
    handed = _handed_over(rng, tickets)
    early = rng.random(len(handed)) < _EARLY_HANDOVER
    _hand_over(rng, histories, tickets, handed[early])
    _reply(rng, histories, tickets)
    _hand_over(rng, histories, tickets, handed[~early])
    _ping_pong(rng, histories, tickets)
    _settle(rng, histories, everyone)
    return histories.entries()


def _assign(rng: np.random.Generator, histories: _Histories, who: np.ndarray, median: float) -> None:
    """Give tickets to an advisor, never to the one who has them already."""
    names = np.array([f"advisor_{n:02d}" for n in range(1, _ADVISORS + 1)])
    before = np.searchsorted(names, histories.state("assignee")[who])
    chosen = names[(before + rng.integers(1, _ADVISORS, len(who))) % _ADVISORS]
    histories.step(who, lags(rng, len(who), median, 0.8), "assignee", chosen)


def _handed_over(rng: np.random.Generator, tickets: pl.DataFrame) -> np.ndarray:
    """Return the tickets that leave the front desk."""
    share = {name: category.handed_over for name, category in plan.CATEGORIES.items()}
    chance = tickets["category"].replace_strict(share).to_numpy()
    return np.flatnonzero(rng.random(len(tickets)) < chance)


def _hand_over(
    rng: np.random.Generator, histories: _Histories, tickets: pl.DataFrame, who: np.ndarray
) -> None:
    """Hand tickets to the group of their category; some get a new advisor there."""
    target = {name: category.to for name, category in plan.CATEGORIES.items()}
    group = tickets["category"].replace_strict(target).to_numpy()
    histories.step(who, lags(rng, len(who), 50 * plan.MINUTE, 0.8), "group", group[who])
    again = who[rng.random(len(who)) < _REASSIGNED]
    _assign(rng, histories, again, 20 * plan.MINUTE)


def _reply(rng: np.random.Generator, histories: _Histories, tickets: pl.DataFrame) -> None:
    """Write the first reply to every ticket."""
    median = tickets["channel"].replace_strict(plan.FIRST_REPLY).to_numpy()
    wait = lags(rng, len(tickets), median, 0.9)
    histories.step(np.arange(len(tickets)), wait, "reply", "first_response")


def _ping_pong(rng: np.random.Generator, histories: _Histories, tickets: pl.DataFrame) -> None:
    """Send missing parcels back and forth between the two groups concerned."""
    fewest, most = plan.BOUNCES
    bounces = rng.integers(fewest, most + 1, len(tickets))
    bounces[tickets["category"].to_numpy() != plan.PING_PONG_CATEGORY] = 0
    for moved in range(most):
        who = np.flatnonzero(bounces > moved)
        here = histories.state("group")[who]
        there = np.where(here == plan.FULFILMENT, plan.CARRIER_DESK, plan.FULFILMENT)
        histories.step(who, lags(rng, len(who), 7 * plan.HOUR, 0.7), "group", there)


def _settle(rng: np.random.Generator, histories: _Histories, everyone: np.ndarray) -> None:
    """Solve every ticket, reopen a few, and close them all in the end."""
    waiting = everyone[rng.random(len(everyone)) < _PENDING]
    histories.step(waiting, lags(rng, len(waiting), plan.HOUR, 0.8), "status", "pending")
    solved = lags(rng, len(everyone), 14 * plan.HOUR, 1.0)
    histories.step(everyone, solved, "status", "solved")
    back = everyone[rng.random(len(everyone)) < plan.REOPENED]
    histories.step(back, lags(rng, len(back), 30 * plan.HOUR, 0.5), "status", "reopened")
    histories.step(back, lags(rng, len(back), 9 * plan.HOUR, 0.8), "status", "solved")
    closed = 4 * plan.DAY + lags(rng, len(everyone), 2 * plan.DAY, 0.3)
    histories.step(everyone, closed, "status", "closed")
