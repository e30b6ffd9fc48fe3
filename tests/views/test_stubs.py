"""Rules to paste into the map: whatever a feed tells, they are YAML."""

import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from views.stubs import Stub, stubs_yaml

TOLD = st.text(st.characters(exclude_categories=["Cs"]))


@example("\x1b[31mred", "web, \x1b]0;x\x07, \x7f, \x85, \u2028, \ufffe")
@example("\x7f 😀 no", "on, 10:30")
@given(kind=TOLD, said=TOLD)
def test_what_a_feed_tells_comes_back_from_the_stub(kind: str, said: str):
    [rule] = yaml.safe_load(stubs_yaml([Stub("r", "t", "crm", kind, said, is_new=False)], "", []))["rules"]
    assert rule["kind"] == kind
    assert rule["examples"] == [{"event": {"feed": "crm", "kind": kind}}]


def test_names_that_yaml_takes_for_something_else_are_in_quotes():
    said = stubs_yaml([Stub("1e3", "off", "no", "sold", "", is_new=True)], "engage", ["engage"])
    made = yaml.safe_load(said)
    assert made["touchpoints"][0]["id"] == "off"
    [rule] = made["rules"]
    assert (rule["id"], rule["touchpoint"], rule["feed"]) == ("1e3", "off", "no")
    assert rule["examples"] == [{"event": {"feed": "no", "kind": "sold"}}]
    assert "id: a_name\n" in stubs_yaml([Stub("r", "a_name", "crm", "sold", "", is_new=True)], "engage", [])
