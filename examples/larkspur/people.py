"""Customers, and the ways their e-mail addresses and phone numbers get written."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from examples.larkspur import plan, when
from examples.larkspur.chance import choose

_FIRST_HEADS = "Al Be Da El Fi Ga Han Is Jo Ka Le Mi No Ol Pa Ri Sa Te Ul Vi"
_FIRST_TAILS = "bert da ena ian ike ina kob la lin mar na nis ra ric san tia to vin"
_LAST_HEADS = (
    "Acker Bach Dorn Eich Fels Grün Hasel Kalt Linden Moor Nord Ost Raben Schön Stein Tannen "
    "Ulmen Vogel Weiden Wolken"
)
_LAST_TAILS = "au bauer berg brink dahl eck hof horst kamp mann rath reuter sen thal wald weg"
_PROVIDERS = {"mail.example": 0.5, "post.example": 0.3, "web.example": 0.2}
_MOBILE_AREAS = np.array(["160", "162", "170", "171", "172", "173", "175"])
_NUMBERS_PER_AREA = 8_999_999
_TAGS = np.array(["+shop", "+larkspur", "+orders"])
_ODD_CASE, _BLANKS, _TAGGED = 0.12, 0.06, 0.08  # shares of written e-mail addresses
_ACTIVITY_SPREAD = 0.8  # how unequally active customers are (spread of the logarithm)


@dataclass(frozen=True)
class People:
    """All customers, in order of registration; a customer is named by the row number.

    Attributes:
        table: One row a customer: customer_id, full_name, email, area and number (of the
            phone), segment, region, registered (UTC s), shares_email, shares_phone.
        registered: The column ``registered``.
        activity: Running total of how active the customers are.

    """

    table: pl.DataFrame
    registered: np.ndarray
    activity: np.ndarray

    def pick(self, rng: np.random.Generator, at: np.ndarray) -> np.ndarray:
        """Pick a customer for each instant (UTC s) among those registered by then."""
        known = np.maximum(np.searchsorted(self.registered, at, side="right"), 1)
        target = rng.random(len(at)) * self.activity[known - 1]
        return np.minimum(np.searchsorted(self.activity, target, side="right"), known - 1)


def build(rng: np.random.Generator, scale: float) -> People:
    """Invent the customers.

    Args:
        rng: Source of chance.
        scale: Multiplies their number.

    Returns:
        The customers in order of registration.

    """
    count = plan.volume("customers", scale)
    registered = _registrations(rng, count)
    table = pl.DataFrame(
        {
            "number": np.arange(1, count + 1),
            "segment": _segments(rng, count),
            "region": choose(rng, count, plan.REGIONS),
            "registered": registered,
        }
    ).select(
        pl.format("C{}", pl.col("number").cast(pl.String).str.zfill(7)).alias("customer_id"),
        "segment",
        "region",
        "registered",
    )
    table = _with_names(rng, table)
    table = _with_identifiers(rng, table)
    weight = np.exp(_ACTIVITY_SPREAD * rng.standard_normal(count))
    return People(table, registered, np.cumsum(weight))


def plain_phone() -> pl.Expr:
    """Write ``area`` and ``number`` the way the CRM stores phones: ``+491701234567``."""
    return pl.format("+49{}{}", "area", "number").alias("phone")


def noisy_phone(rng: np.random.Generator, phones: pl.DataFrame) -> pl.Series:
    """Write phones (columns area, number) in one of three everyday ways each."""
    ways = ("+49 {} {}", "0{}/{}", "0049 {} {}")
    way = pl.lit(pl.Series(rng.integers(0, len(ways), len(phones))))
    written = [pl.when(way == i).then(pl.format(form, "area", "number")) for i, form in enumerate(ways)]
    return phones.select(pl.coalesce(written).alias("phone")).to_series()


def noisy_email(rng: np.random.Generator, emails: pl.Series) -> pl.Series:
    """Write e-mail addresses as people type them: other case, blanks around, a +tag."""
    count = len(emails)
    tag = pl.lit(pl.Series(_TAGS[rng.integers(0, len(_TAGS), count)]))
    tagged, blank, cased = (pl.lit(pl.Series(rng.random(count))) for _ in range(3))
    email, upper = pl.col("email"), pl.col("email").str.to_uppercase()
    local, domain = email.str.split("@").list.get(0), email.str.split("@").list.get(1)
    frame = emails.alias("email").to_frame()
    frame = frame.with_columns(pl.when(tagged < _TAGGED).then(local + tag + "@" + domain).otherwise(email))
    frame = frame.with_columns(
        pl.when(cased < _ODD_CASE / 2)
        .then(upper)
        .when(cased < _ODD_CASE)
        .then(upper.str.slice(0, 1) + email.str.slice(1))
        .otherwise(email)
    )
    spaced = pl.when(blank < _BLANKS / 2).then(" " + email).when(blank < _BLANKS)
    return frame.select(spaced.then(" " + email + "  ").otherwise(email)).to_series()


def _registrations(rng: np.random.Generator, count: int) -> np.ndarray:
    """Return sorted instants (UTC s) at which customers registered, some before the window."""
    before = round(plan.REGISTERED_BEFORE * count)
    earlier = when.draw(rng, before, plan.FIRST_REGISTRATION, plan.WINDOW_FROM)
    return np.concatenate([earlier, when.draw(rng, count - before)])


def _segments(rng: np.random.Generator, count: int) -> np.ndarray:
    """Return a segment for each customer; the shares are met exactly."""
    business = max(plan.SHARED_EMAIL_BY, round(plan.SEGMENTS["business"] * count))
    plus = round(plan.SEGMENTS["plus"] * count)
    names = np.repeat(["business", "plus", "consumer"], [business, plus, count - business - plus])
    return rng.permutation(names)


def _syllables(rng: np.random.Generator, count: int, *parts: str) -> pl.Series:
    """Join one random syllable of each part (blanks between them), ``count`` times."""
    choices = [np.array(part.split()) for part in parts]
    picks = [pl.Series(each[rng.integers(0, len(each), count)]) for each in choices]
    return pl.select(pl.concat_str([pl.lit(pick) for pick in picks])).to_series()


def _with_names(rng: np.random.Generator, table: pl.DataFrame) -> pl.DataFrame:
    """Add full_name and an e-mail address that no other customer has."""
    count = len(table)
    named = table.with_columns(
        _syllables(rng, count, _FIRST_HEADS, _FIRST_TAILS).alias("first"),
        _syllables(rng, count, _LAST_HEADS, _LAST_TAILS).alias("last"),
        pl.Series("provider", choose(rng, count, _PROVIDERS)),
    )
    namesakes = pl.int_range(pl.len()).over("first", "last")
    suffix = pl.when(namesakes > 0).then((namesakes + 1).cast(pl.String)).otherwise(pl.lit(""))
    plain = pl.concat_str("first", pl.lit("."), "last").str.to_lowercase().str.normalize("NFKD")
    local = plain.str.replace_all("[^a-z.]", "")  # ö becomes o: what it is made of, less the dots
    return named.with_columns(
        pl.concat_str("first", pl.lit(" "), "last").alias("full_name"),
        pl.concat_str(local, suffix, pl.lit("@"), "provider").alias("email"),
    ).drop("first", "last", "provider")


def _with_identifiers(rng: np.random.Generator, table: pl.DataFrame) -> pl.DataFrame:
    """Take some identifiers away, add phones, and let one company's people share theirs."""
    count = len(table)
    business = np.flatnonzero(table["segment"].to_numpy() == "business")
    company = rng.permutation(business)[: plan.SHARED_EMAIL_BY]
    shares_email = np.isin(np.arange(count), company)
    shares_phone = np.isin(np.arange(count), company[: plan.SWITCHBOARD_BY])
    without_email = ~shares_email & (rng.random(count) >= plan.WITH_EMAIL)
    with_phone = without_email | (rng.random(count) < plan.WITH_PHONE)
    # Without replacement, so that no two customers share a mobile number by accident.
    mobile = rng.choice(len(_MOBILE_AREAS) * _NUMBERS_PER_AREA, count, replace=False)
    area, number = np.divmod(mobile, _NUMBERS_PER_AREA)
    table = table.with_columns(
        pl.Series("shares_email", shares_email),
        pl.Series("shares_phone", shares_phone),
        pl.Series("area", _MOBILE_AREAS[area]),
        pl.Series("number", number + 1_000_000).cast(pl.String),
    )
    with_phone = pl.lit(pl.Series(with_phone))
    own_email = pl.when(~pl.lit(pl.Series(without_email))).then("email")
    return table.with_columns(
        pl.when("shares_email").then(pl.lit(plan.SHARED_EMAIL)).otherwise(own_email).alias("email"),
        *(
            pl.when("shares_phone").then(pl.lit(shared)).when(with_phone).then(name).alias(name)
            for name, shared in zip(("area", "number"), plan.SWITCHBOARD, strict=True)
        ),
    )
