"""The heavy lane: what Prefect schedules, watches and begins again. With `flows/pipeline.py` the only modules that import it."""
