"""Send browsing events that another job exports as Parquet files, one folder for each quarter of an hour.

The columns have types: timestamps, decimals, lists of structs. The operator reads them as their values. The note is
ignored, so it is not read from the files.
"""

from __future__ import annotations

import pendulum
from airflow.timetables.interval import CronDataIntervalTimetable

from airflow_provider_pinterest.operators.send_conversions import SendConversionsOperator

try:
    from airflow.sdk import DAG
except ImportError:  # Airflow 2.11
    from airflow import DAG

with DAG(
    dag_id="demo_data_lake",
    doc_md=__doc__,
    schedule=CronDataIntervalTimetable("*/15 * * * *", timezone="UTC"),
    start_date=pendulum.datetime(2026, 11, 21, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    tags=["pinterest"],
):
    SendConversionsOperator(
        task_id="send_lake_files",
        path="{{ var.value.demo_data_lake }}/{{ data_interval_start | ts_nodash }}/*.parquet",
        defaults={"action_source": "web"},
        field_map={"occurred_at": "event_time", "session_note": None},
        consent_column="consent",
        rejects_path="{{ var.value.get('pinterest_rejects_path', '/tmp/pinterest-rejects') }}",
        key_columns=["event_id"],
    )
