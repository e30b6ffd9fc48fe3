"""Larkspur, a synthetic online retailer whose exports carry planted truths.

The generator writes what the company's CRM, survey tool and help desk would export
(``inbox/``), together with everything it knows about those exports (``truth/``): who owned
each event, which rows are broken, and which changes are real.  Nothing in it is about a
real person or company.
"""
