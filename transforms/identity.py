"""Customers: what tells a person becomes a token, tokens of one person become one customer.

Only equality counts, never likeness: a wrong merge puts a complaint on the wrong customer. E-mail,
phone and external ids are normalised, then hashed with a secret key before anything lands. A token
that links too many people (info@, a switchboard) is shared: it joins nobody.
"""

import hashlib
import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from contracts.events import TOKENS
from contracts.identity import Resolution

_TAG = re.compile(r"\+[^@]*(?=@)")
_BLANK = re.compile(r"\s+")
_PLAIN = r"[^\s@,;:|<>()\[\]{}\"\\]"
_EMAIL = re.compile(rf"(?<!{_PLAIN}){_PLAIN}+(?:@|%40|\\u0040){_PLAIN}+")
"""Anything around an at sign, as it is or escaped: better too much than half a name."""
_DIGITS = re.compile(
    r"(?P<moment>(?<!\d)(?:\d{4}-\d\d?-\d\d?|\d\d?[./]\d\d?[./]\d{4})(?!\d)(?:[T ]\d\d?:\d\d(?::\d\d)?(?:\.\d+)?)?)"
    r"|(?<!\w)[+(]{0,3}\d(?:[ ()/.-]{0,3}\d){6,14}(?!\w)"
)
"""Dates and times, which stay, or else digits that can be a phone number."""
_PREFIX = {"external_id": "id_", "email": "mail_", "phone": "tel_"}  # sorts the strongest first
TOKEN_LENGTH = 32
_PHONE_DIGITS_MIN = 7


@dataclass(frozen=True)
class Hasher:
    """Makes tokens with one secret key.

    Attributes:
        secret: The key; whoever has it can tell whether a known person is in the data.
        region: Region of phone numbers without a country code, like `DE`; None when unknown.
    """

    secret: bytes = field(repr=False)
    region: str | None = None

    def tokens(self, values: pl.Series, identity: str, feed: str) -> pl.Series:
        """The tokens of one column; null where a value tells nobody.

        Args:
            values: Texts as delivered.
            identity: email, phone, or external_id[:feed].
            feed: Feed that delivered them: whose external ids they are unless `identity` says so.
        """
        kind, _, namespace = identity.partition(":")
        normal = self._normaliser(kind, namespace or feed)
        distinct = values.unique().drop_nulls()
        made = pl.Series([self._token(kind, normal(value)) for value in distinct], dtype=pl.String)
        return values.replace_strict(distinct, made, default=None, return_dtype=pl.String)

    def fingerprint(self) -> str:
        """What tells this hasher from one with another key or region, without telling the key."""
        return hmac.new(self.secret, f"fingerprint {self.region}".encode(), hashlib.sha256).hexdigest()[:8]

    def redact(self, text: str) -> str:
        """A text with everything that reads as an e-mail or a phone number replaced by its token."""
        hidden = _EMAIL.sub(
            lambda found: self._token("email", normal_email(found[0]) or found[0]) or "", text
        )
        return _DIGITS.sub(self._without_phone, hidden)

    def _without_phone(self, found: re.Match[str]) -> str:
        written = found[0]
        if found["moment"]:
            return written
        number = normal_phone(written, self.region)
        # Written like a phone number, whether or not it is one in that region.
        if number is None and written[0] not in "+(0":
            return written
        return self._token("phone", number or re.sub(r"\D", "", written)) or ""

    def _normaliser(self, kind: str, namespace: str) -> Callable[[str], str | None]:
        if kind == "email":
            return normal_email
        if kind == "phone":
            return lambda value: normal_phone(value, self.region)
        return lambda value: f"{namespace}:{value.strip()}" if value.strip() else None

    def _token(self, kind: str, value: str | None) -> str | None:
        if value is None:
            return None
        digest = hmac.new(self.secret, f"{kind}:{value}".encode(), hashlib.sha256)
        return _PREFIX[kind] + digest.hexdigest()[:TOKEN_LENGTH]


def normal_email(value: str) -> str | None:
    """An e-mail address without blanks, capitals and `+tag`; None when it is none."""
    plain = _TAG.sub("", _BLANK.sub("", value).lower())
    return plain if plain.count("@") == 1 and "@" in plain[1:-1] else None


def normal_phone(value: str, region: str | None) -> str | None:
    """A phone number as E.164, e.g. +491701234567; None when it is none in that region."""
    import phonenumbers  # noqa: PLC0415 - a large table, loaded only when a feed has phones

    try:
        parsed = phonenumbers.parse(value, region)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_possible_number(parsed):
        return None
    number = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)
    # An extension or a slip of two digits is "possible" too, and would join whoever has it.
    return number if len(number) > _PHONE_DIGITS_MIN else None


def resolve(links: pl.DataFrame, known: Resolution, shared_key_limit: int) -> Resolution:
    """Join tokens that occurred together into customers.

    Args:
        links: Distinct combinations of tokens ever seen in one row: the columns `TOKENS`.
        known: The last resolution; a customer keeps the code it was given.
        shared_key_limit: A token that occurs with more people than this joins nobody.

    Returns:
        The new resolution. A customer that turned out to be two known ones takes the older code; the
        younger becomes an alias. Independent of the order of `links`.
    """
    shared = _shared_tokens(links, shared_key_limit)
    grouped = _components(_without(links, shared))
    coded = grouped.join(known.tokens.filter(~pl.col("is_shared")), on="token", how="left")
    chosen = _chosen_codes(coded, known.customers.height)
    tokens = pl.concat(
        [
            coded.join(chosen, on="component").select(
                "token", pl.col("code").alias("customer"), pl.lit(value=False).alias("is_shared")
            ),
            pl.DataFrame({"token": shared}).select(
                "token", pl.lit(0, pl.UInt32).alias("customer"), pl.lit(value=True).alias("is_shared")
            ),
        ]
    ).sort("token")
    aliases = (
        coded.join(chosen, on="component")
        .filter(pl.col("customer").is_not_null() & (pl.col("customer") != pl.col("code")))
        .select("customer", pl.col("code").alias("merged_into"))
        .unique()
    )
    # A code that some component still uses is no alias: its customer was split, not merged.
    aliases = aliases.filter(~pl.col("customer").is_in(chosen["code"].implode()))
    return Resolution(
        tokens,
        pl.concat([known.customers, _customers(chosen, known)]).sort("customer"),
        _flattened(known.aliases, aliases),
        links,
        shared_key_limit,
    )


def unknown_links(told: pl.DataFrame, known: Resolution) -> pl.DataFrame:
    """Those of the told combinations of tokens that are not known, each once, in order."""
    # The few that are told are looked for among the many that are known, not the other way round.
    near = known.links.filter(_any_of(told))
    return told.unique().join(near, on=TOKENS, how="anti", nulls_equal=True).sort(TOKENS)


def resolve_more(links: pl.DataFrame, known: Resolution) -> Resolution | None:
    """Join further combinations of tokens into what is known: what `resolve` makes of all links, at the cost of the new ones.

    Args:
        links: Combinations that are not among the known ones.
        known: The last resolution.

    Returns:
        The new resolution; None when that takes all links: a token turns out to be shared, which may split people.
    """
    shared = known.tokens.filter("is_shared")["token"]
    suspects = [links[name].filter(~links[name].is_in(shared.implode())).drop_nulls() for name in TOKENS[1:]]
    near = known.links.filter(
        pl.any_horizontal(pl.col(n).is_in(s.implode()) for n, s in zip(TOKENS[1:], suspects, strict=True))
    )
    if not _shared_tokens(pl.concat([near, links]), known.limit).is_in(shared.implode()).all():
        return None
    private = _without(links, shared)
    told = pl.concat([private[name].alias("token") for name in TOKENS]).drop_nulls().unique()
    before = known.tokens.filter(pl.col("token").is_in(told.implode()), ~pl.col("is_shared"))
    # Tokens of one customer belong together, whatever it was that joined them.
    same = before.with_columns(one=pl.col("token").first().over("customer"))
    joined = same.select(pl.col("one").alias(TOKENS[0]), pl.col("token").alias(TOKENS[1]))
    grouped = _components(pl.concat([private, joined], how="diagonal"))
    coded = grouped.join(before, on="token", how="left")
    chosen = _chosen_codes(coded, known.customers.height)
    now = coded.join(chosen, on="component")
    aliases = now.filter(pl.col("customer") != pl.col("code"))
    aliases = aliases.select("customer", pl.col("code").alias("merged_into")).unique()
    fresh = now.filter(pl.col("customer").is_null()).sort("token")
    fresh = fresh.select("token", pl.col("code").alias("customer"), is_shared=pl.lit(value=False))
    tokens = known.tokens.with_columns(
        pl.col("customer").replace(aliases["customer"], aliases["merged_into"])
    )
    return Resolution(
        tokens.merge_sorted(fresh, key="token"),
        pl.concat([known.customers, _customers(chosen, known)]).sort("customer"),
        _flattened(known.aliases, aliases) if aliases.height else known.aliases,
        pl.concat([known.links, links]),
        known.limit,
    )


def _any_of(told: pl.DataFrame) -> pl.Expr:
    return pl.any_horizontal(pl.col(name).is_in(told[name].drop_nulls().implode()) for name in TOKENS)


def _without(links: pl.DataFrame, shared: pl.Series) -> pl.DataFrame:
    """Links without shared tokens; those that had nothing else are left out."""
    return links.select(
        pl.when(~pl.col(name).is_in(shared.implode())).then(name).alias(name) for name in TOKENS
    ).filter(pl.any_horizontal(pl.col(*TOKENS).is_not_null()))


def _customers(chosen: pl.DataFrame, known: Resolution) -> pl.DataFrame:
    """Customers that were not known: customer, customer_key."""
    return chosen.filter(pl.col("code") > known.customers.height).select(
        pl.col("code").alias("customer"),
        customer_key=pl.lit("c_") + pl.col("first").str.replace("^[a-z]+_", ""),
    )


def _flattened(known: pl.DataFrame, new: pl.DataFrame) -> pl.DataFrame:
    """Old and new aliases; one whose customer has merged on points to where that one went."""
    moved = known.with_columns(pl.col("merged_into").replace(new["customer"], new["merged_into"]))
    return pl.concat([moved, new]).unique("customer", keep="last").sort("customer")


def _shared_tokens(links: pl.DataFrame, limit: int) -> pl.Series:
    """Weak tokens that occur with more than `limit` stronger ones."""
    found = []
    for weak, strong in (
        ("token_email", "token_external_id"),
        ("token_phone", "token_external_id"),
        ("token_phone", "token_email"),
    ):
        people = links.filter(pl.col(weak).is_not_null()).group_by(weak).agg(pl.col(strong).n_unique())
        # A null among the stronger tokens is no further person.
        with_null = links.filter(pl.col(weak).is_not_null() & pl.col(strong).is_null())[weak].unique()
        counted = people.with_columns(
            people=pl.col(strong).cast(pl.Int64) - pl.col(weak).is_in(with_null.implode()).cast(pl.Int64)
        )
        found.append(counted.filter(pl.col("people") > limit)[weak].alias("token"))
    return pl.concat(found).unique().sort()


def _components(links: pl.DataFrame) -> pl.DataFrame:
    """token, component: connected tokens share a component."""
    from scipy.sparse import coo_array  # noqa: PLC0415 - only when customers are joined
    from scipy.sparse.csgraph import connected_components  # noqa: PLC0415

    every = pl.concat([links[name].alias("token") for name in TOKENS]).drop_nulls().unique().sort()
    number = pl.DataFrame({"token": every}).with_row_index("node")
    pairs = [
        links.select(pl.col(a).alias("one"), pl.col(b).alias("two")).drop_nulls().unique()
        for a, b in ((TOKENS[0], TOKENS[1]), (TOKENS[0], TOKENS[2]), (TOKENS[1], TOKENS[2]))
    ]
    edges = (
        pl.concat(pairs)
        .join(number.rename({"token": "one", "node": "from"}), on="one")
        .join(number.rename({"token": "two", "node": "to"}), on="two")
    )
    size = number.height
    graph = coo_array(
        (np.ones(edges.height), (edges["from"].to_numpy(), edges["to"].to_numpy())), (size, size)
    )
    _, labels = connected_components(graph, directed=False)
    return number.select("token", component=pl.Series(labels, dtype=pl.UInt32))


def _chosen_codes(coded: pl.DataFrame, given_out: int) -> pl.DataFrame:
    """component, first (its strongest token), code: the oldest known one nobody else took, or a new one."""
    named = coded.group_by("component").agg(first=pl.col("token").min(), code=pl.col("customer").min())
    named = named.sort("first")
    taken = pl.col("code").is_not_null() & ~pl.struct("code").is_first_distinct()
    named = named.with_columns(code=pl.when(~taken).then("code"))
    fresh = pl.col("code").is_null().cum_sum() + given_out
    return named.with_columns(code=pl.coalesce("code", fresh).cast(pl.UInt32))


def customer_of(tokens: pl.DataFrame) -> pl.Expr:
    """The customer's code of an event by its strongest token that is not shared; 0 for unknown."""
    known = tokens.filter(pl.col("customer") > 0)
    found = [
        pl.col(name).replace_strict(known["token"], known["customer"], default=None, return_dtype=pl.UInt32)
        for name in TOKENS
    ]
    return pl.coalesce(*found, pl.lit(0, dtype=pl.UInt32)).alias("customer")
