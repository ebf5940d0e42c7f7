r"""Sync web events every 15 minutes.

Sends the rows that the web shop's warehouse received in the last quarter of an hour: checkouts with their baskets, and
the browsing of visitors. Pinterest counts an event as offline if it arrives more than **one hour** after it happened,
so the schedule affects the quality of the data. In the result, `freshness` says how many events were late.

**Needs** the connections `pinterest_default` (password: the conversion token; extra: `ad_account_id`) and
`warehouse`, and optionally the Variable `pinterest_rejects_path`, a folder or bucket for the
rows that could not be sent, with the reasons.

**Going live.** Unpausing starts one run, for the last complete window. Windows that Airflow misses later,
because it is down or the DAG is paused, are then not sent. To have them sent afterwards, set `catchup=True`
together with a `start_date` of now: every window since `start_date` gets a run.

**By hand.** The window is the run's data interval. A run that is triggered without a logical date does not have one.
Set `start` and `end` instead, in the trigger form or by

    airflow dags trigger pinterest_sync_checkouts --conf \
        '{"start": "2026-11-21T09:00:00Z", "end": "2026-11-21T09:15:00Z"}'

It is safe to send the same window again within 24 hours: the events have the same ids, and Pinterest counts web
events once.

**Watch** the XCom `pinterest_result`, which accounts for every row. The task fails if more than 1 % of the rows could
not be sent (`max_rejected`), after delivering the others.
"""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.timetables.interval import CronDataIntervalTimetable

from airflow_provider_pinterest.operators.send_conversions import SendConversionsOperator

try:
    from airflow.sdk import DAG, Param
except ImportError:  # Airflow 2.11
    from airflow import DAG
    from airflow.models.param import Param

WINDOW = {
    "start": "{{ params.start or data_interval_start }}",
    "end": "{{ params.end or data_interval_end }}",
}
REJECTS_PATH = "{{ var.value.get('pinterest_rejects_path', '/tmp/pinterest-rejects') }}"

with DAG(
    dag_id="pinterest_sync_checkouts",
    doc_md=__doc__,
    # On Airflow 3 the data interval of a plain cron string is empty. Here it is the quarter of an hour.
    schedule=CronDataIntervalTimetable("*/15 * * * *", timezone="UTC"),
    start_date=pendulum.datetime(2026, 11, 21, tz="UTC"),
    catchup=False,  # when you go live: True, and start_date is then
    max_active_runs=1,
    default_args={"retries": 3, "retry_delay": timedelta(minutes=1)},
    params={
        "start": Param(None, type=["null", "string"], format="date-time", description="Start of the window"),
        "end": Param(None, type=["null", "string"], format="date-time", description="End, not included"),
    },
    tags=["pinterest"],
):
    SendConversionsOperator(
        task_id="send_checkouts",
        sql="sql/checkouts.sql",
        sql_conn_id="warehouse",
        parameters=WINDOW,
        defaults={"event_name": "checkout", "action_source": "web"},
        identifiers={"ph": {"country": "DE"}},  # reads +44 020 … as +44 20 …, and takes bare numbers for German
        rejects_path=REJECTS_PATH,
        key_columns=["order_id"],
    )

    SendConversionsOperator(
        task_id="send_browsing",
        sql="sql/browsing.sql",
        sql_conn_id="warehouse",
        parameters=WINDOW,
        defaults={"action_source": "web"},
        rejects_path=REJECTS_PATH,
    )
