"""Who is who: tokens of one person, and the customer they stand for."""

from dataclasses import dataclass, field

import polars as pl

from contracts.events import TOKENS


def _empty(**columns: type[pl.DataType]) -> pl.DataFrame:
    return pl.DataFrame(schema=columns)


@dataclass(frozen=True)
class Resolution:
    """Who is who.

    Attributes:
        tokens: token, customer (code from 1; 0 for a shared token), is_shared. One row per token.
        customers: customer, customer_key. One row per code ever given out.
        aliases: customer, merged_into: codes whose customer turned out to be another one.
        links: Distinct combinations of tokens ever seen in one row: the columns `TOKENS`, any order.
        limit: With how many people a token may occur and still join them; 0 when that was not noted.
    """

    tokens: pl.DataFrame = field(
        default_factory=lambda: _empty(token=pl.String, customer=pl.UInt32, is_shared=pl.Boolean)
    )
    customers: pl.DataFrame = field(
        default_factory=lambda: _empty(customer=pl.UInt32, customer_key=pl.String)
    )
    aliases: pl.DataFrame = field(default_factory=lambda: _empty(customer=pl.UInt32, merged_into=pl.UInt32))
    links: pl.DataFrame = field(default_factory=lambda: _empty(**dict.fromkeys(TOKENS, pl.String)))
    limit: int = 0
