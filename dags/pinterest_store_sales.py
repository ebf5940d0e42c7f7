"""Send the sales of stores, once a day.

Offline events tell Pinterest which sales in stores its ads led to. They differ from web events in three ways:

- `action_source` is `offline`, and a delay of an hour does not matter. The DAG runs once a day, after
  the stores have closed.
- Pinterest **cannot deduplicate** them: an event that is sent twice is counted twice. So every row has its receipt as
  `order_id`, and an `event_id` that is computed from it (`event_id_from`). Duplicate rows are sent once. An event with
  an unknown outcome is held in the rejects and not sent again. Clear a finished run only after reading what Clear does.
- People are matched by the data of the loyalty programme: e-mail address, telephone number, name and city.

The tills write local time, and `timezone` names its time zone. `max_event_age` rejects old sales of a till that was
offline for weeks. A day with very few sales is probably a broken export, so the task fails below `min_events`.

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
