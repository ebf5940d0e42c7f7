"""Send events that another task has created.

There are two ways to send rows that Python has fetched:

- `@task.pinterest_conversions` turns a function that returns rows into a sending task. Prefer it, because
  the rows leave the worker only to Pinterest.
- `send_app_events` sends the rows that an upstream task returns. XCom stores these rows, with personal data, in
  Airflow's database. By default, the upstream task also logs them; `show_return_value_in_logs=False` prevents that. Use
  it for hundreds or thousands of events that another task needs too.

Rows are dictionaries. They are flat, with keys like the columns of a query, or nested, like events in Pinterest's API.
Both are normalised, hashed and validated in the same way.

**Going live.** Unpausing starts one run, for the last complete window. Windows that Airflow misses later,
because it is down or the DAG is paused, are then not sent. To have them sent afterwards, set `catchup=True`
together with a `start_date` of now: every window since `start_date` gets a run.

**Needs** the connections `pinterest_default` and `warehouse`, optionally the Variable
`pinterest_rejects_path`.
"""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pendulum
from airflow.timetables.interval import CronDataIntervalTimetable

from airflow_provider_pinterest.operators.send_conversions import SendConversionsOperator

try:
    from airflow.sdk import DAG, task
except ImportError:  # Airflow 2.11
    from airflow import DAG
    from airflow.decorators import task

try:
    from airflow.sdk import BaseHook
except ImportError:  # before Airflow 3.1
    from airflow.hooks.base import BaseHook

REJECTS_PATH = "{{ var.value.get('pinterest_rejects_path', '/tmp/pinterest-rejects') }}"
WINDOW = {"start": "{{ data_interval_start }}", "end": "{{ data_interval_end }}"}


def rows_of(sql: str, window: dict[str, str]) -> list[dict[str, Any]]:
    """Fetch a window of the warehouse as dictionaries. Your task may use any source."""

    def as_dictionaries(cursor: Any) -> list[dict[str, Any]]:
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor]

    hook = BaseHook.get_hook("warehouse")
    rows: list[dict[str, Any]] = hook.run(sql, parameters=window, handler=as_dictionaries)
    return rows


with DAG(
    dag_id="pinterest_events_from_task",
    doc_md=__doc__,
    schedule=CronDataIntervalTimetable("*/15 * * * *", timezone="UTC"),
    start_date=pendulum.datetime(2026, 11, 21, tz="UTC"),
    catchup=False,  # when you go live: True, and start_date is then
    max_active_runs=1,
    default_args={"retries": 3, "retry_delay": timedelta(minutes=1)},
    tags=["pinterest"],
):
    # The rows hold personal data, so they stay out of the log. Arguments that end in .sql are files to render.
    @task(show_return_value_in_logs=False, templates_exts=[".sql"])
    def app_events(sql: str, window: dict[str, str]) -> list[dict[str, Any]]:
        """Return flat rows. The sending task maps their keys to fields."""
        return rows_of(sql, window)

    SendConversionsOperator(
        task_id="send_app_events",
        events=app_events("sql/app_events.sql", WINDOW),  # of an operator that is not a function: fetch.output
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
    def send_signups(sql: str, window: dict[str, str]) -> list[dict[str, Any]]:
        """Return ready events, which the sign-up service stores as JSON."""
        return [json.loads(row["payload"]) for row in rows_of(sql, window)]

    send_signups("sql/signups.sql", WINDOW)
