"""Who hands work to whom, from the order of events in every case."""

from collections.abc import Sequence

import polars as pl


def handovers(
    events: pl.LazyFrame, case: str, owner: str, order: Sequence[str], *, with_self: bool = False
) -> pl.LazyFrame:
    """How often one owner is followed by another in the same case, and as a share of all such successions.

    Source: van der Aalst, Reijers and Song 2005, CSCW 14:549-593.
    Convention: a handover is a change of owner, events without an owner are skipped. `with_self` counts
    A after A as well and takes shares of all successions, as process mining tools do.
    Reproduces: handover_01_running_example.

    Args:
        events: Case, owner and the columns of `order`.
        case: Column of the case.
        owner: Column of who had it.
        order: Columns that put a case's events in order; ties keep the frame's order.
        with_self: Whether A followed by A is a succession.

    Returns:
        owner_from, owner_to, count, share; largest first, then by name.
    """
    told = events.filter(pl.col(owner).is_not_null()).sort(case, *order, maintain_order=True)
    pairs = told.select(
        owner_from=pl.when(pl.col(case) == pl.col(case).shift()).then(pl.col(owner).shift()),
        owner_to=pl.col(owner),
    ).filter(pl.col("owner_from").is_not_null())
    kept = pairs if with_self else pairs.filter(pl.col("owner_from") != pl.col("owner_to"))
    return (
        kept.group_by("owner_from", "owner_to")
        .agg(count=pl.len().cast(pl.Int64))
        .with_columns(share=pl.col("count") / pl.col("count").sum())
        .sort(["count", "owner_from", "owner_to"], descending=[True, False, False])
    )


def returns(events: pl.LazyFrame, case: str, owner: str, order: Sequence[str]) -> pl.LazyFrame:
    """Of every case the changes of hands, and whether work came back to somebody who had it before.

    Source: ping-pong as in BPI Challenge 2013.

    Returns:
        case, handover_count, owner_count, is_ping_pong (an owner had it, gave it away and got it back),
        is_back_and_forth (A, B, A in direct order).
    """
    told = events.filter(pl.col(owner).is_not_null()).sort(case, *order, maintain_order=True)
    changed = (pl.col(case) != pl.col(case).shift()) | (pl.col(owner) != pl.col(owner).shift())
    turns = told.filter(changed.fill_null(value=True))
    back = (pl.col(case) == pl.col(case).shift(2)) & (pl.col(owner) == pl.col(owner).shift(2))
    return (
        turns.with_columns(__back=back.fill_null(value=False))
        .group_by(case, maintain_order=True)
        .agg(
            handover_count=pl.len().cast(pl.Int64) - 1,
            owner_count=pl.col(owner).n_unique().cast(pl.Int64),
            is_back_and_forth=pl.col("__back").any(),
        )
        .with_columns(is_ping_pong=pl.col("handover_count") + 1 > pl.col("owner_count"))
    )
