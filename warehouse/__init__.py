"""Where things are kept: every read and write of durable state.

    <warehouse>/store/        events by month, codes, identity, deliveries; truth: store/commits
    <warehouse>/published/    released tables; truth: published/releases; `current` points at the newest
    <warehouse>/ledger.db     runs, releases, map versions, for people and queries

A file is written once under a name that is never reused; a numbered manifest, created only if absent,
says which files belong together. So a killed run leaves at most files that no manifest names, and a
reader that follows one manifest never sees two runs mixed. What no manifest names may be deleted
after a day; everything but the store and the ledger can be made again.
"""
