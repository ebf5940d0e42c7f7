"""Send events that another task made.

Not everything is a query. Two ways to send what Python fetched:

- `@task.pinterest_conversions` turns a function that returns rows into the sending task itself. Prefer it:
  the rows never leave the worker but to Pinterest.
- `send_app_events` takes the rows that an upstream task returned. They travel by XCom, which keeps them, with
  the people in them, in Airflow's database, and the upstream task would log what it returns: hence
  `show_return_value_in_logs=False`. It is for hundreds or thousands of events that another task needs as
  well.

Rows are dictionaries: flat ones, whose keys are read like a query's columns, or ready events, nested as in
Pinterest's API. Both are normalised, hashed and validated alike.

**Needs** the connections `pinterest_default` and `warehouse`, optionally the Variable
`pinterest_rejects_path`.
"""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pendulum
from airflow.providers.common.compat.sdk import DAG, BaseHook, task
from airflow.timetables.interval import CronDataIntervalTimetable

from airflow_provider_pinterest.operators.send_conversions import SendConversionsOperator

REJECTS_PATH = "{{ var.value.get('pinterest_rejects_path', '/tmp/pinterest-rejects') }}"
APP_EVENTS = Path(__file__).parent / "sql" / "app_events.sql"


def rows_of(sql: str, start: pendulum.DateTime, end: pendulum.DateTime) -> list[dict[str, Any]]:
    """Fetch a window of the warehouse as dictionaries; stands for whatever your task fetches from."""

    def as_dictionaries(cursor: Any) -> list[dict[str, Any]]:
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor]

    hook = BaseHook.get_hook("warehouse")
    rows: list[dict[str, Any]] = hook.run(
        sql, parameters={"start": str(start), "end": str(end)}, handler=as_dictionaries
    )
    return rows


with DAG(
    dag_id="pinterest_events_from_task",
    doc_md=__doc__,
    schedule=CronDataIntervalTimetable("*/15 * * * *", timezone="UTC"),
    start_date=pendulum.datetime(2026, 11, 21, tz="UTC"),  # the day you go live
    catchup=True,  # a window that an outage left out is sent later, not lost
    max_active_runs=1,
    default_args={"retries": 3, "retry_delay": timedelta(minutes=1)},
    tags=["pinterest"],
):

    @task(show_return_value_in_logs=False)  # the rows hold personal data
    def app_events(data_interval_start: Any = None, data_interval_end: Any = None) -> list[dict[str, Any]]:
        """Return flat rows; the sending task says what their names mean."""
        return rows_of(APP_EVENTS.read_text(encoding="utf-8"), data_interval_start, data_interval_end)

    SendConversionsOperator(
        task_id="send_app_events",
        events=app_events(),  # of an operator that is not a function: events=fetch.output
        field_map={
            "platform": "action_source",
            "occurred_ms": "event_time",
            "product_id": "content_ids",
            "device": "device_info",
        },
        max_rejected=10,  # rows; a fraction such as 0.01 is a share of those read
        rejects_path=REJECTS_PATH,
        key_columns=["customer_id"],
    )

    @task.pinterest_conversions(rejects_path=REJECTS_PATH)
    def send_signups(data_interval_start: Any = None, data_interval_end: Any = None) -> list[dict[str, Any]]:
        """Return ready events: the sign-up service keeps them as JSON."""
        query = "SELECT payload FROM signups WHERE loaded_at >= datetime(:start) AND loaded_at < datetime(:end)"
        return [json.loads(row["payload"]) for row in rows_of(query, data_interval_start, data_interval_end)]

    send_signups()
