"""Laws of matching: the decision table says what the chain of conditions says."""

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.accountability import Rule
from contracts.events import Codebook
from transforms import rules as compiled
from transforms.rules import Compiler, compile_rules, rule_expression

CODEBOOK = Codebook(
    {
        "feed": ["crm", "survey"],
        "kind": ["crm.sold", "crm.lost", "survey.sent", "survey.answered"],
        "channel": ["web", "app", "phone"],
        "attribute_region": ["north", "south", "3"],
        "attribute_size": ["1", "2", "10"],
    },
    {"region": "text", "size": "text", "weight": "number"},
)

names = {
    "feed": st.lists(st.sampled_from(["crm", "survey", "web"]), max_size=2, unique=True),
    "kind": st.lists(
        st.sampled_from(["crm.*", "*.sent", "crm.sold", "survey.answered", "other"]), max_size=2
    ),
    "channel": st.lists(st.sampled_from(["web", "app", "fax"]), max_size=2),
}
bounds = st.sampled_from([">= 3", "< 3", "> 2 and <= 7", "<= 0", "> 10", 5, [1, 10], None, [3, None]])
conditions = st.fixed_dictionaries(
    {},
    optional={
        "score": bounds,
        "weight": bounds,
        "region": st.sampled_from(["north", ["south", None], None, "west", 3]),
        "size": st.sampled_from([">= 2", "< 2", "1", [2, 10]]),
    },
)


@st.composite
def ordered_rules(draw: st.DrawFn) -> list[Rule]:
    count = draw(st.integers(0, 6))
    return [
        Rule.model_validate(
            {"id": f"r{n}", "touchpoint": "t", "where": draw(conditions)}
            | {k: draw(v) for k, v in names.items()}
        )
        for n in range(count)
    ]


numbers = st.sampled_from([None, -1.0, 0.0, 1.0, 2.0, 2.5, 3.0, 5.0, 7.0, 7.1, 10.0, 11.0])
strange_numbers = numbers | st.sampled_from([float("nan"), float("inf"), float("-inf"), -0.0])
rows = st.lists(
    st.tuples(
        st.integers(0, 2),
        st.integers(0, 4),
        st.integers(0, 3),
        st.integers(0, 3),
        st.integers(0, 3),
        strange_numbers,
        strange_numbers,
    ),
    min_size=1,
    max_size=40,
)
SCHEMA = {
    "feed": pl.UInt16,
    "kind": pl.UInt16,
    "channel": pl.UInt16,
    "attribute_region": pl.UInt32,
    "attribute_size": pl.UInt32,
    "score": pl.Float64,
    "attribute_weight": pl.Float64,
}


@settings(max_examples=200, deadline=None)
@given(ordered_rules(), rows, st.sampled_from([compiled.FEW_CUTS, 0]))
def test_the_table_equals_the_chain(rules: list[Rule], drawn: list[tuple], few_cuts: int):
    """Whether numbers are compared with cuts one by one, or searched for among them."""
    events = pl.DataFrame(drawn, schema=SCHEMA, orient="row")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(compiled, "FEW_CUTS", few_cuts)
        decision = compile_rules(rules, CODEBOOK)
    chain = events.with_columns(rule_expression(rules, CODEBOOK))["rule"]
    for engine in ("in-memory", "streaming"):
        table = events.lazy().with_columns(decision.rule.alias("rule")).collect(engine=engine)["rule"]
        assert table.to_list() == chain.to_list()
    shadowed = [number for number, rule in enumerate(rules, start=1) if rule.id in decision.shadowed_by]
    assert not set(chain.to_list()) & set(shadowed), "a shadowed rule never wins"


def test_too_many_combinations_fall_back_to_the_chain(monkeypatch):
    rules = [
        Rule.model_validate({"id": "a", "touchpoint": "t", "kind": ["crm.*"]}),
        Rule.model_validate({"id": "b", "touchpoint": "t", "kind": ["crm.sold"], "channel": ["web"]}),
    ]
    listed = compile_rules(rules, CODEBOOK)
    monkeypatch.setattr(compiled, "TABLE_LIMIT", 1)
    tried = compile_rules(rules, CODEBOOK)
    events = pl.DataFrame(
        {"kind": [1, 2, 3, 4, 0], "channel": [1, 1, 1, 0, 0]},
        schema={"kind": pl.UInt16, "channel": pl.UInt16},
    )
    found = events.select(listed=listed.rule, tried=tried.rule)
    assert found["listed"].to_list() == found["tried"].to_list() == [1, 1, 0, 0, 0]
    assert listed.shadowed_by == tried.shadowed_by == {"b": ["a"]}


def test_a_value_that_has_not_come_yet_can_still_match():
    """A rule for a kind that no event has had is not shadowed by rules for those that have."""
    rules = [
        Rule.model_validate({"id": "known", "touchpoint": "t", "kind": ["crm.sold", "crm.lost", "survey.*"]}),
        Rule.model_validate({"id": "future", "touchpoint": "t", "kind": ["crm.returned"]}),
    ]
    assert compile_rules(rules, CODEBOOK).shadowed_by == {}


def test_rules_are_compiled_again_once_the_words_that_they_test_are_others():
    rules = [Rule.model_validate({"id": "r", "touchpoint": "t", "kind": ["crm.*"]})]
    words = {name: list(values) for name, values in CODEBOOK.values.items()}
    compiler = Compiler()
    first = compiler.decision(rules, CODEBOOK)
    same = Codebook({**words, "channel": ["web", "fax"], "kind": tuple(words["kind"])}, CODEBOOK.attributes)
    assert compiler.decision(rules, same) is first, "no rule tests channels"
    more = Codebook({**words, "kind": [*words["kind"], "crm.kept"]}, CODEBOOK.attributes)
    again = compiler.decision(rules, more)
    events = pl.DataFrame({"kind": [0, 1, 4, 5]}, schema={"kind": pl.UInt16})
    assert events.select(again.rule).to_series().to_list() == [0, 1, 0, 1]
    assert compiler.decision([one.model_copy() for one in rules], more) is again, "the same map, read anew"
    other = [one.model_copy(update={"id": "s"}) for one in rules]
    assert compiler.decision(other, more).rules[0].id == "s"
    large = pl.Series(words["kind"])
    assert compiler.decision(rules, Codebook({**words, "kind": large}, CODEBOOK.attributes)) is not again
