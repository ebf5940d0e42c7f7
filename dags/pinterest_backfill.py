"""Backfill checkouts, day by day.

Sends the checkouts of past days, with one run per day. Name the days:

- Airflow 3: `airflow backfill create --dag-id pinterest_backfill --from-date 2026-11-20 --to-date 2026-11-24
  --max-active-runs 2 --reprocess-behavior completed`
- Airflow 2.11: `airflow dags backfill pinterest_backfill --start-date 2026-11-20 --end-date 2026-11-24 --reset-dagruns`

Airflow backfills only DAGs that have a schedule and are not paused. So this DAG also has a run every night, which
validates the rows of the day and sends nothing. By default Airflow leaves out the days that have a run. The last option
of the commands includes them, also days that were backfilled before: on Airflow 3.3 only their events that were not
accepted are sent again, on earlier versions all.

**How far back.** Pinterest counts events that arrive more than an hour late as offline, and may refuse events older
than a week. `max_event_age` rejects older rows with the code `too_old`, so that they are counted and listed, and not
lost. A backfill always has some, because some rows were loaded late.

**Duplicates.** Pinterest deduplicates web events by `event_id` only for 24 hours after it received the first. Do not
backfill a day that the 15-minute sync has already sent, unless it was today. With the ledger any day can be sent again:
`pinterest_backfill_store_sales` shows it, and asks a person before it sends.

**Several days at once.** At most two days are sent at the same time. With `rate_limit_storage` in the connection, they
count their calls together in a Redis. Without it each of them counts its own calls: halve `calls_per_minute`.

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
    dag_id="pinterest_backfill",
    doc_md=__doc__,
    schedule=CronDataIntervalTimetable("0 0 * * *", timezone="UTC"),
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=2,  # on Airflow 3 a backfill has its own limit, --max-active-runs
    default_args={"retries": 3, "retry_delay": timedelta(minutes=5)},
    tags=["pinterest"],
):
    SendConversionsOperator(
        task_id="send_checkouts_of_the_day",
        sql="sql/checkouts.sql",
        sql_conn_id="warehouse",
        validate_only="{{ dag_run.run_type == 'scheduled' }}",
        parameters={"start": "{{ data_interval_start }}", "end": "{{ data_interval_end }}"},
        defaults={"event_name": "checkout", "action_source": "web"},
        identifiers={"ph": {"country": "DE"}},
        max_event_age=timedelta(days=7),
        max_rejected=0.05,  # late rows are expected here
        max_active_tis_per_dag=2,  # days at a time; each counts its own calls, unless they share a Redis
        rejects_path="{{ var.value.get('pinterest_rejects_path', '/tmp/pinterest-rejects') }}",
        key_columns=["order_id"],
    )
