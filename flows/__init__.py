"""When things happen: the flows, the feeds they read, and the command line.

workspace.py   the folder a user keeps in git, read and checked whole
stages.py      land, absorb, measure, score, audit, publish: each callable without Prefect
run.py         the stages one after the other, in this process
pipeline.py    the same stages as a Prefect flow; the only module that imports Prefect
feeds/         one module per kind of feed
cli.py         the command line; commands/ holds one module per command
"""

from flows.interpreter import choose_sorting

choose_sorting()  # before anything of ours loads numpy: on the command line, and in a process of Prefect's
