"""Getting batches accepted, and accounting for every row.

Imports no Airflow. Data flows one way::

    credentials, pace → client (one call) → answers (what came back) → decide (what to do next)
    → sender (a batch until it is settled) → run (rows in, outcomes out) → rejects, result
"""

from __future__ import annotations
