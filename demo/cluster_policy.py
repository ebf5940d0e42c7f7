"""The cluster policy of the demo's Airflow, which it has as ``airflow_local_settings.py``.

The example DAGs do not name an outcome table. The policy gives one to every task that sends, as an administrator can do
for all DAGs. Store sales, which Pinterest cannot deduplicate, skip the events that are processed in the table.
"""

from __future__ import annotations

from typing import Any


def task_policy(task: Any) -> None:
    """Change a task when its DAG is loaded."""
    if hasattr(task, "outcomes_conn_id"):
        task.outcomes_conn_id = "outcomes"
        task.skip_already_sent = task.dag_id == "pinterest_store_sales"
