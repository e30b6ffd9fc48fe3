"""How tables are made: pure functions, frame in, frame out.

The path of an event through this package:

    identity    tokens of one person become one customer
    normalize   a delivery's rows become events
    check       rows that break their contract are set aside, with reasons
    rules       ordered rules become one decision table
    slots       time becomes slots in which the day and every owner are constant
    match       events get their touchpoint and slot
    measure     the only pass over events: sums by slot and touchpoint
    cases       events about one subject become one case; handoffs and backlog
    score       sums become scorecards: periods, owners, intervals, goals, verdicts
    audit       the map held against the events: what nobody owns, measures or aims for

Nothing here knows the time, a file or a database, and nothing runs a query: functions over many rows
take and return lazy frames. The two array kernels, in `rules` and `slots`, have a reference in plain
expressions and a property test that holds them equal.
"""
