"""What moves the overall rating of 2017: six drivers, by LMG and by Johnson's relative weights. Unweighted."""

from collections.abc import Callable, Mapping

import polars as pl

from transforms.methods.drivers import Method, weigh_drivers

DRIVERS = ("restaurants", "shops", "signs", "clean_overall", "ease_wayfinding", "ease_security")
METHODS: Mapping[str, Method] = {"lmg": "lmg", "relative_weight": "johnson"}


def table(ask: Callable[[str], pl.DataFrame]) -> pl.DataFrame:
    """One row a driver. Whoever left out one of the seven ratings is left out.

    Args:
        ask: Answers a query over the published tables.
    """
    names = ("overall", *DRIVERS)
    # 0 is blank and 6 never used: neither is a rating.
    rated = ", ".join(
        f"CASE WHEN attribute_rated_{name} BETWEEN 1 AND 5 THEN attribute_rated_{name} END AS {name}"
        for name in names
    )
    answers = ask(f"SELECT {rated} FROM fact_case WHERE year(opened_at) = 2017 ORDER BY case_id")  # noqa: S608 - our own names
    found = pl.DataFrame({"driver": DRIVERS})
    for name, method in METHODS.items():
        weighed = weigh_drivers(answers, "overall", DRIVERS, method=method)
        told = weighed.weights.select(
            "driver", pl.col("weight").alias(name), pl.col("percent").alias(f"{name}_pct")
        )
        found = found.join(told, on="driver", maintain_order="left").with_columns(
            n=pl.lit(weighed.n), R2=weighed.r_squared
        )
    return found
