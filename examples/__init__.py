"""Worked examples: synthetic companies with known truths."""
