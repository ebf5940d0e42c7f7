"""Send the orders of an old shop system, whose table is untidy.

The query selects every column unchanged. The operator finds the fields by the names of the columns, parses the cells,
leaves out unusable cells, and counts them. Three rules of the DAG exclude or change rows:
``consent_column``, ``exclude_bots`` and ``event_names``.
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
    dag_id="demo_old_shop",
    doc_md=__doc__,
    schedule=CronDataIntervalTimetable("*/15 * * * *", timezone="UTC"),
    start_date=pendulum.datetime(2026, 11, 21, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    tags=["pinterest"],
):
    SendConversionsOperator(
        task_id="send_old_shop",
        sql="sql/old_shop.sql",
        sql_conn_id="warehouse",
        parameters={"start": "{{ data_interval_start }}", "end": "{{ data_interval_end }}"},
        field_map={"loadedAt": None},
        defaults={"action_source": "web"},
        event_id_from=["legacyNo", "event_name"],  # for orders whose eventId is empty or a word such as undefined
        event_names={"Purchase": "checkout"},
        consent_column="consent",
        exclude_bots=True,
        max_rejected=0.05,  # an old export has more rows that cannot be sent than 1 %
        rejects_path="{{ var.value.get('pinterest_rejects_path', '/tmp/pinterest-rejects') }}",
        key_columns=["Order ID"],
    )
