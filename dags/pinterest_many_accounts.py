"""One DAG, many ad accounts.

For an agency, or a shop with one ad account per country: a table lists the accounts, and the sending task is mapped
over its rows. A new account is a new row. Each account has its own task instance, result, retries and rejects. The
token of the connection needs a role on every account. If each account has its own token, map `pinterest_conn_id` too.

Parameters that differ between accounts are in `expand_kwargs`, the others in `partial`. Airflow does not render
templates in values from a task, so that task sets the window.

**Going live.** Unpausing starts one run, for the last complete window. Windows that Airflow misses later,
because it is down or the DAG is paused, are then not sent. To have them sent afterwards, set `catchup=True`
together with a `start_date` of now: every window since `start_date` gets a run.

**Needs** the connections `pinterest_default` and `warehouse`, optionally the Variable
`pinterest_rejects_path`.
"""

from __future__ import annotations

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

with DAG(
    dag_id="pinterest_many_accounts",
    doc_md=__doc__,
    schedule=CronDataIntervalTimetable("*/15 * * * *", timezone="UTC"),
    start_date=pendulum.datetime(2026, 11, 21, tz="UTC"),
    catchup=False,  # when you go live: True, and start_date is then
    max_active_runs=1,
    default_args={"retries": 3, "retry_delay": timedelta(minutes=1)},
    tags=["pinterest"],
):

    @task
    def ad_accounts(data_interval_start: Any = None, data_interval_end: Any = None) -> list[dict[str, Any]]:
        """Return the arguments of the sending task for each account."""
        hook = BaseHook.get_hook("warehouse")
        # The order is fixed, because retries of a mapped task are identified by its position.
        query = "SELECT shop, ad_account_id, country FROM ad_accounts WHERE active = TRUE ORDER BY shop"
        window = {"start": str(data_interval_start), "end": str(data_interval_end)}
        return [
            {
                "ad_account_id": ad_account_id,
                "parameters": {"shop": shop, **window},
                "identifiers": {"ph": {"country": country}},  # telephone numbers have the format of the country
            }
            for shop, ad_account_id, country in hook.get_records(query)
        ]

    SendConversionsOperator.partial(
        task_id="send_checkouts_of_shop",
        sql="sql/shop_checkouts.sql",
        sql_conn_id="warehouse",
        defaults={"event_name": "checkout", "action_source": "web"},
        max_rejected=0.05,
        rejects_path="{{ var.value.get('pinterest_rejects_path', '/tmp/pinterest-rejects') }}",
        key_columns=["order_id"],
    ).expand_kwargs(ad_accounts())
