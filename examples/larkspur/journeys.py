"""The CRM history of all customers: what they did, stage by stage.

Every frame here has one row a CRM event: at (UTC s), customer (row number in People),
stage, channel, order (running number or null), cents (or null), elapsed (minutes or null).
"""

from functools import partial

import numpy as np
import polars as pl

from examples.larkspur import plan, when
from examples.larkspur.chance import choose, lags
from examples.larkspur.people import People

_SUBSCRIPTIONS_FROM = plan.berlin("2024-05-01")
_RENEWAL_EVERY = 182 * plan.DAY
_RENEWALS = 4  # more than fit between the first subscription and the end of the window
_SUBSCRIPTION_LASTS = 700 * plan.DAY  # mean
_SUBSCRIPTION_CENTS = np.array([2_990, 4_990, 7_990])
_GIFT_CENTS = np.array([1_000, 2_500, 5_000, 10_000])


def build(rng: np.random.Generator, people: People, scale: float) -> pl.DataFrame:
    """Invent the whole CRM history inside the window.

    Args:
        rng: Source of chance.
        people: The customers.
        scale: Multiplies the volumes.

    Returns:
        One row a CRM event, in order of time.

    """
    many = partial(plan.volume, scale=scale)
    orders = _orders(rng, people, many("orders"))
    frames = [
        _registrations(rng, people),
        orders,
        _returns(rng, orders, many("returns")),
        _subscriptions(rng, people, many("subscriptions")),
        _single(rng, people, "browsed", many("browsed")),
        _single(rng, people, "referral_made", many("referrals")),
        _gift_cards(rng, people, many("gift_cards")),
    ]
    active = pl.concat(frames, how="diagonal").filter(when.in_window())
    closures = _closures(rng, people, active, many("closures"))
    whole = pl.concat([active, closures], how="diagonal")
    return whole.sort("at", "customer", maintain_order=True)


def _rows(stage: str, **columns: np.ndarray) -> pl.DataFrame:
    """Return one row an event of ``stage`` with whatever columns are known."""
    return pl.DataFrame(columns).with_columns(pl.lit(stage).alias("stage"))


def _single(rng: np.random.Generator, people: People, stage: str, count: int) -> pl.DataFrame:
    """Return events that happen by themselves."""
    at = when.draw(rng, count)
    channel = choose(rng, count, plan.CHANNELS[stage])
    return _rows(stage, at=at, customer=people.pick(rng, at), channel=channel)


def _registrations(rng: np.random.Generator, people: People) -> pl.DataFrame:
    """Return the registrations inside the window."""
    inside = np.flatnonzero(people.registered >= when.WINDOW[0])
    channel = choose(rng, len(inside), plan.CHANNELS["registered"])
    return _rows("registered", at=people.registered[inside], customer=inside, channel=channel)


def _orders(rng: np.random.Generator, people: People, count: int) -> pl.DataFrame:
    """Return the stages of all orders; those under way at the window's end are cut off."""
    placed = when.draw(rng, count)
    shared = {
        "customer": people.pick(rng, placed),
        "channel": choose(rng, count, plan.CHANNELS["order"]),
        "order": np.arange(1, count + 1),
    }
    cents = lags(rng, count, 5_400, 0.7) + 490
    at, frames = placed, []
    for stage, median, spread in plan.ORDER_STEPS:
        # Each stage waits for the one before as moved, so that no clock change swaps them.
        at = when.clear_of_clock_changes(at + lags(rng, count, median, spread))
        rows = _rows(stage, at=at, **shared)
        if stage in {"order_placed", "payment_settled"}:
            rows = rows.with_columns(pl.Series("cents", cents))
        if stage == "order_dispatched":
            rows = rows.with_columns(pl.Series("elapsed", (at - placed) // plan.MINUTE))
        frames.append(rows)
    return pl.concat(frames, how="diagonal").filter(when.in_window())


def _returns(rng: np.random.Generator, orders: pl.DataFrame, count: int) -> pl.DataFrame:
    """Return what came back of the delivered orders, and the refunds."""
    delivered = orders.filter(pl.col("stage") == "order_delivered")
    picked = rng.choice(len(delivered), min(count, len(delivered)), replace=False)
    shared = {name: delivered[name].to_numpy()[picked] for name in ("customer", "order")}
    at, frames = delivered["at"].to_numpy()[picked], []
    for stage, median in (("return_received", 8 * plan.DAY), ("refund_paid", 3 * plan.DAY)):
        at = when.clear_of_clock_changes(at + lags(rng, len(picked), median, 0.5))
        channel = choose(rng, len(picked), plan.CHANNELS[stage])
        frames.append(_rows(stage, at=at, channel=channel, **shared))
    refund = pl.Series("cents", lags(rng, len(picked), 4_200, 0.6) + 290)
    frames[-1] = frames[-1].with_columns(refund)
    return pl.concat(frames, how="diagonal")


def _subscriptions(rng: np.random.Generator, people: People, count: int) -> pl.DataFrame:
    """Return starts, half-yearly renewals and cancellations, one subscription a customer."""
    drawn = when.draw(rng, count, first=_SUBSCRIPTIONS_FROM)
    customer, first = np.unique(people.pick(rng, drawn), return_index=True)
    started = drawn[first]
    ended = started + rng.exponential(_SUBSCRIPTION_LASTS, len(started)).astype(np.int64)
    cents = _SUBSCRIPTION_CENTS[rng.integers(0, len(_SUBSCRIPTION_CENTS), len(started))]
    steps = [("subscription_started", started), ("subscription_cancelled", ended)]
    steps += [("subscription_renewed", started + n * _RENEWAL_EVERY) for n in range(1, _RENEWALS + 1)]
    frames = []
    for stage, at in steps:
        lives = np.flatnonzero(at <= ended)
        channel = choose(rng, len(lives), plan.CHANNELS["subscription"])
        moved = when.clear_of_clock_changes(at[lives])
        rows = _rows(stage, at=moved, customer=customer[lives], channel=channel, cents=cents[lives])
        frames.append(rows)
    return pl.concat(frames)


def _gift_cards(rng: np.random.Generator, people: People, count: int) -> pl.DataFrame:
    """Return gift cards sold, a stage that belongs to no touchpoint."""
    cents = _GIFT_CENTS[rng.integers(0, len(_GIFT_CENTS), count)]
    return _single(rng, people, "gift_card_sold", count).with_columns(pl.Series("cents", cents))


def _closures(rng: np.random.Generator, people: People, active: pl.DataFrame, count: int) -> pl.DataFrame:
    """Close some accounts, each after the customer's last event."""
    last = np.maximum(people.registered, when.WINDOW[0])
    seen = active.group_by("customer").agg(pl.col("at").max())
    last[seen["customer"].to_numpy()] = seen["at"].to_numpy()
    customer = rng.permutation(len(last))
    customer = customer[last[customer] < when.WINDOW[1] - 2 * plan.DAY][:count]
    left = when.WINDOW[1] - last[customer] - plan.DAY
    at = last[customer] + plan.DAY + (rng.random(len(customer)) * left).astype(np.int64)
    channel = choose(rng, len(customer), plan.CHANNELS["account_closed"])
    closures = _rows("account_closed", at=when.clear_of_clock_changes(at), customer=customer, channel=channel)
    return closures.filter(when.in_window())


def written(history: pl.DataFrame, people: People) -> pl.DataFrame:
    """Write the history the way the CRM exports it.

    Args:
        history: One row a CRM event, as ``build`` returns it.
        people: The customers.

    Returns:
        The same rows with at, customer, stage and channel as they were, and as text:
        customer_id, segment, changed_at (Berlin time), order_id, amount_eur, elapsed_minutes.

    """
    cents = pl.col("cents")
    part = (cents % 100).cast(pl.String).str.zfill(2)
    return history.select(
        "at",
        "customer",
        "stage",
        "channel",
        people.table["customer_id"].gather(history["customer"]),
        people.table["segment"].gather(history["customer"]),
        when.wall_text().alias("changed_at"),
        pl.format("O{}", pl.col("order").cast(pl.String).str.zfill(7)).alias("order_id"),
        pl.format("{}.{}", cents // 100, part).alias("amount_eur"),
        pl.col("elapsed").cast(pl.String).alias("elapsed_minutes"),
    ).with_columns(pl.col("order_id", "amount_eur", "elapsed_minutes").fill_null(""))
