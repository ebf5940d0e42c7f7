"""Send sales in the stores, once a day.

Offline events are how Pinterest learns what its ads sold over the counter. They differ from web events in
three ways:

- `action_source` is `offline`, and an hour's delay does not matter: once a day, after the tills have
  closed.
- Pinterest **cannot deduplicate** them: sent twice is counted twice. Every row carries its receipt as
  `order_id` and an id that follows from it (`event_id_from`), a row that is in the source twice goes once,
  and an event whose outcome stays unknown is held among the rejects instead of sent again. Do not clear a
  finished run without thought.
- People are matched by what the loyalty programme knows of them: address, telephone, name, city.

The tills write local time, so the operator is told which (`timezone`). A till that was offline for weeks
must not report old sales as today's: `max_event_age`. And a day with next to no sales is a broken export
rather than a bad day, so the task fails below `min_events`.

**Going live.** Unpausing starts one run, for the last complete window. Windows that Airflow misses later,
because it is down or the DAG is paused, are then not sent. To have them sent afterwards, set `catchup=True`
together with a `start_date` of now: every window since `start_date` gets a run.

**Needs** the connections `pinterest_default` and `warehouse`, optionally the Variable
`pinterest_rejects_path`.
"""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.timetables.interval import CronDataIntervalTimetable

from airflow_provider_pinterest.operators.send_conversions import SendConversionsOperator

try:
    from airflow.sdk import DAG
except ImportError:  # Airflow 2.11
    from airflow import DAG

with DAG(
    dag_id="pinterest_store_sales",
    doc_md=__doc__,
    schedule=CronDataIntervalTimetable("0 0 * * *", timezone="UTC"),
    start_date=pendulum.datetime(2026, 11, 21, tz="UTC"),
    catchup=False,  # when you go live: True, and start_date is then
    max_active_runs=1,
    default_args={"retries": 3, "retry_delay": timedelta(minutes=5)},
    tags=["pinterest"],
):
    SendConversionsOperator(
        task_id="send_store_sales",
        sql="sql/store_sales.sql",
        sql_conn_id="warehouse",
        parameters={"start": "{{ data_interval_start }}", "end": "{{ data_interval_end }}"},
        defaults={"event_name": "checkout", "action_source": "offline"},
        event_id_from=["order_id", "event_name"],
        timezone="Europe/Berlin",
        identifiers={"ph": {"country": "DE"}},  # 0221 … is +49 221 …
        max_event_age=timedelta(days=14),
        min_events=100,
        rejects_path="{{ var.value.get('pinterest_rejects_path', '/tmp/pinterest-rejects') }}",
        key_columns=["order_id", "store_id"],
    )
