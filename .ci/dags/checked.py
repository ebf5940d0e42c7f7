"""A DAG that sends in every way that differs between the releases of Airflow."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pendulum

try:
    from airflow.sdk import DAG, task
except ImportError:  # Airflow 2
    from airflow import DAG
    from airflow.decorators import task

from airflow_provider_pinterest.operators.send_conversions import SendConversionsOperator

with DAG(dag_id="checked", schedule=None, start_date=pendulum.datetime(2025, 1, 1, tz="UTC")):
    SendConversionsOperator(
        task_id="query",
        sql="SELECT * FROM orders WHERE order_id >= :first ORDER BY order_id",
        sql_conn_id="warehouse",
        parameters={"first": "{{ dag.dag_id and 'order-1' }}"},
        defaults={"event_name": "checkout", "action_source": "web"},
        field_map={"order_id": "event_id"},
        rejects_path="{{ var.value.rejects }}",
        key_columns=["order_id"],
        max_rejected=0.5,
    )

    @task.pinterest_conversions(ad_account_id="1002", defaults={"event_name": "signup", "action_source": "web"})
    def decorated() -> Iterator[dict[str, Any]]:
        """Yield the rows of two people who signed up."""
        for number in (1, 2):
            yield {"event_id": f"signup-{number}", "event_time": int(time.time()), "email": f"ada{number}@example.com"}

    decorated()

    @task
    def upstream() -> list[dict[str, Any]]:
        """Return the rows that another task sends."""
        return [{"event_id": "lead-1", "event_time": int(time.time()), "email": "ada@example.com"}]

    SendConversionsOperator(
        task_id="given",
        events=upstream(),
        ad_account_id="1003",
        defaults={"event_name": "lead", "action_source": "web"},
    )
