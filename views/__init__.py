"""What people look at: terminal tables and pages. Frames in, text out; nothing is read from disk.

terminal.py     tables and reports for the terminal
dictionary.py   the data dictionary as Markdown and as a page
quality.py      the data-quality page
beside.py       the files that stand beside a release: views.sql, dictionary.html
"""
