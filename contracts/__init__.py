"""What we promise: the shape of everything that crosses a package boundary.

Read this package and you know the product. Nothing here reads a file, knows the time or imports
another package of ours.

    workspace.py        the folder a user keeps in git, and what stands in `answerable.yaml`
    feeds.py            a feed: where its files are, how to read them, which events they tell of
    odcs.py             a feed's contract: the part of ODCS v3.2 that we keep
    contract_suite.py   that contract as a suite of Great Expectations: plain values, without importing it
    contract_export.py  contracts of feeds and tables as ODCS, JSON Schema and suites
    accountability.py   the map: stages, touchpoints, seats, people, rules, metrics, goals
    map_checks.py       the map held against itself: every contradiction at once
    predicates.py       the small language of `where:`, shared by rules and metrics
    events.py           the canonical event, and the codes it is stored with
    tables/             every table that BI tools read, one class each, each with its grain
    dictionary.py       those classes as documentation and as Arrow schemas
    gx_polars/          Great Expectations on polars; imports nothing of the rest, and nothing imports it at its top
    documents.py        YAML with line numbers, bound to typed models
    errors.py           every error we raise on purpose, in one tree
"""
