"""Send the sales of stores, and send each sale once, even if windows overlap.

The table `pinterest_outcomes` in the database of the connection `outcomes` gets one row for each event. With
`skip_already_sent`, events that are processed in the table are not sent again. So the DAG can read the last seven days
each day: sales that a till delivers late are sent, and no sale counts twice. A backfill over the same days is safe too.

Before Airflow 3.3 the same database keeps the state of the task, so that a retry continues where the attempt before it
ended.

**Needs** the connections `pinterest_default`, `warehouse` and `outcomes`. `outcomes` may be the same PostgreSQL or
MySQL database as `warehouse`. If the warehouse is a SQLite file, use another file.
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
    dag_id="pinterest_outcomes",
    doc_md=__doc__,
    schedule=CronDataIntervalTimetable("0 0 * * *", timezone="UTC"),
    start_date=pendulum.datetime(2026, 11, 21, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 3, "retry_delay": timedelta(minutes=5)},
    tags=["pinterest"],
):
    SendConversionsOperator(
        task_id="send_store_sales",
        sql="sql/store_sales.sql",
        sql_conn_id="warehouse",
        parameters={"start": "{{ data_interval_end - macros.timedelta(days=7) }}", "end": "{{ data_interval_end }}"},
        defaults={"event_name": "checkout", "action_source": "offline"},
        event_id_from=["order_id", "event_name"],
        timezone="Europe/Berlin",
        identifiers={"ph": {"country": "DE"}},
        max_rejected=0.1,
        outcomes_conn_id="outcomes",
        skip_already_sent=True,
        key_columns=["order_id", "store_id"],
    )
