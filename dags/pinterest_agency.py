"""One task, many ad accounts.

For an agency whose warehouse holds the orders of all its clients: one query returns the rows of all accounts, and the
column `ad_account_id` names the account of each row. A new client is a new row in a table. The token of the connection
needs a role on every account.

If the token has no role on an account, only this account fails: the events of the others are sent, then the task fails
and names the account. Give the token's user the role, and clear the task: it then sends only the events of that account
(Airflow 3.3 and later).

If the accounts need different parameters, or different tokens, map the task over the accounts instead, as
`pinterest_many_accounts` does.

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
    dag_id="pinterest_agency",
    doc_md=__doc__,
    schedule=CronDataIntervalTimetable("*/15 * * * *", timezone="UTC"),
    start_date=pendulum.datetime(2026, 11, 21, tz="UTC"),
    catchup=False,  # when you go live: True, and start_date is then
    max_active_runs=1,
    default_args={"retries": 3, "retry_delay": timedelta(minutes=1)},
    tags=["pinterest"],
):
    SendConversionsOperator(
        task_id="send_checkouts_of_all_accounts",
        sql="sql/agency_checkouts.sql",
        sql_conn_id="warehouse",
        parameters={"start": "{{ data_interval_start }}", "end": "{{ data_interval_end }}"},
        ad_account_id_column="ad_account_id",
        defaults={"event_name": "checkout", "action_source": "web"},
        max_rejected=0.05,
        rejects_path="{{ var.value.get('pinterest_rejects_path', '/tmp/pinterest-rejects') }}",
        key_columns=["order_id"],
    )
