r"""Send again what did not arrive, after the cause was corrected.

The DAG `pinterest_outcomes` records the outcome of each sale in the table `pinterest_outcomes`. This DAG reads the same
rows with the same query, and sends only those that have one status in the table, selected by the parameter `only`:

- **`rejected`**: rows that are not valid events. Correct them in the warehouse first.
- **`failed`**: events that Pinterest did not accept. The column `reasons` of the table has the codes.
- **`held`**: events whose outcome is unknown. If they arrived, they are counted twice. Look in Ads Manager first.

It has no schedule. Use the trigger form, or

    airflow dags trigger pinterest_resend_store_sales --conf \
        '{"only": "rejected", "start": "2026-11-14T00:00:00Z", "end": "2026-11-21T00:00:00Z"}'

In the result, `selection` says how many rows were found, how many of them were processed, and how many are still
refused.

**Needs** the connections `pinterest_default`, `warehouse` and `outcomes`.
"""

from __future__ import annotations

import pendulum

from airflow_provider_pinterest.operators.send_conversions import SendConversionsOperator

try:
    from airflow.sdk import DAG, Param
except ImportError:  # Airflow 2.11
    from airflow import DAG
    from airflow.models.param import Param

with DAG(
    dag_id="pinterest_resend_store_sales",
    doc_md=__doc__,
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    params={
        "only": Param("rejected", enum=["rejected", "failed", "held"], description="What to send again"),
        "start": Param(type="string", format="date-time", description="Start of the window"),
        "end": Param(type="string", format="date-time", description="End, not included"),
    },
    tags=["pinterest"],
):
    SendConversionsOperator(
        task_id="send_again",
        only="{{ params.only }}",
        sql="sql/store_sales.sql",
        sql_conn_id="warehouse",
        parameters={"start": "{{ params.start }}", "end": "{{ params.end }}"},
        # As in pinterest_outcomes: another mapping would make other events of the same rows.
        defaults={"event_name": "checkout", "action_source": "offline"},
        event_id_from=["order_id", "event_name"],
        timezone="Europe/Berlin",
        identifiers={"ph": {"country": "DE"}},
        max_rejected=1.0,  # rows that are still rejected do not fail the task
        outcomes_conn_id="outcomes",
        key_columns=["order_id", "store_id"],
    )
