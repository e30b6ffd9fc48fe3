"""Migrations of the ledger, run by `warehouse.ledger` when its database is behind."""
