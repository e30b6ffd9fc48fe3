"""Examples of rules: led through the compiled rules, without data."""

import pytest

from contracts.accountability import Rule
from transforms.examples import try_examples


def rules(*written: dict) -> list[Rule]:
    return [
        Rule.model_validate({"id": f"r{n}", "touchpoint": f"t{n}"} | one) for n, one in enumerate(written)
    ]


def fates(*written: dict) -> list[tuple[str, str, str | None]]:
    return [(tried.expected, tried.got, tried.won_by) for tried in try_examples(rules(*written))]


def test_an_example_is_expected_at_its_own_rule_unless_it_says_otherwise():
    first = {
        "kind": ["crm.*"],
        "examples": [
            {"event": {"kind": "crm.sold"}},
            {"event": {"kind": "crm.sold", "channel": "web"}, "expect": "t0"},
            {"event": {"kind": "survey.sent"}, "expect": "unmatched"},
        ],
    }
    assert fates(first) == [("t0", "t0", "r0"), ("t0", "t0", "r0"), ("unmatched", "unmatched", None)]


def test_an_example_taken_by_an_earlier_rule_fails_and_names_it():
    taken = {
        "kind": "crm.refund",
        "channel": "phone",
        "examples": [{"event": {"kind": "crm.refund", "channel": "phone"}}],
    }
    [tried] = try_examples(rules({"kind": ["crm.refund"]}, taken))
    assert (tried.rule, tried.index, tried.expected, tried.got, tried.won_by) == ("r1", 0, "t1", "t0", "r0")
    assert not tried.is_kept


@pytest.mark.parametrize(
    ("where", "event", "is_taken"),
    [
        ({"score": ">= 9"}, {"score": 9}, True),
        ({"score": ">= 9"}, {"score": 8.9}, False),
        ({"score": ">= 9"}, {"kind": "x"}, False),
        ({"region": "north"}, {"region": "north"}, True),
        ({"region": "north"}, {"region": None, "kind": "x"}, False),
        ({"region": None}, {"kind": "x"}, True),
        ({"region": [3, "south"]}, {"region": "3"}, True),
        ({"size": 3}, {"size": 3}, True),
        ({"size": ">= 2"}, {"size": "10"}, True),
        ({"size": ">= 2"}, {"size": 1}, False),
        ({"vip": True}, {"vip": True}, True),
        ({"vip": True}, {"vip": False}, False),
        ({}, {"kind": "anything"}, True),
    ],
)
def test_conditions_mean_for_an_example_what_they_mean_for_an_event(where: dict, event: dict, is_taken: bool):
    [tried] = try_examples(rules({"where": where, "examples": [{"event": event}]}))
    assert tried.is_kept is is_taken


def test_rules_without_examples_try_nothing():
    assert try_examples(rules({"kind": "crm.sold"})) == []
