"""Who is who: what is one address, which tokens are one customer, and that no order changes it."""

import random

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.events import TOKENS
from contracts.identity import Resolution
from tests.conftest import Sandbox, drawn
from tests.flows.reading import take
from transforms.identity import (
    Hasher,
    customer_of,
    normal_email,
    normal_phone,
    resolve,
    resolve_more,
    unknown_links,
)

HASHER = Hasher(b"sixteen letters!", "DE")
_LINKS = dict.fromkeys(TOKENS, pl.String)


# --- what is one address


@pytest.mark.parametrize(
    "written",
    [
        "ada@x.example",
        " Ada@X.Example ",
        "ADA@X.EXAMPLE",
        "ada+shop@x.example",
        "ada @ x.example",
        "ada@x.example\u00a0",
    ],
)
def test_case_blanks_and_tags_make_no_other_address(written: str):
    assert normal_email(written) == "ada@x.example"


@pytest.mark.parametrize(
    "written", ["", "ada", "@x.example", "ada@", "a@b@c", "+tag@x.example", "n/a", "ada@x ben@y"]
)
def test_what_is_no_address_tells_nobody(written: str):
    assert normal_email(written) is None


def test_dots_and_names_do_make_another_address():
    assert len({normal_email(one) for one in ("a.da@x.example", "ada@x.example", "ada@y.example")}) == 3


@pytest.mark.parametrize(
    "written",
    [
        "+49 170 1234567",
        "0170 1234567",
        "0170/123 45 67",
        "(0170) 1234567",
        "00491701234567",
        "+49-170-1234567",
    ],
)
def test_every_way_to_write_a_number_is_one_number(written: str):
    assert normal_phone(written, "DE") == "+491701234567"


@pytest.mark.parametrize(
    ("written", "region"),
    [("0170 1234567", None), ("12", "DE"), ("", "DE"), ("call me", "DE"), ("1" * 40, "DE")],
)
def test_what_is_no_number_in_that_region_tells_nobody(written: str, region: str | None):
    assert normal_phone(written, region) is None


def test_tokens_are_null_where_nobody_is_told_and_equal_for_one_person():
    tokens = HASHER.tokens(
        pl.Series(["Ada@x.example", "ada+a@x.example", "", None, "ben@x.example"]), "email", "crm"
    )
    assert tokens.null_count() == 2
    assert tokens[0] == tokens[1] != tokens[4]
    assert str(tokens[0]).startswith("mail_")


def test_an_external_id_belongs_to_the_feed_that_gives_it_out():
    ids = pl.Series(["7"])
    own, others, named = (HASHER.tokens(ids, kind, feed)[0] for kind, feed in (
        ("external_id", "crm"), ("external_id", "shop"), ("external_id:crm", "shop")))  # fmt: skip
    assert own == named != others


def test_another_secret_gives_other_tokens_and_neither_shows():
    other = Hasher(b"another secret!!", "DE")
    values = pl.Series(["ada@x.example"])
    assert HASHER.tokens(values, "email", "crm")[0] != other.tokens(values, "email", "crm")[0]
    assert HASHER.fingerprint() != other.fingerprint() != Hasher(b"another secret!!", None).fingerprint()
    assert "sixteen" not in f"{HASHER!r} {HASHER}"


# --- what is hidden in a text


@pytest.mark.parametrize(
    "text",
    [
        "1,otto@x.example,web", "o'brien@x.example", '{"mail":"otto@x.example"}', "<otto@x.example>", "jörg@größe.example",
        "mailto:otto@x.example?subject=x", "otto%40x.example", r'{"mail": "otto\u0040x.example"}', "otto@localhost", "a.b-c+d@x.example;",
    ],
)  # fmt: skip
def test_an_address_in_a_text_is_hidden(text: str):
    hidden = HASHER.redact(text)
    assert "mail_" in hidden
    for part in ("otto", "brien", "jörg", "x.example", "größe", "localhost", "a.b-c"):
        assert part not in hidden


@pytest.mark.parametrize(
    "number",
    ["+49 170 1234567", "0170 1234567", "0170/1234567", "(0170) 123-4567", "+1 (555) 010-0000", "01701234567", "00491701234567"],
)  # fmt: skip
@pytest.mark.parametrize("region", ["DE", "US", None])
def test_a_number_in_a_text_is_hidden(number: str, region: str | None):
    hidden = Hasher(b"sixteen letters!", region).redact(f"1,{number},web,2026-02-10 09:00:00")
    assert "1234567" not in hidden.replace(" ", "").replace("-", "")
    assert "5550100000" not in hidden
    assert hidden.startswith("1,tel_")
    assert hidden.endswith(",web,2026-02-10 09:00:00")


@pytest.mark.parametrize(
    "text",
    ["2026-02-10 09:00:00", "10.02.2026 09:00", "2026-02-10T09:00:00.123Z", "order 12345", "C0000012", "5", "mail_00112233445566778899", ""],
)  # fmt: skip
def test_what_tells_of_no_person_stays(text: str):
    assert HASHER.redact(text) == text


# --- which tokens are one customer


def links(text: str) -> pl.DataFrame:
    """Links as drawn: external id, e-mail, phone."""
    return drawn(text).rename(dict(zip(["id", "mail", "tel"], TOKENS, strict=True)))


def resolved(*batches: pl.DataFrame, limit: int = 3) -> list[Resolution]:
    """The resolution after each batch."""
    made = [Resolution()]
    for batch in batches:
        every = pl.concat([made[-1].links, batch]).unique().sort(TOKENS)
        made.append(resolve(every, made[-1], limit))
    return made[1:]


def customers(resolution: Resolution) -> dict[str, int]:
    """Customer by token; 0 for a shared one."""
    return dict(resolution.tokens.select("token", "customer").iter_rows())


def partition(resolution: Resolution) -> set[frozenset[str]]:
    """Tokens of one customer, whatever its code."""
    together: dict[int, set[str]] = {}
    for token, customer in customers(resolution).items():
        together.setdefault(customer, set()).add(token)
    return {frozenset(tokens) for tokens in together.values()}


def test_tokens_of_several_feeds_are_one_customer_when_rows_join_them():
    [found] = resolved(
        links("""
        id    | mail   | tel
        ------+--------+------
        id_c1 | mail_a |
              | mail_a | tel_1
        id_s9 |        | tel_1
        id_c2 | mail_b |
    """)
    )
    assert partition(found) == {
        frozenset({"id_c1", "mail_a", "tel_1", "id_s9"}),
        frozenset({"id_c2", "mail_b"}),
    }


def test_a_token_of_more_people_than_the_limit_joins_nobody():
    rows = [f"id_{i} | mail_info | tel_{i}" for i in range(4)]
    shared = links("\n".join(["id | mail | tel", *rows]))
    [guarded] = resolved(shared, limit=3)
    assert customers(guarded)["mail_info"] == 0
    assert guarded.tokens.filter("is_shared")["token"].to_list() == ["mail_info"]
    assert len({customers(guarded)[f"id_{i}"] for i in range(4)}) == 4
    [joined] = resolved(shared, limit=4)
    assert len(set(customers(joined).values())) == 1


def test_a_customer_keeps_its_code_and_key_over_increments():
    first, second = resolved(
        links("id | mail | tel\nid_1 | mail_a |\nid_2 | mail_b |"),
        links("id | mail | tel\nid_3 | mail_c |\nid_0 | mail_b |"),
    )
    assert {token: customers(second)[token] for token in customers(first)} == customers(first)
    assert second.customers.head(2).equals(first.customers)
    assert second.customers.height == 3


def test_two_known_customers_that_turn_out_to_be_one_take_the_older_code():
    first, second = resolved(
        links("id | mail | tel\nid_1 | mail_a |\nid_2 | mail_b |"), links("id | mail | tel\nid_1 | mail_b |")
    )
    assert customers(first)["id_1"] == 1
    assert set(customers(second).values()) == {1}
    assert second.aliases.rows() == [(2, 1)]


def test_a_merge_of_merged_customers_leaves_no_chain():
    """Events stored under any old code are looked up once: the alias has to be the last word."""
    *_, last = resolved(
        links("id | mail | tel\nid_1 | mail_a |\nid_2 | mail_b |\nid_3 | mail_c |"),
        links("id | mail | tel\nid_2 | mail_c |"),
        links("id | mail | tel\nid_1 | mail_c |"),
    )
    assert last.aliases.rows() == [(2, 1), (3, 1)]


def test_the_strongest_token_that_is_not_shared_tells_the_customer():
    [found] = resolved(
        links("\n".join(["id | mail | tel", *(f"id_{i} | mail_info | tel_{i}" for i in range(4))]))
    )
    told = links("id | mail | tel\nid_2 | mail_info |\n | mail_info | tel_3\n | mail_info |\n | mail_new |")
    codes = customers(found)
    assert told.select(customer_of(found.tokens))["customer"].to_list() == [
        codes["id_2"],
        codes["tel_3"],
        0,
        0,
    ]


_TOKEN = st.integers(0, 5)
_LINK = st.tuples(st.none() | _TOKEN, st.none() | _TOKEN, st.none() | _TOKEN).filter(
    lambda link: any(t is not None for t in link)
)


def framed(found: list[tuple]) -> pl.DataFrame:
    named = [
        [
            None if t is None else f"{kind}_{kind}{t}"
            for kind, t in zip(("id", "mail", "tel"), link, strict=True)
        ]
        for link in found
    ]
    return pl.DataFrame(named, schema=dict.fromkeys(TOKENS, pl.String), orient="row")


@settings(max_examples=60, deadline=None)
@given(data=st.data(), found=st.lists(_LINK, min_size=1, max_size=14))
def test_no_order_and_no_split_into_batches_changes_who_is_who(data: st.DataObject, found: list[tuple]):
    """And whatever code an event was stored with leads to the customer that its token has now."""
    [whole] = resolved(framed(found), limit=99)
    shuffled = data.draw(st.permutations(found))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(found)), max_size=3)))
    batches = [framed(shuffled[a:b]) for a, b in zip([0, *cuts], [*cuts, len(found)], strict=True)]
    steps = resolved(*batches, limit=99)
    last = steps[-1]
    assert partition(last) == partition(whole)
    assert partition(resolved(framed(shuffled), limit=99)[0]) == partition(whole)
    now, aliases = customers(last), dict(last.aliases.iter_rows())
    for step in steps:
        for token, code in customers(step).items():
            assert aliases.get(code, code) == now[token]
    assert last.customers["customer"].to_list() == list(range(1, last.customers.height + 1))
    assert last.customers["customer_key"].n_unique() == last.customers.height


# --- through the store

CUSTOMER = "      - {name: customer, customProperties: [{property: identity, value: external_id}]}\n"


@pytest.fixture
def known(sandbox: Sandbox) -> Sandbox:
    """A sandbox whose answers carry a customer's id and an e-mail, and match no rule."""
    sandbox.replace("contracts/survey.odcs.yaml", "      - {name: email", f"{CUSTOMER}      - {{name: email")
    return sandbox


def deliver(sandbox: Sandbox, *told: tuple[str, str], name: str) -> None:
    rows = [
        f"{name}{i},{mail},2026-02-10 09:00:00,web,other,5,{customer}"
        for i, (customer, mail) in enumerate(told)
    ]
    header = "answer_id,email,answered_at,channel,about,satisfaction,customer"
    sandbox.write(f"inbox/answers_{name}.csv", "\n".join([header, *rows]) + "\n")


def counted(sandbox: Sandbox) -> int:
    """How many customers a table counts."""
    return sandbox.table("fact_event_unmatched")["customer_count"].sum()


def test_customers_that_merge_are_counted_once_in_tables(known: Sandbox):
    deliver(known, ("c1", "a@x.example"), ("c2", "b@x.example"), ("c3", "c@x.example"), name="1")
    known.run()
    assert counted(known) == 3
    deliver(known, ("c2", "C+tag@X.example"), name="2")
    known.run()
    assert counted(known) == 2
    deliver(known, ("c1", "c@x.example"), ("c4", ""), name="3")
    outcome = known.run()
    assert counted(known) == 2
    assert outcome.absorbed.state.resolution.aliases.rows() == [(2, 1), (3, 1)]


def test_an_address_that_many_share_is_told_and_joins_nobody(known: Sandbox):
    deliver(known, *((f"c{i}", "info@x.example") for i in range(4)), name="1")
    known.run()
    assert counted(known) == 4
    assert "shared_identifier" in known.table("gap_finding")["rule"].to_list()


def test_rejected_and_held_rows_tell_nothing_of_who_is_who(known: Sandbox):
    deliver(known, ("c1", "a@x.example"), ("c2", "b@x.example"), name="1")
    take(known)
    deliver(known, ("c1", "b@x.example"), name="2")
    known.replace("contracts/survey.odcs.yaml", "{value: web}", "{value: post}")  # holds everything
    state = take(known).absorbed.state
    assert all(d.state == "held" for d in state.deliveries)
    assert state.resolution.aliases.is_empty()


@pytest.mark.parametrize("seed", range(40))
def test_what_comes_later_joins_people_as_if_it_had_been_there_all_along(seed: int):
    draw, limit = random.Random(seed), random.Random(seed).choice([1, 2, 50])
    known = resolve(pl.DataFrame(schema=_LINKS), Resolution(), limit)
    every, extended = known.links, 0
    for _ in range(8):
        rows = [
            {
                name: draw.choice([None, f"{name[6:]}_{draw.randint(0, 25)}"])
                for name in ("token_external_id", "token_email", "token_phone")
            }
            for _ in range(draw.randint(0, 6))
        ]
        told = pl.DataFrame([row for row in rows if any(row.values())], schema=_LINKS)
        more = unknown_links(told, known)
        every = pl.concat([every, told]).unique().sort(TOKENS)
        assert pl.concat([known.links, more]).sort(TOKENS).equals(every)
        anew = resolve(every, known, limit)
        found = resolve_more(more, known)
        shared = [set(one.tokens.filter("is_shared")["token"]) for one in (known, anew)]
        assert (found is None) == (shared[0] != shared[1])
        if found is not None:
            extended += more.height
            for part in ("tokens", "customers", "aliases"):
                assert getattr(found, part).equals(getattr(anew, part)), part
            assert found.links.sort(TOKENS).equals(anew.links.sort(TOKENS))
            assert found.limit == anew.limit == limit
        known = found or anew
    assert extended or limit == 1
