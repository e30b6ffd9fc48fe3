"""Survey invitations and answers.

Triggers are what invitations follow: at (UTC s), customer (row number in People), reference
(order or ticket id, empty where the survey names none), in order of time.
"""

from collections.abc import Iterator

import numpy as np
import polars as pl

from examples.larkspur import plan, when
from examples.larkspur.chance import choose, lags
from examples.larkspur.people import People, noisy_email
from examples.larkspur.plan import Survey

_STOP = when.seconds(plan.SURVEYS_STOP)
_SENT_AFTER = (plan.HOUR, 30 * plan.HOUR)  # wait from the trigger to the invitation
_ANSWER_MEDIAN, _ANSWER_SPREAD = 6 * plan.HOUR, 1.2
_ANSWER_WITHIN = 9 * plan.DAY

_HAPPY = np.array([4, 5])
_UNHAPPY = np.array([1, 2, 3])
_COMMENTED = 0.22
_COMMENTS = np.array(
    [
        "All fine, thank you.",
        "Quick and easy",
        "Good; would order again",
        "Took longer than promised",
        'The page said "in stock"; it was not',
        "Friendly people",
        "Line one was fine.\nLine two was not.",
        "Schöne Sachen, gern wieder",
        "Too many e-mails, too few answers",
        "Nothing to add",
        "It works;\nthat is all I ask",
        "Könnte schneller gehen",
    ]
)


def triggers_of(
    survey: Survey, history: pl.DataFrame, tickets: pl.DataFrame, customers: pl.DataFrame
) -> pl.DataFrame:
    """Return what the invitations of a survey follow.

    Args:
        survey: The survey.
        history: One row a CRM event: at, customer, stage, order_id.
        tickets: One row a solved ticket: solved (UTC s), customer, channel, ticket_id.
        customers: One row a moment to ask anybody: at, customer.

    Returns:
        The triggers of the survey.

    """
    if survey.after == "customer":
        found = customers.with_columns(pl.lit("").alias("reference"))
    elif survey.after in {"ticket", "chat"}:
        chat = pl.col("channel") == "chat"
        found = tickets.filter(chat if survey.after == "chat" else ~chat)
        found = found.rename({"solved": "at", "ticket_id": "reference"})
    else:
        found = history.filter(pl.col("stage") == survey.after)
        reference = pl.col("order_id") if survey.name in plan.REFERRING else pl.lit("")
        found = found.with_columns(reference.alias("reference"))
    return found.select("at", "customer", "reference").sort("at", "customer")


def invite(rng: np.random.Generator, survey: Survey, triggers: pl.DataFrame, answers: float) -> pl.DataFrame:
    """Invite a fixed number of people a week, spread evenly over the week's triggers.

    Args:
        rng: Source of chance.
        survey: The survey.
        triggers: What the invitations follow.
        answers: How many of a week's invitations are answered.

    Returns:
        One row an invitation: sent (UTC s), survey, customer, reference, answered (bool).

    """
    answered = max(1, round(answers))
    asked = round(answered / plan.RESPONSE)
    start = np.arange(when.WINDOW[0], _STOP, plan.WEEK)
    at = triggers["at"].to_numpy()
    edges = np.searchsorted(at, np.append(start, start[-1] + plan.WEEK))
    first, have = edges[:-1, None], np.diff(edges)[:, None]
    turn = np.arange(asked) + rng.random((len(start), 1))
    # A week without triggers asks about the latest one before it.
    place = np.where(have > 0, first + (turn * have / asked).astype(np.int64), first - 1)
    wait = rng.integers(*_SENT_AFTER, place.shape)
    anytime = start[:, None] + rng.integers(0, plan.WEEK, place.shape)
    sent = np.where(have > 0, at[place] + wait, np.maximum(anytime, at[place] + wait))
    responds = rng.permuted(np.tile(np.arange(asked) < answered, (len(start), 1)), axis=1)
    keep = ((place >= 0) & (sent <= _STOP)).ravel()
    rows = triggers[place.ravel()[keep]].select("customer", "reference")
    return rows.with_columns(
        pl.Series("sent", sent.ravel()[keep]),
        pl.lit(survey.name).alias("survey"),
        pl.Series("answered", responds.ravel()[keep]),
    )


def invite_registered(
    rng: np.random.Generator, triggers: pl.DataFrame, people: People, answers: int
) -> pl.DataFrame:
    """Invite the newly registered: fairly at first, mostly one segment after the drift."""
    survey = plan.SURVEY["registration"]
    segment = people.table["segment"].gather(triggers["customer"])
    favoured = segment == plan.DRIFT_SEGMENT
    drifts = when.seconds(plan.REGISTRATION_DRIFTS)
    fair = invite(rng, survey, triggers, answers)
    most = invite(rng, survey, triggers.filter(favoured), answers * plan.DRIFT_SHARE)
    rest = invite(rng, survey, triggers.filter(~favoured), answers * (1 - plan.DRIFT_SHARE))
    after = pl.concat([most, rest]).filter(pl.col("sent") >= drifts)
    return pl.concat([fair.filter(pl.col("sent") < drifts), after])


def invite_all(
    rng: np.random.Generator,
    people: People,
    scale: float,
    happened: tuple[pl.DataFrame, pl.DataFrame],
) -> pl.DataFrame:
    """Send the invitations of all surveys; only customers with an e-mail address get any.

    Args:
        rng: Source of chance.
        people: The customers.
        scale: Multiplies the weekly answers, which never fall below each survey's fewest.
        happened: The CRM history and the solved tickets, as ``triggers_of`` takes them.

    Returns:
        One row an invitation in order of time: invitation_id, survey, customer, segment,
        email (as written), sent (UTC s), channel, reference, answered (bool).

    """
    count = plan.volume("browsed", scale)
    moment = when.draw(rng, count)
    customers = pl.DataFrame({"at": moment, "customer": people.pick(rng, moment)})
    frames = []
    for survey in plan.SURVEYS:
        triggers = triggers_of(survey, *happened, customers)
        reachable = people.table["email"].gather(triggers["customer"]).is_not_null()
        triggers = triggers.filter(reachable)
        if survey.name == "registration":
            frames.append(invite_registered(rng, triggers, people, survey.weekly(scale)))
        else:
            frames.append(invite(rng, survey, triggers, survey.weekly(scale)))
    sent = pl.concat(frames).sort("sent", "survey", "customer", "reference", "answered")
    return sent.with_columns(
        _running_id("I", len(sent)).alias("invitation_id"),
        people.table["segment"].gather(sent["customer"]).alias("segment"),
        noisy_email(rng, people.table["email"].gather(sent["customer"])).alias("email"),
        pl.Series("channel", choose(rng, len(sent), plan.SURVEY_CHANNELS)),
    )


def answer(rng: np.random.Generator, people: People, invitations: pl.DataFrame) -> pl.DataFrame:
    """Answer invitations, as people truly feel.

    Args:
        rng: Source of chance.
        people: The customers.
        invitations: The invitations that are answered.

    Returns:
        One row an answer inside the life of the feed: at (UTC s), invitation_id, survey,
        customer, segment, email (as written), channel, nps, csat, ces, comment.

    """
    wait = lags(rng, len(invitations), _ANSWER_MEDIAN, _ANSWER_SPREAD) + plan.MINUTE
    at = pl.col("sent") + pl.Series(np.minimum(wait, _ANSWER_WITHIN))
    rows = invitations.with_columns(at.alias("at")).filter(pl.col("at") <= _STOP)
    count = len(rows)
    emails = people.table["email"].gather(rows["customer"])
    rows = rows.select(
        "at",
        "invitation_id",
        "survey",
        "customer",
        "segment",
        noisy_email(rng, emails).alias("email"),
        "channel",
    )
    rows = rows.with_columns(
        pl.Series("nps", _nps(rng, count)),
        pl.Series("csat", _csat(rng, rows)),
        pl.Series("ces", _ces(rng, count)),
        pl.Series("comment", _comments(rng, count)),
        pl.Series("skips", rng.random(count) < plan.SKIPS_EFFORT),
    )
    return _only_asked(rows)


def finish(answers: pl.DataFrame) -> pl.DataFrame:
    """Put answers in order of time and give each its answer_id."""
    ordered = answers.sort("at", "invitation_id")
    return ordered.with_columns(_running_id("A", len(ordered)).alias("answer_id"))


def _running_id(letter: str, count: int) -> pl.Series:
    numbers = pl.Series(np.arange(1, count + 1)).cast(pl.String).str.zfill(7)
    return letter + numbers


def _spells(rows: pl.DataFrame) -> Iterator[tuple[np.ndarray, float]]:
    """Yield the row numbers of the answers that share one truth, and their share of 4 or 5."""
    names, at = rows["survey"].to_numpy(), rows["at"].to_numpy()
    segments = rows["segment"].to_numpy()
    for survey in plan.SURVEYS:
        ends = [since for since, _ in survey.shares[1:]] + [plan.WINDOW_UNTIL]
        for (since, share), until in zip(survey.shares, ends, strict=False):
            spell = (at >= when.seconds(since)) & (at < when.seconds(until))
            spell &= names == survey.name
            if survey.name != "registration":
                yield np.flatnonzero(spell), share
                continue
            for segment, own_share in plan.REGISTRATION_SHARES.items():
                yield np.flatnonzero(spell & (segments == segment)), own_share


def _csat(rng: np.random.Generator, rows: pl.DataFrame) -> np.ndarray:
    """Draw csat (1-5).

    Over each spell the share of 4 and 5 is exactly the true one, so that the data never
    contradict the truth; from week to week it moves by chance.
    """
    csat = rng.choice(_UNHAPPY, len(rows), p=[0.25, 0.30, 0.45])
    happy = rng.choice(_HAPPY, len(rows), p=[0.45, 0.55])
    for spell, share in _spells(rows):
        chosen = rng.permutation(spell)[: round(share * len(spell))]
        csat[chosen] = happy[chosen]
    return csat


def _ces(rng: np.random.Generator, count: int) -> np.ndarray:
    """Draw ces (1-7): 5 to 7 as often as things are truly easy."""
    return np.where(rng.random(count) < plan.EASY, rng.integers(5, 8, count), rng.integers(1, 5, count))


def _nps(rng: np.random.Generator, count: int) -> np.ndarray:
    """Draw nps (0-10): promoters 9-10, passives 7-8, detractors 0-6."""
    mood = rng.random(count)
    score = rng.integers(7, 9, count)
    score = np.where(mood < plan.PROMOTERS, rng.integers(9, 11, count), score)
    return np.where(mood >= 1 - plan.DETRACTORS, rng.integers(0, 7, count), score)


def _comments(rng: np.random.Generator, count: int) -> np.ndarray:
    """Draw comments; most people leave none."""
    said = _COMMENTS[rng.integers(0, len(_COMMENTS), count)]
    return np.where(rng.random(count) < _COMMENTED, said, "")


def _only_asked(rows: pl.DataFrame) -> pl.DataFrame:
    """Empty the questions a survey does not ask, and the ces some people skip."""
    asked = {
        question: [survey.name for survey in plan.SURVEYS if question in survey.questions]
        for question in ("nps", "csat", "ces")
    }
    skips = pl.col("skips")
    return rows.with_columns(
        pl.when(pl.col("survey").is_in(names) & ~(skips & (question == "ces"))).then(question)
        for question, names in asked.items()
    ).drop("skips")
