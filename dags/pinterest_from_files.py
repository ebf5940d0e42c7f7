"""Send the checkouts that another job exports as files.

Every night a job writes the checkouts of the day as Parquet files into a folder of an object store, such as
`s3://shop-exports/checkouts/2026-11-24/`. This DAG sends the rows of these files. The files are streamed, and only
the columns that are used are read. CSV and NDJSON files, also compressed, work in the same way.

**A day without files** fails the task, because the export is probably late or broken. A retry looks again. If a day may
have no checkouts, the export should write a file without rows.

**Going live.** Unpausing starts one run, for the last complete day. To have days sent that Airflow misses later, set
`catchup=True` together with a `start_date` of now.

**Needs** the connection `pinterest_default`, a connection to the store (here `aws_default`) and its provider, and for
Parquet the package `pyarrow`. The Variable `pinterest_exports` names the folder of the exports, and the Variable
`pinterest_rejects_path` the folder of rejected rows; both are optional.
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

EXPORTS = "{{ var.value.get('pinterest_exports', 's3://aws_default@shop-exports') }}"

with DAG(
    dag_id="pinterest_from_files",
    doc_md=__doc__,
    schedule=CronDataIntervalTimetable("0 0 * * *", timezone="UTC"),
    start_date=pendulum.datetime(2026, 11, 21, tz="UTC"),
    catchup=False,  # when you go live: True, and start_date is then
    max_active_runs=1,
    default_args={"retries": 6, "retry_delay": timedelta(minutes=10)},  # the export may be late
    tags=["pinterest"],
):
    SendConversionsOperator(
        task_id="send_exported_checkouts",
        path=EXPORTS + "/checkouts/{{ data_interval_start | ds }}/*.parquet",
        defaults={"event_name": "checkout", "action_source": "web"},
        field_map={"ordered_at": "event_time", "customer_note": None},  # the note is not read
        consent_column="marketing_consent",
        max_rejected=10,  # rows
        rejects_path="{{ var.value.get('pinterest_rejects_path', '/tmp/pinterest-rejects') }}",
        key_columns=["order_id"],
    )
