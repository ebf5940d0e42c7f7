"""Rows from elsewhere, in row_batches with the same columns. Imports no Airflow.

``base`` says what a source has to offer. ``sql`` reads a query, with a reader for each driver in ``drivers`` and its
style of ``placeholders``; ``iterables`` reads lists and generators.
"""

from __future__ import annotations
