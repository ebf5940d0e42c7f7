"""Ask Pinterest to delete the data of people who asked you to erase theirs, once a day.

`request_deletion` creates deletion requests, in batches, for the addresses of one day. The log, XCom and the rendered
fields do not show the addresses.

`wait_until_submitted` waits for the requests without occupying a worker. Pinterest submits a request after 72 hours.
Until then you can cancel it: `PinterestHook("pinterest_oauth").cancel_deletion_request(request_id)`. Afterwards
Pinterest deletes the data within 30 days; `wait_for="deleted"` waits for that time too.

If an address is bad, the task fails after it has requested the deletion of all other people. The log names the row.
Correct it, and clear the task: on Airflow 3.3 and later it creates only the requests that are missing. On earlier
versions it creates all of them again, which does no harm.

**Needs** the connections `warehouse` and `pinterest_oauth`. The latter is like `pinterest_default`, with an **OAuth**
access token that has the scopes `ads:write` and `ads:read`: Pinterest does not accept a conversion token for deletion
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
    max_active_runs=40,  # a run lasts for days, because the sensor waits
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
