"""Laws of judging rows: one rule's trouble changes nothing for the others, nor a row's for its neighbours."""

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from contracts.odcs import Property, SchemaObject
from transforms.judge import RowRule, judge

SHAPE = SchemaObject(name="rows", properties=(Property(name="x"),))
FRAIL = RowRule("frail", pl.col("x").cast(pl.Int64, strict=True) > 5)
SOUND = RowRule("sound", pl.col("x") == "7")
TEXTS = st.lists(st.sampled_from(["1", "7", "9", "poison", ""]), max_size=60)


def reasons(texts: list[str], *rules: RowRule) -> list[str | None]:
    return judge(pl.DataFrame({"x": texts}, schema={"x": pl.String}), rules, SHAPE).rows["reasons"].to_list()


@given(TEXTS)
def test_every_row_is_judged_as_if_it_were_alone(texts: list[str]):
    assert reasons(texts, FRAIL, SOUND) == [reasons([text], FRAIL, SOUND)[0] for text in texts]


@given(TEXTS)
def test_a_rule_that_fails_hides_nothing_that_another_found(texts: list[str]):
    alone = reasons(texts, SOUND)
    beside = reasons(texts, FRAIL, SOUND)
    assert [bool(text and "sound" in text) for text in beside] == [text == "sound" for text in alone]


@given(TEXTS)
def test_counts_and_states_say_what_the_rows_say(texts: list[str]):
    judged = judge(pl.DataFrame({"x": texts}, schema={"x": pl.String}), [FRAIL, SOUND], SHAPE)
    named = [text.split(", ") if text else [] for text in judged.rows["reasons"]]
    for result in judged.results:
        assert result.failed == sum(result.name in names for names in named)
        assert (result.state == "passed") == (result.failed == 0)
    frail = judged.results[0]
    assert (frail.state == "error") == any(not text.isdigit() for text in texts)
