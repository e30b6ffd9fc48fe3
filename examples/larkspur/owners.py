"""The true owner and customer of every event, from the plan alone."""

import polars as pl

from examples.larkspur import plan, when
from examples.larkspur.people import People
from examples.larkspur.tickets import Desk

QUESTIONS = ("nps", "csat", "ces")


def terms() -> pl.DataFrame:
    """Return one row a touchpoint and term: touchpoint, since (UTC us), person or null."""
    rows = [
        (touchpoint, term.since, term.person)
        for seat in plan.SEATS
        for touchpoint in seat.touchpoints
        for term in seat.terms
    ]
    schema = {"touchpoint": pl.String, "since": pl.Datetime("us", plan.ZONE), "person": pl.String}
    frame = pl.DataFrame(rows, schema=schema, orient="row")
    return frame.with_columns(pl.col("since").dt.convert_time_zone("UTC")).sort("since")


def history_events(rows: pl.DataFrame) -> pl.DataFrame:
    """Return one row a CRM event; the CRM names the customer itself."""
    return rows.select(
        pl.lit("crm").alias("feed"),
        pl.col("history_id").alias("native_id"),
        when.instant(),
        pl.col("stage").replace_strict(plan.STAGES, return_dtype=pl.String).alias("touchpoint"),
        "customer_id",
    )


def survey_events(people: People, invitations: pl.DataFrame, answers: pl.DataFrame) -> pl.DataFrame:
    """Return one row an invitation or answered question.

    A survey row carries an e-mail address alone: where several customers share it, nobody
    can tell whose event it is.
    """
    sent = invitations.select(
        pl.col("invitation_id").alias("native_id"), pl.col("sent").alias("at"), "survey", "customer"
    )
    asked = [
        answers.filter(pl.col(question).is_not_null()).select(
            pl.format("{}:{}", "answer_id", pl.lit(question)).alias("native_id"),
            "at",
            "survey",
            "customer",
        )
        for question in QUESTIONS
    ]
    rows = pl.concat([sent, *asked])
    touchpoints = {survey.name: survey.touchpoint for survey in plan.SURVEYS}
    who = people.table[rows["customer"]]
    alone = pl.lit(~who["shares_email"])
    return rows.select(
        pl.lit("survey").alias("feed"),
        "native_id",
        when.instant(),
        pl.col("survey").replace_strict(touchpoints).alias("touchpoint"),
        pl.when(alone).then(pl.lit(who["customer_id"])).alias("customer_id"),
    )


def ticket_events(people: People, desk: Desk) -> pl.DataFrame:
    """Return one row a good history entry of a good ticket.

    The customer is null where the ticket's e-mail address and phone fit several customers.
    """
    ids = people.table["customer_id"].gather(desk.tickets["customer"])
    tickets = desk.tickets.select(
        pl.int_range(pl.len()).alias("ticket"),
        "ticket_id",
        pl.when(pl.col("channel") == "chat")
        .then(pl.lit("chat"))
        .otherwise(pl.lit("help_desk"))
        .alias("touchpoint"),
        pl.when("known").then(pl.lit(ids)).alias("customer_id"),
    )
    return (
        good_entries(desk)
        .join(tickets, on="ticket", maintain_order="left")
        .select(
            pl.lit("tickets").alias("feed"),
            pl.format("{}#{}", "ticket_id", "seq").alias("native_id"),
            when.instant(),
            "touchpoint",
            "customer_id",
        )
    )


def good_entries(desk: Desk) -> pl.DataFrame:
    """Return the entries with an instant of the tickets whose line is whole."""
    good = desk.tickets["fault"].is_null()
    return desk.entries.filter(pl.col("fault").is_null() & pl.lit(good).gather("ticket"))


def attribute(events: pl.DataFrame) -> pl.DataFrame:
    """Find the person who held each event's touchpoint at its instant.

    Args:
        events: One row an event: feed, native_id, occurred_at (UTC us), touchpoint or null,
            customer_id or null.

    Returns:
        The same with person (null: nobody), by feed, instant and native_id.

    """
    ordered = events.sort("occurred_at", "feed", "native_id")
    held = ordered.join_asof(
        terms(),
        left_on="occurred_at",
        right_on="since",
        by="touchpoint",
        strategy="backward",
        check_sortedness=False,
    )
    columns = ["feed", "native_id", "occurred_at", "touchpoint", "person", "customer_id"]
    return held.select(columns).sort("feed", "occurred_at", "native_id")
