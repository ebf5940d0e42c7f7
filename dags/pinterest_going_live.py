r"""Before going live: validate, then test, then send.

One task with three modes, selected by the parameter `mode`:

1. **`validate`** (the default) reads, maps, hashes and validates every row and makes no call. The log shows
   one event as it would be sent. In the result, `reasons` says why rows cannot be sent, and `coverage` which fields
   the other rows have.
2. **`test`** sends them with `?test=true`: Pinterest validates the events and records none. This shows that
   token, role and account are right. The limit is ten calls per second.
3. **`live`** sends them.

The DAG has no schedule. Use the trigger form, or

    airflow dags trigger pinterest_going_live --conf \
        '{"mode": "test", "start": "2026-11-21T09:00:00Z", "end": "2026-11-21T09:15:00Z"}'

The default window is the hour before the run.

**Needs** the connections `pinterest_default` and `warehouse`, optionally the Variable
`pinterest_rejects_path`.
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
    dag_id="pinterest_going_live",
    doc_md=__doc__,
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    params={
        "mode": Param("validate", enum=["validate", "test", "live"], description="How far to go"),
        "start": Param(None, type=["null", "string"], format="date-time", description="Start of the window"),
        "end": Param(None, type=["null", "string"], format="date-time", description="End, not included"),
    },
    tags=["pinterest"],
):
    SendConversionsOperator(
        task_id="send_checkouts",
        validate_only="{{ params.mode == 'validate' }}",
        test="{{ params.mode == 'test' }}",
        sql="sql/checkouts.sql",
        sql_conn_id="warehouse",
        parameters={
            "start": "{{ params.start or dag_run.start_date - macros.timedelta(hours=1) }}",
            "end": "{{ params.end or dag_run.start_date }}",
        },
        defaults={"event_name": "checkout", "action_source": "web"},
        identifiers={"ph": {"country": "DE"}},
        max_rejected=1.0,  # shows all problems; remove it when the DAG is scheduled
        rejects_path="{{ var.value.get('pinterest_rejects_path', '/tmp/pinterest-rejects') }}",
        key_columns=["order_id"],
    )
