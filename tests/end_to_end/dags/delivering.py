"""Every way of delivering, as DAG authors write it; one task a way."""

from __future__ import annotations

import datetime as dt
import tempfile
from typing import Any

from airflow.providers.common.compat.sdk import DAG, task

from airflow_provider_pinterest.operators.send_conversions import SendConversionsOperator

START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


def made(prefix: str, count: int) -> list[dict[str, object]]:
    return [
        {
            "event_name": "checkout",
            "action_source": "web",
            "event_time": int(dt.datetime.now(dt.UTC).timestamp()) - 60,
            "event_id": f"{prefix}-{number}",
            "email": f"{prefix}{number}@example.com",
            "value": 9.5,
        }
        for number in range(count)
    ]


with DAG("delivering", start_date=START, schedule=None, catchup=False):
    SendConversionsOperator(
        task_id="from_sqlite",
        sql="orders.sql",
        sql_conn_id="sqlite_warehouse",
        parameters={"least": "{{ 3 }}"},
        field_map={"order_total": "value"},
        event_id_from=["order_id"],
        defaults={"event_name": "checkout", "action_source": "web", "currency": "{{ 'EUR' }}"},
    )
    SendConversionsOperator(
        task_id="from_postgres",
        sql="SELECT * FROM orders",
        sql_conn_id="postgres_warehouse",
        field_map={"order_total": "value"},
        event_id_from=["order_id"],
        defaults={"event_name": "checkout", "action_source": "offline"},
    )
    SendConversionsOperator.partial(
        task_id="to_accounts",
        sql="SELECT * FROM orders WHERE order_id LIKE :orders",
        sql_conn_id="sqlite_warehouse",
        field_map={"order_total": "value"},
        event_id_from=["order_id"],
        defaults={"event_name": "checkout", "action_source": "web"},
    ).expand_kwargs(
        [{"ad_account_id": account, "parameters": {"orders": f"%{account[0]}"}} for account in ("111", "222", "333")]
    )

    everything = {
        "field_map": {"order_total": "value"},
        "identifiers": {"external_id": {"case": "lower"}},
        "defaults": {"event_name": "checkout", "action_source": "web"},
        "event_id_from": ["order_id", "order_total"],
        "timezone": "Europe/Berlin",
        "pinterest_conn_id": "pinterest_default",
        "test": False,
        "validate_only": False,
        "max_rejected": 0,
        "min_events": 1,
        "max_event_age": dt.timedelta(days=7),
        "batch_size": 3,
        "max_batch_bytes": 50_000,
        "on_unknown_outcome": "resend",
        "max_in_flight": 2,
        "processes": 1,
        "max_wait": dt.timedelta(minutes=1),
        "deferrable": False,
        "key_columns": ["order_id"],
        "resume": True,
        "defer_after": dt.timedelta(seconds=30),
        "send_everything_again": False,
    }
    REJECTS = tempfile.mkdtemp()
    SendConversionsOperator.partial(task_id="everything_mapped").expand_kwargs(
        [
            {
                **everything,
                "sql": "orders.sql",
                "sql_conn_id": "sqlite_warehouse",
                "hook_params": {"log_sql": False},
                "parameters": {"least": least},
                "ad_account_id": account,
                "rejects_path": REJECTS,
            }
            for account, least in (("555", 0), ("666", 9))
        ]
    )
    SendConversionsOperator.partial(task_id="mapped_events").expand_kwargs(
        [
            {**everything, "field_map": None, "events": made(f"kwargs{account}", 2), "ad_account_id": account,
             "event_id_from": [], "key_columns": []}
            for account in ("777", "888")
        ]
    )  # fmt: skip
    SendConversionsOperator.partial(task_id="mapped_wrong", retries=3).expand_kwargs(
        [{"events": made("wrong", 1), "batch_size": size} for size in ("many", 0)]
    )

    @task
    def make_kwargs() -> list[dict[str, Any]]:
        return [{"events": made(f"made{account}", 2), "ad_account_id": account} for account in ("901", "902")]

    SendConversionsOperator.partial(task_id="mapped_over_xcom").expand_kwargs(make_kwargs())

    @task
    def make_rows() -> list[dict[str, object]]:
        return made("output", 5)

    SendConversionsOperator(task_id="from_output", events=make_rows())

    @task
    def make_some(count: int) -> list[dict[str, object]]:
        return made(f"mapped{count}", count)

    SendConversionsOperator(task_id="from_mapped_output", events=make_some.expand(count=[1, 2, 3]))

    @task.pinterest_conversions(ad_account_id="444")
    def from_function(rows: list[dict[str, object]], prefix: str) -> list[dict[str, object]]:
        return [{**row, "event_id": f"{prefix}-{number}"} for number, row in enumerate(rows)]

    more: Any = make_rows.override(task_id="make_more")()
    from_function(more, prefix="function-{{ 1 + 1 }}")

    @task.pinterest_conversions(batch_size=2)
    def from_generator(count: int):
        yield from made("generator", count)

    from_generator(5)

    @task.pinterest_conversions
    def from_mapped_function(account: str) -> list[dict[str, object]]:
        return made(f"each{account}", 1)

    from_mapped_function.expand(account=["a", "b"])

    template: Any = "{{ ti.xcom_pull(task_ids='make_rows') }}"
    SendConversionsOperator(task_id="from_template", events=template)

    @task
    def break_down() -> list[dict[str, object]]:
        raise RuntimeError("the warehouse is closed")

    SendConversionsOperator(task_id="after_failure", events=break_down())

    @task
    def make_generator():
        return (row for row in made("xcom", 2))

    SendConversionsOperator(task_id="from_generator_in_xcom", events=make_generator())

    @task
    def make_bad() -> list[dict[str, object]]:
        return [*made("half", 2), {**made("bad", 1)[0], "email": None}]

    SendConversionsOperator(task_id="too_many_rejected", events=make_bad(), max_rejected=0)
    SendConversionsOperator(task_id="wrong_token", events=made("never", 1), pinterest_conn_id="pinterest_wrong")
