"""What becomes of deliveries over time: replaced, renamed, gone, held, mended; contracts and mappings that change."""

import os
import time
from collections.abc import Callable

import polars as pl
import pytest

from contracts.deliveries import Delivery
from contracts.errors import FeedError
from flows.run import Outcome
from tests.conftest import ANSWERS_HEADER, FEED, Sandbox
from tests.flows.reading import Taken, rejects, take, words_below


def row(name: str, score: int | str = 5, about: str = "order") -> str:
    """One answer."""
    return f"{name},{name}@x.example,2026-02-10 09:00:00,web,{about},{score}"


def states(outcome: Outcome | Taken) -> list[tuple[str, str, int]]:
    """Every delivery after a run: file, state, accepted rows."""
    return [
        (d.source.removeprefix("inbox/answers").removesuffix(".csv"), d.state, d.rows_accepted)
        for d in outcome.deliveries
    ]


def scores(outcome: Outcome | Taken) -> dict[str, float]:
    """Every stored event's score, by the answer's id."""
    stored = outcome.absorbed.state.scan(["event_id", "score"]).collect()
    return {name.split("|")[2]: score for name, score in stored.iter_rows()}


def assert_balanced(outcome: Outcome | Taken) -> None:
    for d in outcome.deliveries:
        assert d.rows_read == d.rows_accepted + d.rows_quarantined + d.rows_duplicate


def answered(sandbox: Sandbox) -> int:
    """How many answers the scorecards count."""
    card = sandbox.table("scorecard_touchpoint").filter(period="to_date", metric="csat")
    return int(card["n"].sum())


# --- names and contents


def test_other_content_under_the_same_name_replaces_the_old(sandbox: Sandbox):
    sandbox.answers(row("1", 5), row("2", 4), row("3", 3))
    sandbox.run()
    sandbox.answers(row("2", 1), row("3", 3), row("4", 5))
    outcome = sandbox.run()
    assert states(outcome) == [("", "accepted", 3)]
    assert scores(outcome) == {"2": 1.0, "3": 3.0, "4": 5.0}
    assert answered(sandbox) == 3


def test_the_same_bytes_under_another_name_count_once(sandbox: Sandbox):
    sandbox.answers(row("1"), row("2"), name="answers_b.csv")
    sandbox.run()
    sandbox.answers(row("1"), row("2"), name="answers_a.csv")
    outcome = sandbox.run()
    assert states(outcome) == [("_a", "repeated", 0), ("_b", "accepted", 2)]
    assert [(d.rows_read, d.rows_duplicate) for d in outcome.read] == [(2, 2)]
    assert outcome.read[0].reason == "inbox/answers_a.csv has the bytes of inbox/answers_b.csv."
    assert len(scores(outcome)) == answered(sandbox) == 2
    assert sandbox.run().read == ()


def test_a_file_that_disappears_was_delivered_all_the_same(sandbox: Sandbox):
    path = sandbox.answers(row("1"))
    sandbox.run()
    path.unlink()
    outcome = sandbox.run()
    assert states(outcome) == [("", "accepted", 1)]
    assert outcome.read == ()
    assert answered(sandbox) == 1


def test_a_renamed_file_is_the_same_delivery(sandbox: Sandbox):
    path = sandbox.answers(row("1"))
    sandbox.run()
    path.rename(path.with_name("answers_done.csv"))
    outcome = sandbox.run()
    assert states(outcome) == [("_done", "accepted", 1)]
    assert answered(sandbox) == 1
    assert outcome.absorbed.new == 0
    assert sandbox.run().is_unchanged


def test_a_copy_keeps_the_events_when_the_first_file_is_replaced(sandbox: Sandbox):
    sandbox.answers(row("1"), name="answers_a.csv")
    sandbox.answers(row("1"), name="answers_b.csv")
    assert states(take(sandbox)) == [("_a", "accepted", 1), ("_b", "repeated", 0)]
    sandbox.answers(row("2"), name="answers_a.csv")
    outcome = take(sandbox)
    assert states(outcome) == [("_a", "accepted", 1), ("_b", "accepted", 1)]
    assert set(scores(outcome)) == {"1", "2"}


def test_what_a_replaced_file_had_corrected_goes_back_to_what_was_told_before(sandbox: Sandbox):
    sandbox.answers(row("1", 5), row("2", 5), name="answers_a.csv")
    sandbox.answers(row("1", 1), name="answers_b.csv")
    assert scores(take(sandbox)) == {"1": 1.0, "2": 5.0}
    sandbox.answers(row("3", 3), name="answers_b.csv")
    outcome = sandbox.run()
    assert scores(outcome) == {"1": 5.0, "2": 5.0, "3": 3.0}
    assert answered(sandbox) == 3


@pytest.mark.parametrize("order", ["abc", "cba", "bca"])
def test_the_last_by_name_counts_in_whatever_order_files_come(sandbox: Sandbox, order: str):
    told = {"a": row("1", 1), "b": row("1", 2), "c": row("1", 3)}
    for name in order:
        sandbox.answers(told[name], row(name), name=f"answers_{name}.csv")
        outcome = take(sandbox)
    assert scores(outcome) == {"1": 3.0, "a": 5.0, "b": 5.0, "c": 5.0}


# --- held and mended


def test_a_held_delivery_leaves_the_last_good_data_and_can_be_mended(sandbox: Sandbox):
    path = sandbox.answers(row("1", 5), row("2", 4))
    sandbox.run()
    sandbox.answers(row("2", 9), row("3", 9), row("4", 5))
    held = sandbox.run()
    assert states(held) == [("", "accepted", 2), ("", "held", 0)]
    assert scores(held) == {"1": 5.0, "2": 4.0}
    assert answered(sandbox) == 2
    assert "2 of 3 rows broke the contract (satisfaction.maximum 2), more than 50%" in (
        held.held[0].reason or ""
    )
    assert rejects(sandbox.root, held.held[0])["line"].to_list() == [2, 3]
    assert_balanced(held)
    path.unlink()  # what was held is forgotten with its file
    assert states(sandbox.run()) == [("", "accepted", 2)]
    sandbox.answers(row("2", 3), row("3", 3), row("4", 5))
    mended = sandbox.run()
    assert states(mended) == [("", "accepted", 3)]
    assert scores(mended) == {"2": 3.0, "3": 3.0, "4": 5.0}


def test_a_mended_delivery_may_come_under_another_name(sandbox: Sandbox):
    broken = sandbox.answers(row("1", 9), name="answers_1.csv")
    assert [d.state for d in take(sandbox).deliveries] == ["held"]
    broken.unlink()
    sandbox.answers(row("1", 5), name="answers_2.csv")
    outcome = take(sandbox)
    assert states(outcome) == [("_2", "accepted", 1)]
    assert outcome.held == []


def test_a_file_whose_name_is_no_text_is_held_alone_until_it_is_renamed(sandbox: Sandbox):
    path = sandbox.answers(row("1", 5), name="answers_a.csv")
    odd = path.with_name(os.fsdecode(b"answers_m\xfcller.csv"))
    odd.write_text(path.read_text().replace("1,", "2,", 1))
    outcome = sandbox.run()
    (held,) = outcome.held
    assert held.source == r"inbox/answers_m\xfcller.csv"
    assert held.reason == rf"{held.source}: has a name that is no UTF-8. Rename it."
    assert scores(outcome) == {"1": 5.0}
    odd.rename(path.with_name("answers_mueller.csv"))
    outcome = sandbox.run()
    assert outcome.held == []
    assert len(scores(outcome)) == 2


def test_what_lies_in_the_inbox_and_is_no_file_is_held_until_it_is_one(sandbox: Sandbox):
    path = sandbox.answers(row("1", 5), name="answers_1.csv")
    os.mkfifo(path.with_name("answers_2.csv"))
    path.with_name("answers_3.csv").symlink_to("nowhere")
    path.with_name("answers_4.csv").mkdir()
    outcome = sandbox.run()
    said = [one.reason.partition(": ")[2].partition(". ")[0] for one in outcome.held if one.reason]
    assert said == [
        "is no file but something else, like a pipe",
        "is no file but a link to nothing",
        "is no file but a folder",
    ]
    assert scores(outcome) == {"1": 5.0}
    path.with_name("nowhere").write_text(path.read_text().replace("1,", "3,", 1))
    path.with_name("answers_2.csv").unlink()
    path.with_name("answers_4.csv").rmdir()
    outcome = sandbox.run()
    assert outcome.held == []
    assert len(scores(outcome)) == 2


def test_a_held_file_stays_held_until_it_or_its_contract_changes(sandbox: Sandbox):
    sandbox.answers(row("1", 9), row("2", 9), row("3", 5))
    assert len(take(sandbox).held) == 1
    assert len(take(sandbox).held) == 1
    sandbox.replace("contracts/survey.odcs.yaml", "maximum: 5", "maximum: 9")
    outcome = take(sandbox)
    assert states(outcome) == [("", "accepted", 3)]


def test_a_copy_of_a_held_file_brings_nothing_and_takes_nothing(sandbox: Sandbox):
    sandbox.answers(row("1"), name="answers_b.csv")
    take(sandbox)
    sandbox.answers(row("2", 9), name="answers_a.csv")
    sandbox.answers(row("2", 9), name="answers_b.csv")
    outcome = take(sandbox)
    assert states(outcome) == [("_a", "held", 0), ("_b", "accepted", 1), ("_b", "repeated", 0)]
    assert set(scores(outcome)) == {"1"}


# --- contracts and mappings that change


def test_a_changed_contract_judges_every_row_anew(sandbox: Sandbox):
    sandbox.answers(row("1", 5), row("2", 2), row("3", 6))
    first = take(sandbox)
    assert [(d.rows_accepted, d.rows_quarantined) for d in first.deliveries] == [(2, 1)]
    sandbox.replace("contracts/survey.odcs.yaml", "minimum: 1, maximum: 5", "minimum: 3, maximum: 6")
    second = take(sandbox)
    assert [(d.rows_accepted, d.rows_quarantined, dict(d.reasons)) for d in second.deliveries] == [
        (2, 1, {"satisfaction.minimum": 1})
    ]
    assert scores(second) == {"1": 5.0, "3": 6.0}


@pytest.mark.parametrize("gone", [False, True], ids=["there", "gone"])
def test_a_changed_mapping_tells_events_anew_from_what_was_landed(sandbox: Sandbox, *, gone: bool):
    path = sandbox.answers(row("1", 5), row("2", 4))
    sandbox.run()
    if gone:
        path.unlink()
    sandbox.replace("feeds/survey.yaml", "score: satisfaction", "score: satisfaction - 1")
    outcome = sandbox.run()
    assert scores(outcome) == {"1": 4.0, "2": 3.0}
    assert states(outcome) == [("", "accepted", 2)]
    assert sandbox.run().is_unchanged


def test_rows_that_a_changed_mapping_cannot_tell_are_rejects_and_come_back(sandbox: Sandbox):
    sandbox.answers(row("1", 5), row("2", ""), row("3", 3), row("4", 7))
    take(sandbox)
    sandbox.replace("feeds/survey.yaml", "score: satisfaction", "score: 1 / (satisfaction - 3)")
    told = take(sandbox).deliveries[0]
    assert (told.rows_read, told.rows_accepted, told.rows_quarantined) == (4, 2, 2)
    assert told.reasons == {"satisfaction.maximum": 1, "score.not_finite": 1}
    assert rejects(sandbox.root, told).select("line", "reasons").rows() == [
        (4, "score.not_finite"),
        (5, "satisfaction.maximum"),
    ]
    sandbox.replace("feeds/survey.yaml", "score: 1 / (satisfaction - 3)", "score: satisfaction * 2")
    outcome = take(sandbox)
    assert scores(outcome) == {"1": 10.0, "2": None, "3": 6.0}
    assert outcome.deliveries[0].reasons == {"satisfaction.maximum": 1}


def test_rows_of_a_gone_file_are_told_by_a_contract_with_other_columns(sandbox: Sandbox):
    path = sandbox.answers(row("1", 5, "order"), row("2", 4, "7"))
    take(sandbox)
    path.unlink()
    sandbox.replace(
        "contracts/survey.odcs.yaml",
        "- {name: about, required: true}",
        "- {name: about, logicalType: integer, required: true}\n      - {name: added}",
    )
    sandbox.replace(
        "feeds/survey.yaml", "attributes: {about: about}", "attributes: {new: added, topic: about}"
    )
    sandbox.replace("map/map.yaml", "where: {about: order}", "where: {topic: 7}")
    sandbox.replace("map/map.yaml", "where: {about: delivery}", "where: {new: x}")
    outcome = take(sandbox)
    told = outcome.deliveries[0]
    assert (told.rows_read, told.rows_accepted, dict(told.reasons)) == (2, 1, {"about.type": 1})
    assert scores(outcome) == {"2": 4.0}
    assert take(sandbox).read == ()


def test_an_expression_that_cannot_be_computed_of_the_rows_holds_the_delivery(sandbox: Sandbox):
    sandbox.replace("feeds/survey.yaml", "score: satisfaction", "score: CAST(about AS DOUBLE)")
    sandbox.answers(row("1", about="planted@secret.example"), row("2", about="7"))
    outcome = take(sandbox)
    reason = outcome.held[0].reason or ""
    assert reason.startswith(
        "inbox/answers.csv: an expression of survey.answers cannot be computed of its rows:"
    )
    assert "TRY_CAST" in reason
    assert not [path for path, text in words_below(sandbox.root / "warehouse") if "secret.example" in text]
    sandbox.replace("feeds/survey.yaml", "CAST(about", "TRY_CAST(about")
    assert scores(take(sandbox)) == {"1": None, "2": 7.0}


def test_a_changed_expression_that_cannot_be_computed_leaves_the_last_release(sandbox: Sandbox):
    sandbox.answers(row("1"))
    sandbox.run()
    sandbox.replace("feeds/survey.yaml", "score: satisfaction", "score: CAST(about AS DOUBLE)")
    with pytest.raises(FeedError, match=r"survey.answers: .* cannot be computed of its rows"):
        sandbox.run()
    assert answered(sandbox) == 1


# --- feeds and streams that come and go


def test_a_feed_that_leaves_the_workspace_takes_its_events_along(sandbox: Sandbox):
    sandbox.write(
        "feeds/other.yaml",
        FEED.replace("feed: survey", "feed: other").replace("inbox/answers", "inbox/others"),
    )
    sandbox.answers(row("1"))
    sandbox.answers(row("2"), name="others.csv")
    assert len(scores(take(sandbox))) == 2
    (sandbox.root / "feeds/other.yaml").unlink()
    outcome = sandbox.run()
    assert set(scores(outcome)) == {"1"}
    assert {d.feed for d in outcome.deliveries} == {"survey"}
    assert sandbox.table("data_trust")["feed"].to_list() == ["survey"]


def test_a_stream_that_leaves_its_feed_takes_its_events_along(sandbox: Sandbox):
    sandbox.answers(row("1"))
    take(sandbox)
    sandbox.replace("feeds/survey.yaml", "name: answers", "name: replies")
    outcome = take(sandbox)
    stored = outcome.absorbed.state.scan(["event_id"]).collect()["event_id"].to_list()
    assert stored == ["survey|replies|1|survey.answered"]
    assert [d.stream for d in outcome.deliveries] == ["replies"]


def test_a_file_that_is_still_being_written_is_left_to_the_next_run(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
):
    slept: list[float] = []
    monkeypatch.setattr("flows.feeds.file.time.sleep", slept.append)
    sandbox.replace("feeds/survey.yaml", "settle_seconds: 0", "settle_seconds: 3600")
    fresh = sandbox.answers(row("1"), name="answers_fresh.csv")
    old = sandbox.answers(row("2"), name="answers_old.csv")
    ahead = sandbox.answers(row("3"), name="answers_ahead.csv")
    _touch(old, -3601)
    _touch(ahead, 3600)  # a clock that is ahead of ours says nothing
    assert states(take(sandbox)) == [("_ahead", "accepted", 1), ("_old", "accepted", 1)]
    assert slept == [5.0]  # an hour is not waited for
    _touch(fresh, -3601)
    assert ("_fresh", "accepted", 1) in states(take(sandbox))


def _touch(path: os.PathLike[str], seconds: float) -> None:
    moment = time.time() + seconds  # noqa: TID251 - the file's clock is the machine's
    os.utime(path, (moment, moment))


# --- people


def test_the_columns_of_a_person_meet_expressions_as_tokens(sandbox: Sandbox):
    sandbox.replace("feeds/survey.yaml", "{about: about}", "{about: about, who: email}")
    sandbox.answers(row("planted"))
    outcome = take(sandbox)
    assert outcome.absorbed.state.codebook.values["attribute_who"][0].startswith("mail_")
    assert not [path for path, text in words_below(sandbox.root / "warehouse") if "planted@x" in text]


def test_keys_are_the_same_however_often_a_delivery_is_told(sandbox: Sandbox):
    """The key of an event is made of tokens when it is made of what tells a person, both times."""
    sandbox.replace("contracts/survey.odcs.yaml", "{name: answer_id, primaryKey: true, required: true}",
                    "{name: answer_id, primaryKey: true, customProperties: [{property: identity, value: external_id}]}")  # fmt: skip
    sandbox.answers(row("1"), row("2"))
    before = _ids(take(sandbox).deliveries[0], sandbox)
    sandbox.replace("feeds/survey.yaml", "score: satisfaction", "score: satisfaction - 1")
    outcome = take(sandbox)
    assert _ids(outcome.deliveries[0], sandbox) == before
    assert outcome.absorbed.state.rows == 2


def _ids(delivery: Delivery, sandbox: Sandbox) -> list[str]:
    told = pl.read_parquet(sandbox.root / "warehouse/store" / delivery.parts["events"])
    return sorted(told["event_id"])


def test_people_whose_address_turns_out_to_be_shared_are_told_apart(sandbox: Sandbox):
    """Whether their rows come one by one or all at once, what each of them lived through is their own."""
    member = "{name: member, customProperties: [{property: identity, value: external_id}]}"
    sandbox.replace(
        "contracts/survey.odcs.yaml", "      - {name: about,", f"      - {member}\n      - {{name: about,"
    )
    header = f"{ANSWERS_HEADER},member\n"
    people: dict[str, int] = {}
    for member in range(6):
        row = f"{member},info@x.example,2026-02-10 14:00:00,web,order,5,m{member}\n"
        sandbox.write(f"inbox/answers{member}.csv", header + row)
        state = sandbox.run().absorbed.state
        people[f"{member + 1} delivered"] = state.scan(["customer"]).collect()["customer"].n_unique()
    assert people == {
        "1 delivered": 1,
        "2 delivered": 1,
        "3 delivered": 1,
        "4 delivered": 4,
        "5 delivered": 5,
        "6 delivered": 6,
    }


NULLS = ("nulls: [n/a]", "n/a")


def test_a_null_tells_nobody(sandbox: Sandbox):
    sandbox.replace("feeds/survey.yaml", "format: csv", f"format: csv\n    {NULLS[0]}")
    sandbox.replace("contracts/survey.odcs.yaml", "value: email}]", "value: external_id}]")
    sandbox.answers(*(f"{i},{NULLS[1]},2026-02-10 09:00:00,web,order,5" for i in range(3)))
    outcome = take(sandbox)
    assert outcome.absorbed.state.scan(["customer"]).collect()["customer"].to_list() == [0, 0, 0]


@pytest.mark.parametrize(
    ("expression", "utc"),
    [
        ("CAST(answered_at AS DATE)", "2026-02-09 23:00"),  # a day begins in the workspace's zone
        ("STRPTIME('2026-02-10 09:00', '%Y-%m-%d %H:%M')", "2026-02-10 08:00"),
        ("STRPTIME('2026-02-10 09:00 +0000', '%Y-%m-%d %H:%M %z')", "2026-02-10 09:00"),
    ],
)
def test_dates_and_local_times_of_expressions_are_the_workspaces(sandbox: Sandbox, expression: str, utc: str):
    sandbox.replace("feeds/survey.yaml", "occurred_at: answered_at", f'occurred_at: "{expression}"')
    sandbox.answers(row("1"))
    stored: Callable[[], pl.DataFrame] = take(sandbox).absorbed.state.scan(["occurred_at"]).collect
    assert stored()["occurred_at"].dt.strftime("%Y-%m-%d %H:%M").to_list() == [utc]
