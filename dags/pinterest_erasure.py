"""Ask Pinterest to delete the data of people who asked you to erase theirs, once a day.

`request_deletion` creates deletion requests, in batches, for the addresses of one day. Pinterest shows no request's
people, so the addresses stay in your warehouse and in the requests; the log, XCom and the rendered fields have none.

`wait_until_submitted` follows the requests without holding a worker. Pinterest submits a request after 72 hours. Until
then you can cancel it: `PinterestHook("pinterest_oauth").cancel_deletion_request(request_id)`. Afterwards Pinterest
deletes the data within 30 days; `wait_for="deleted"` waits for that time too.

A bad address fails the task after all other people were requested, because nobody may be left out unnoticed. The log
names the row. Clear does not create requests again that exist (Airflow 3.3 and later).

**Needs** the connections `warehouse` and `pinterest_oauth`. The latter is like `pinterest_default`, with an **OAuth**
access token that has the scopes `ads:write` and `ads:read`: Pinterest accepts no conversion token for deletion
requests. The endpoint is in beta, and Pinterest must open it to your app.
"""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.timetables.interval import CronDataIntervalTimetable

from airflow_provider_pinterest.operators.request_deletion import RequestDeletionOperator
from airflow_provider_pinterest.sensors.deletion_request import DeletionRequestSensor

try:
    from airflow.sdk import DAG
except ImportError:  # Airflow 2.11
    from airflow import DAG

with DAG(
    dag_id="pinterest_erasure",
    doc_md=__doc__,
    schedule=CronDataIntervalTimetable("0 0 * * *", timezone="UTC"),
    start_date=pendulum.datetime(2026, 11, 21, tz="UTC"),
    catchup=False,  # when you go live: True, and start_date is then
    max_active_runs=40,  # a run lasts for days, because its requests are followed
    default_args={"retries": 3, "retry_delay": timedelta(minutes=5)},
    tags=["pinterest"],
):
    request_deletion = RequestDeletionOperator(
        task_id="request_deletion",
        sql="sql/erasure_requests.sql",
        sql_conn_id="warehouse",
        parameters={"start": "{{ data_interval_start }}", "end": "{{ data_interval_end }}"},
        email_column="email",
        pinterest_conn_id="pinterest_oauth",
    )

    DeletionRequestSensor(
        task_id="wait_until_submitted",
        request_ids=request_deletion.request_ids,
        pinterest_conn_id="pinterest_oauth",
    )
