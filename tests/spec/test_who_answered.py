"""# Who was asked, who answered

An answer belongs to the invitation it answers: it counts for the day on which somebody was asked, however late
it comes, and it has the invitation's dimensions. Who answered is held against who was there.
"""

from datetime import date

import polars as pl
import pytest

from contracts.tables import SampleMix, WhoAnswered
from tests.conftest import drawn
from tests.spec.pipeline import BERLIN, a_map, coded
from transforms.match import Matcher, match
from transforms.methods.representation import mix_distance
from transforms.periods import Calendar
from transforms.rules import compile_rules
from transforms.sampling import (
    answer_delays,
    asked_and_answered,
    people_asked,
    sampled_by_period,
    sampled_daily,
)
from transforms.slots import slots
from transforms.who_answered import Names, sample_mix, who_answered

CSAT = (
    "{id: csat, name: CSAT, estimator: csat, where: {kind: answered}, sample: "
    "{asked: {kind: asked}, bounced: {kind: bounced}, lived: {kind: lived}, by: plan, answer_days: 7}}"
)
WORDS = "occurred_at | kind | subject_id | subject_type | customer | score | attribute_plan"
"""A Monday to a Sunday: 2 to 8 March 2026."""


def sampled(text: str, metric: str = CSAT, known: str = "2026-04-01") -> dict[str, pl.DataFrame]:
    """Drawn events through everything that samples are made of; all is known until a day."""
    atlas, last = a_map(metric), date(2026, 3, 31)
    stored, codebook = coded(drawn(text))
    days = slots((), ["point"], date(2026, 2, 1), last, BERLIN)
    matched = match(stored.lazy(), Matcher(compile_rules(atlas.rules, codebook), days, ["point"]))
    told, lived = asked_and_answered(matched.collect().lazy(), atlas.metrics, codebook)
    until = pl.LazyFrame(
        {"touchpoint": [1], "metric": [1], "known_until": [date.fromisoformat(known)]},
        schema={"touchpoint": pl.UInt16, "metric": pl.UInt16, "known_until": pl.Date},
    )
    names = Names(atlas, codebook)
    daily = sampled_daily(told, lived, atlas.metrics, days, until).collect().lazy()
    periods = sampled_by_period(daily, Calendar(date(2026, 2, 1), last)).collect().lazy()
    return {
        "mix": sample_mix(periods, names).collect(),
        "answered": who_answered(periods, names).collect(),
        "delays": answer_delays(told, atlas.metrics, days, until).collect(),
        "people": people_asked(told, atlas.metrics, days).collect(),
    }


def week(found: dict[str, pl.DataFrame], segment: str = "all", start: str = "2026-03-02") -> dict:
    rows = found["mix"].filter(
        pl.col("period").cast(pl.String) == "week",
        pl.col("period_start") == date.fromisoformat(start),
        pl.col("segment") == segment,
    )
    SampleMix.validate(rows, cast=True)
    return rows.row(0, named=True)


BY_HAND = f"""
{WORDS}
2026-03-02 09:00 | asked    | i1 | invitation | 1 | | gold
2026-03-02 09:00 | asked    | i2 | invitation | 2 | | gold
2026-03-03 09:00 | asked    | i3 | invitation | 3 | | blue
2026-03-03 09:00 | asked    | i4 | invitation | 4 | | blue
2026-03-03 09:00 | asked    | i5 | invitation | 5 | | blue
2026-03-03 09:01 | bounced  | i5 | invitation | 5 | |
2026-03-02 12:00 | answered | i1 | invitation | 1 | 5 |
2026-03-02 12:05 | answered | i1 | invitation | 1 | 4 |
2026-03-09 09:00 | answered | i3 | invitation | 3 | 2 |
2026-03-10 09:01 | answered | i4 | invitation | 4 | 5 |
2026-03-04 09:00 | answered | i9 | invitation | 9 | 1 |
2026-03-02 08:00 | lived    | | | 1 | | gold
2026-03-02 08:00 | lived    | | | 3 | | blue
2026-03-02 08:00 | lived    | | | 4 | | blue
2026-03-02 08:00 | lived    | | | 7 | | blue
"""


def test_a_response_rate_by_hand():
    """Five were asked, one invitation bounced. i1 answered (twice, counted once), i3 in time in the week after,
    i4 a minute after its seven days; i9 was never asked. So 2 of 4; four answers came in the week."""
    found = week(sampled(BY_HAND))
    assert (found["asked_count"], found["ripe_count"], found["answered_count"]) == (4, 4, 2)
    assert found["response_rate"] == 0.5
    assert (found["n"], found["lived_count"]) == (3, 4)


def test_an_answer_has_the_dimensions_of_its_invitation():
    found = sampled(BY_HAND)
    assert (week(found, "gold")["n"], week(found, "gold")["asked_count"]) == (2, 2)
    assert week(found, "blue")["response_rate"] == 0.5
    assert week(found, "(none)")["n"] == 1, "of i9 nothing is known"
    assert week(found, "blue", "2026-03-09")["n"] == 2, "they came in the week after"


@pytest.mark.parametrize(
    ("known", "ripe", "rate"),
    [
        pytest.param("2026-03-11", 4, 0.5, id="seven days and the day itself are over for all"),
        pytest.param("2026-03-10", 2, 0.5, id="those of Tuesday may still answer"),
        pytest.param("2026-03-09", 0, None, id="nobody's time is over"),
    ],
)
def test_whoever_may_still_answer_is_not_in_the_base(known: str, ripe: int, rate: float | None):
    found = week(sampled(BY_HAND, known=known))
    assert (found["asked_count"], found["ripe_count"], found["response_rate"]) == (4, ripe, rate)


def test_without_subjects_answers_are_held_against_those_asked_on_their_day():
    found = week(
        sampled(
            f"""
            {WORDS}
            2026-03-02 09:00 | asked    | | | 1 | |
            2026-03-02 09:00 | asked    | | | 2 | |
            2026-03-02 12:00 | answered | | | 1 | 5 |
            """
        )
    )
    assert (found["asked_count"], found["answered_count"], found["response_rate"]) == (2, 1, 0.5)


def test_how_long_an_answer_takes_is_the_median_of_those_asked_in_a_week():
    """3 h, 3 h 5 min and 144 h."""
    delays = sampled(BY_HAND)["delays"]
    assert delays.select("week_start", "n", "minutes").rows() == [(date(2026, 3, 2), 3, 185.0)]


def test_somebody_asked_twice_in_a_week_is_one_person():
    people = sampled(BY_HAND.replace("i2 | invitation | 2", "i2 | invitation | 1"))["people"]
    assert sorted(people["people"].to_list()) == [1, 2]


LIVED = ["2026-03-02 08:00 | lived | | | {n} | | " + ("gold" if n < 2 else "blue") for n in range(8)]


def many(gold: int, blue: int, good_gold: int, good_blue: int, day: str = "2026-03-03") -> list[str]:
    """Answers of gold and blue customers, the first so many of them good."""
    rows = []
    for plan, size, good in (("gold", gold, good_gold), ("blue", blue, good_blue)):
        for place in range(size):
            score = 5 if place < good else 1
            rows.append(f"{day} 12:00 | answered | | | {place} | {score} | {plan}")
    return rows


def test_a_post_stratified_score_by_hand():
    """A quarter of those who were there is gold, but 6 of 8 answers are: half would have to come from blue.

    Raw 6 of 8. Gold: 6 of 6 good, blue: 0 of 2; weighted 0.25 x 1 + 0.75 x 0 = 0.25. Weights 2/6 and 6/2: n_eff =
    8^2 / (6 (1/3)^2 + 2 3^2) = 64 / 18.667 = 3.4286.
    By chance: two cells, each root(2 x 0.25 x 0.75 (1/8 + 1/8) / pi) = 0.17275, half their sum 0.17275.
    """
    text = "\n".join([WORDS, *(row.format(n=n) for n, row in enumerate(LIVED)), *many(6, 2, 6, 0)])
    found = sampled(text)["answered"].filter(pl.col("period").cast(pl.String) == "week").row(0, named=True)
    assert (found["held_against"], found["n"]) == ("lived", 8)
    assert found["mix_distance"] == pytest.approx(0.5)
    assert found["mix_by_chance"] == pytest.approx(0.17275, abs=1e-5)
    assert found["mix_excess"] == pytest.approx(0.32725, abs=1e-5)
    assert (found["value"], found["adjusted_value"]) == (0.75, pytest.approx(0.25))
    assert found["effective_n"] == pytest.approx(3.4286, abs=1e-4)


def test_a_change_of_who_answered_by_hand():
    """The week before 2 gold (all good) and 6 blue (none): 25 %. Then 6 and 2: 75 %, though nobody changed."""
    text = "\n".join([WORDS, *many(2, 6, 2, 0, "2026-03-03"), *many(6, 2, 6, 0, "2026-03-10")])
    found = sampled(text, CSAT.replace("lived: {kind: lived}, ", ""))["answered"]
    WhoAnswered.validate(found, cast=True)
    later = found.filter(
        pl.col("period").cast(pl.String) == "week", pl.col("period_start") == date(2026, 3, 9)
    ).row(0, named=True)
    assert (later["change"], later["change_by_who"], later["change_by_rest"]) == pytest.approx(
        (0.5, 0.5, 0.0)
    )
    assert later["share_by_who"] == pytest.approx(1.0)
    assert (later["held_against"], later["mix_excess"], later["adjusted_value"]) == (None, None, None)


def test_a_kind_of_customer_nobody_answered_for_leaves_the_score_unadjusted():
    text = "\n".join([WORDS, *(row.format(n=n) for n, row in enumerate(LIVED)), *many(8, 0, 8, 0)])
    found = sampled(text)["answered"].filter(pl.col("period").cast(pl.String) == "week").row(0, named=True)
    assert (found["adjusted_value"], found["mix_distance"]) == (None, pytest.approx(0.75))


def test_no_sample_no_tables():
    found = sampled(BY_HAND, "{id: csat, name: CSAT, estimator: csat, where: {kind: answered}}")
    assert [frame.height for frame in found.values()] == [0, 0, 0, 0]


def test_a_sample_that_is_a_picture_has_no_excess():
    cells = pl.LazyFrame({"answered": [20, 80], "there": [200, 800]})
    found = mix_distance(cells).collect().row(0, named=True)
    assert (found["distance"], found["excess"]) == (pytest.approx(0.0, abs=1e-9), 0.0)


def test_days_are_told_apart_at_the_local_midnight():
    """Half past midnight on Monday in Berlin is still Sunday in UTC."""
    found = sampled(f"{WORDS}\n2026-03-09 00:30 | asked | i1 | invitation | 1 | | gold")
    assert week(found, start="2026-03-09")["asked_count"] == 1
