"""YAML with its lines, bound to a model: what is wrong, where, in words that people use."""

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import Field

from contracts.documents import Declaration, Moment, bind, parse, read
from contracts.errors import WorkspaceError


class Leaf(Declaration):
    name: str
    size: int = 0


class Tree(Declaration):
    leaves: tuple[Leaf, ...] = ()
    planted: Moment | None = None
    either: str | float | tuple[str, ...] = ""
    by_name: dict[str, Leaf] = Field(default_factory=dict)


def wrong(text: str) -> list[str]:
    _, problems = bind(parse(text, "tree.yaml"), Tree)
    return [str(problem) for problem in problems]


def test_every_key_and_item_knows_its_line():
    document = parse("a: 1\nb:\n  - x\n  - c: 2\n    d: [1,\n      2]\n", "t.yaml")
    places = [(), ("a",), ("b", 0), ("b", 1, "c"), ("b", 1, "d", 1)]
    assert [document.where(*place) for place in places] == [f"t.yaml:{line}" for line in (1, 1, 3, 4, 6)]
    assert document.where("b", 1, "nowhere", 7) == "t.yaml:4"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("leaves: [{name: a, sizee: 3}]", "tree.yaml:1: unknown key 'sizee'. Did you mean 'size'?"),
        ("leaves:\n  - {size: 3}", "tree.yaml:2: 'name' is missing. Add 'name'."),
        ("leaves:\n  - 7", "tree.yaml:2: item 1 of 'leaves' is 7. Write a mapping of keys and values here."),
        ("leaves: many", "tree.yaml:1: 'leaves' is 'many'. Write a list here."),
        ("leaves: [{name: 2026-02-10}]", "tree.yaml:1: 'name' is 2026-02-10. It has to be a text: put it in quotes."),
        ("leaves: [{name: yes}]", "tree.yaml:1: 'name' is True. It has to be a text: put it in quotes."),
        ("leaves: [{name: [a]}]", "tree.yaml:1: 'name' is ['a']. Write a text here."),
        ("leaves: [{name: a, size: 1.5}]", "tree.yaml:1: 'size' is 1.5. Write a whole number."),
        ("by_name:\n  oak: {size: 1}", "tree.yaml:2: 'name' is missing. Add 'name'."),
        ("planted: soon", "tree.yaml:1: 'planted' is 'soon'. Write a date like 2026-03-01 or an instant like 2026-03-01T14:30."),
        ("planted: 2026-02-30", "tree.yaml:1: 'planted' is '2026-02-30'. Write a date like 2026-03-01 or an instant like 2026-03-01T14:30."),
        ("either: {a: 1}", "tree.yaml:1: 'either' is {'a': 1}. Write a text here."),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_once_with_its_line(text: str, said: str):
    assert wrong(text) == [said]


def test_long_values_are_not_printed_whole():
    assert len(wrong(f"leaves: [{{name: [{'x' * 5000}]}}]")[0]) < 150


def test_all_problems_of_a_document_are_told_at_once():
    assert len(wrong("leaves: [{name: 1}, {size: x, name: b}]\nplanted: soon\nroots: 3")) == 4


def test_a_key_that_stands_twice_is_told_and_the_rest_still_judged():
    document, problems = read("leaves: []\nleaves:\n  - {name: a}\nroots: 1\n", "t.yaml")
    assert [str(problem) for problem in problems] == [
        "t.yaml:2: 'leaves' stands already on line 1. Keep one."
    ]
    assert document.data == {"leaves": [], "roots": 1}
    with pytest.raises(WorkspaceError):
        parse("a: 1\na: 2\n", "t.yaml")


def test_a_merged_key_may_be_written_over_again_and_again():
    document = parse("x: &x {a: 1, b: 2}\ny: &y {<<: *x, a: 3}\nz: [*y, *y, {<<: *y, b: 4}]", "t.yaml")
    assert document.data == {
        "x": {"a": 1, "b": 2},
        "y": {"a": 3, "b": 2},
        "z": [{"a": 3, "b": 2}, {"a": 3, "b": 2}, {"a": 3, "b": 4}],
    }


def test_a_few_lines_of_aliases_do_not_fill_the_memory():
    bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12)
    )
    with pytest.raises(WorkspaceError, match="it is too large"):
        parse(bomb, "t.yaml")


@pytest.mark.parametrize(
    "text", ["[" * 100_000, "[" * 50_000 + "]" * 50_000, "- " * 50_000 + "x", "{a: " * 9000 + "}" * 9000]
)
def test_deep_nesting_is_refused_and_does_not_end_the_process(text: str):
    with pytest.raises(WorkspaceError):
        parse(text, "t.yaml")


PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(st.characters(exclude_categories=["Cs", "Cc"]))
    | st.dates(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("abc_", min_size=1), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(max_examples=60, deadline=None)
@given(value=PLAIN)
def test_plain_values_come_back_as_they_were_written(value: object):
    assert parse(yaml.safe_dump(value, allow_unicode=True), "t.yaml").data == value


@settings(max_examples=100, deadline=None)
@given(text=st.text() | st.text("[]{}:,-&*!|>'\"#?%@ \n\tab1<", max_size=60))
def test_any_text_is_yaml_or_an_error_of_ours(text: str):
    document, problems = read(text, "t.yaml")
    _, more = bind(document, Tree)
    assert all(str(problem).startswith("t.yaml:") for problem in [*problems, *more])
