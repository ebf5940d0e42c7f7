"""What a conversion is: rows become valid, hashed, deduplicable Pinterest events.

Pure Python: nothing here imports Airflow or speaks HTTP. Data flows one way::

    fields (the table) → mapping (columns → fields, compiled once) → events (row → event or rejection)
    → duplicates (dropped and counted) → batches (≤ 1,000 events, ≤ max_batch_bytes)
"""

from __future__ import annotations
