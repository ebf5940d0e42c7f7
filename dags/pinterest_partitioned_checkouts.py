"""Send the checkouts of one partition (Airflow 3.2 and later).

For a warehouse table with one partition per day, and a DAG that Airflow runs once for each partition. A partitioned
run has no data interval. Its partition key, here the day, determines the window.

A partition key is a text. On Airflow 3.3 and later templates can also use `partition_date`, a time: the window is
then `{{ partition_date }}` to `{{ partition_date.add(days=1) }}`.

**By hand.** Trigger it with a partition key, such as `2026-11-21`. Without a key the task fails before it reads
anything. To send past days, use `airflow backfill create`: it makes one run for each partition.

**Going live.** Unpausing starts one run, for yesterday's partition. To have days sent that Airflow missed, set
`catchup=True` together with a `start_date` of now.

**Needs** Airflow 3.2 or later: on older versions this file defines no DAG. The connections `pinterest_default` and
`warehouse`, optionally the Variable `pinterest_rejects_path`.
"""

from __future__ import annotations

from datetime import timedelta

import pendulum

from airflow_provider_pinterest.operators.send_conversions import SendConversionsOperator

try:
    from airflow.sdk import DAG, CronPartitionTimetable
except ImportError:
    PARTITIONS = False
else:
    PARTITIONS = True

if PARTITIONS:
    with DAG(
        dag_id="pinterest_partitioned_checkouts",
        doc_md=__doc__,
        # At midnight, for the day that has just ended: run_offset counts partitions from the run.
        schedule=CronPartitionTimetable("0 0 * * *", timezone="UTC", run_offset=-1, key_format="%Y-%m-%d"),
        start_date=pendulum.datetime(2026, 11, 21, tz="UTC"),
        catchup=False,  # when you go live: True, and start_date is then
        max_active_runs=1,
        default_args={"retries": 3, "retry_delay": timedelta(minutes=5)},
        tags=["pinterest"],
    ):
        SendConversionsOperator(
            task_id="send_checkouts_of_partition",
            sql="sql/checkouts.sql",
            sql_conn_id="warehouse",
            parameters={
                "start": "{{ dag_run.partition_key }} 00:00:00+00:00",
                "end": "{{ macros.ds_add(dag_run.partition_key, 1) }} 00:00:00+00:00",
            },
            defaults={"event_name": "checkout", "action_source": "web"},
            identifiers={"ph": {"country": "DE"}},
            rejects_path="{{ var.value.get('pinterest_rejects_path', '/tmp/pinterest-rejects') }}",
            key_columns=["order_id"],
        )
