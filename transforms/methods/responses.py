"""Response rates: what share of those asked answered, by the definitions of the AAPOR."""

import polars as pl

DISPOSITIONS = (
    "complete",
    "partial",
    "refusal",
    "non_contact",
    "other",
    "unknown_household",
    "unknown_other",
    "not_eligible",
)
"""I, P, R, NC, O, UH, UO and NE of the AAPOR's Standard Definitions."""

RATES = (
    "rr1", "rr2", "rr3", "rr4", "rr5", "rr6",
    "coop1", "coop2", "coop3", "coop4",
    "con1", "con2", "con3",
    "ref1", "ref2", "ref3",
)  # fmt: skip


def response_rates(counts: pl.LazyFrame, eligible_share: float | None = None) -> pl.LazyFrame:
    """Response, cooperation, contact and refusal rates.

    With I complete, P partial, R refusal, NC non-contact, O other, U unknown and e the share of the
    unknown that is eligible: RR1 = I / (I + P + R + NC + O + U), RR3 the same with e U, RR5 without U; even
    numbers count partials above the line. COOP1 = I / (I + P + R + O), COOP3 without O. CON1 = (I + P + R + O)
    over all, REF1 = R over all; 2 with e U, 3 without U. Unit: share.
    Source: AAPOR Standard Definitions, 10th edition.
    Convention: bounces are not eligible and leave every base; partials count in even response rates only.
    "Answers over sent" is RR1 when nothing bounced.
    Reproduces: response_01_aapor.

    Args:
        counts: Columns `DISPOSITIONS`, one row a survey.
        eligible_share: e; known eligible over known when absent (the CASRO assumption).

    Returns:
        The rows with `eligible_share` and `RATES`; null where a base is empty.
    """
    whole, partial, refusal = pl.col("complete"), pl.col("partial"), pl.col("refusal")
    silent, other = pl.col("non_contact"), pl.col("other")
    unknown = pl.col("unknown_household") + pl.col("unknown_other")
    answered = whole + partial
    known = answered + refusal + silent + other
    share = known / (known + pl.col("not_eligible")) if eligible_share is None else pl.lit(eligible_share)
    bases = (known + unknown, known + pl.col("eligible_share") * unknown, known)
    reached = answered + refusal + other
    above = {"rr": (whole, answered), "con": (reached,), "ref": (refusal,)}
    rates = {
        f"{name}{len(numerators) * step + offset + 1}": count / base
        for name, numerators in above.items()
        for step, base in enumerate(bases)
        for offset, count in enumerate(numerators)
    }
    for step, base in enumerate((reached, answered + refusal)):
        rates |= {f"coop{2 * step + 1}": whole / base, f"coop{2 * step + 2}": answered / base}
    return counts.with_columns(eligible_share=share.cast(pl.Float64).fill_nan(None)).with_columns(
        rates[name].cast(pl.Float64).fill_nan(None).alias(name) for name in RATES
    )
