"""Where rows come from, up to what arrives at Pinterest."""

import contextlib
import datetime as dt
import hashlib
import json
import re
import time
from decimal import Decimal
from types import MappingProxyType

import psycopg2
import pytest

from airflow_provider_pinterest.exceptions import MappingError, ParameterError, SourceError
from airflow_provider_pinterest.operators.send_conversions import SendConversionsOperator
from tests.running import Again, deliver, ids, refusal, row, rows, run

SQL = "SELECT * FROM orders"


def sha256(text):
    return hashlib.sha256(text.encode()).hexdigest()


class TestRowsOfSqlite:
    def test_all_rows_of_a_table_arrive_once(self, pinterest, warehouse):
        warehouse.fill("orders", rows(2_500))

        ran = deliver(sql=SQL, sql_conn_id="warehouse")

        assert ran.error is None
        assert pinterest.copies() == ids(2_500)
        assert sorted(call.events for call in pinterest.calls()) == [500, 1_000, 1_000]
        assert ran["rows_read"] == ran["events_processed"] == 2_500

    def test_parameters_are_bound_and_never_become_sql(self, pinterest, warehouse):
        warehouse.fill("orders", rows(3))

        ran = deliver(sql=SQL + " WHERE event_id = :id", sql_conn_id="warehouse", parameters={"id": "order-2"})
        evil = deliver(sql=SQL + " WHERE event_id = :id", sql_conn_id="warehouse", parameters={"id": "' OR 1=1 --"})

        assert ran.error is evil.error is None
        assert pinterest.copies() == {"order-2": 1}

    def test_upper_case_columns_are_columns_too(self, pinterest, warehouse):
        """As Snowflake has them."""
        warehouse.fill("orders", [{name.upper(): value for name, value in row().items()}])

        assert deliver(sql=SQL, sql_conn_id="warehouse").error is None
        assert pinterest.copies() == ids(1)

    def test_sql_without_rows_is_a_success_of_zeroes(self, pinterest, warehouse):
        warehouse.fill("orders", rows(1))

        ran = deliver(sql=SQL + " WHERE 1 = 0", sql_conn_id="warehouse")

        assert ran.error is None
        assert ran["rows_read"] == ran["events_sent"] == ran["calls"] == 0
        assert pinterest.calls() == []

    def test_sql_without_rows_still_has_its_columns_checked(self, pinterest, warehouse):
        """A mistyped column is found on a quiet night too."""
        warehouse.fill("orders", [row(ordr_totl=5)])

        ran = deliver(sql=SQL + " WHERE 1 = 0", sql_conn_id="warehouse")

        assert isinstance(ran.error, MappingError)
        assert "ordr_totl" in ran.said

    def test_a_sql_file_and_its_parameters_are_templates(self, pinterest, warehouse, tmp_path):
        warehouse.fill("orders", rows(3))
        (tmp_path / "orders.sql").write_text("SELECT * FROM {{ params.table }} WHERE event_id = :id;\n")
        operator = SendConversionsOperator(
            task_id="send",
            sql="orders.sql",
            sql_conn_id="{{ params.warehouse }}",
            parameters={"id": "order-{{ params.number }}"},
        )
        from airflow.providers.common.compat.sdk import DAG

        dag = DAG("shop", schedule=None, template_searchpath=str(tmp_path))
        operator.dag = dag

        ran = run(operator, render=True, params={"table": "orders", "warehouse": "warehouse", "number": 2})

        assert ran.error is None
        assert pinterest.copies() == {"order-2": 1}

    def test_json_text_becomes_the_basket(self, pinterest, warehouse):
        basket = json.dumps([{"sku": "a", "price": 1.5, "qty": 2}])
        warehouse.fill("orders", [row(items=basket, product_ids='["a"]', value=3)])

        assert deliver(sql=SQL, sql_conn_id="warehouse").error is None
        assert pinterest.events()[0].event["custom_data"] == {
            "contents": [{"id": "a", "item_price": "1.5", "quantity": 2}],
            "content_ids": ["a"],
            "value": "3",
        }


class TestRowsOfPostgres:
    def test_cells_of_all_types_become_what_pinterest_wants(self, pinterest, postgres_warehouse):
        sql = """
            SELECT 'checkout' AS event_name, 'web' AS action_source,
                '2026-11-20 10:00+01'::timestamptz AS event_time,
                '12345678-1234-5678-1234-567812345678'::uuid AS event_id,
                ARRAY['ada@example.com', ' BOB@example.com '] AS em,
                '1990-02-01'::date AS date_of_birth,
                72.390::numeric AS value, 3::bigint AS num_items, 4711 AS order_id,
                '[{"id": "a", "item_price": 24.13, "quantity": 3}]'::jsonb AS contents,
                '["a"]'::json AS content_ids,
                '203.0.113.7'::inet AS ip_address, false AS opt_out, NULL AS phone
        """
        assert deliver(sql=sql, sql_conn_id="warehouse").error is None
        [received] = pinterest.events()
        assert received.event == {
            "event_name": "checkout",
            "action_source": "web",
            "event_time": int(dt.datetime(2026, 11, 20, 9, tzinfo=dt.UTC).timestamp()),
            "event_id": "12345678-1234-5678-1234-567812345678",
            "opt_out": False,
            "user_data": {
                "em": [sha256("ada@example.com"), sha256("bob@example.com")],
                "db": [sha256("19900201")],
                "client_ip_address": "203.0.113.7",
            },
            "custom_data": {
                "value": "72.390",
                "num_items": 3,
                "order_id": "4711",
                "contents": [{"id": "a", "item_price": "24.13", "quantity": 3}],
                "content_ids": ["a"],
            },
        }

    def test_many_rows_of_a_query_arrive_once(self, pinterest, postgres_warehouse):
        sql = """
            SELECT 'checkout' AS event_name, 'web' AS action_source, now() AS event_time,
                'order-' || n AS event_id, 'ada' || n || '@example.com' AS email
            FROM generate_series(1, %(count)s) n
        """
        assert deliver(sql=sql, sql_conn_id="warehouse", parameters={"count": 5_000}).error is None
        assert pinterest.copies() == ids(5_000)

    def test_a_time_that_python_cannot_hold_costs_its_own_row(self, pinterest, postgres_warehouse):
        sql = """
            SELECT 'checkout' AS event_name, 'web' AS action_source, 'order-' || n AS event_id,
                'ada' || n || '@example.com' AS email,
                CASE n WHEN 3 THEN 'infinity' WHEN 4 THEN '20000-01-01' WHEN 5 THEN '0044-03-15 BC' ELSE now() END
                AS event_time
            FROM generate_series(1, 1000) n
        """
        ran = deliver(sql=sql, sql_conn_id="warehouse")

        assert ran.error is None
        assert pinterest.copies() == ids(2) | {f"order-{number}": 1 for number in range(6, 1_001)}
        assert ran["reasons"] == {"bad_time": 3}

    def test_a_warehouse_that_breaks_off_in_the_middle_ends_the_task_with_its_account(
        self, pinterest, postgres_warehouse
    ):
        sql = """
            SELECT 'checkout' AS event_name, 'web' AS action_source, now() AS event_time,
                'order-' || n AS event_id, 'ada' || n || '@example.com' AS email, 1 / (50001 - n) AS num_items
            FROM generate_series(1, 60000) n
        """
        ran = deliver(sql=sql, sql_conn_id="warehouse")

        assert isinstance(ran.error, SourceError)
        assert re.search(r"failed after (48|49|50),\d{3} rows", ran.said)
        assert "division by zero" in ran.said
        assert 48_000 <= ran["rows_read"] <= 50_000
        assert ran["events_processed"] + ran["rows_not_sent"] == ran["rows_read"]
        assert pinterest.totals().accepted == pinterest.totals().distinct == ran["events_processed"] >= 47_000

    @pytest.mark.parametrize(
        ("parameters", "setting"),
        [({"field_map": {"email": None, "em": None}}, {}), ({}, {"status": 401}), ({}, {"status": 500}), ({}, None)],
        ids=["mapping", "token", "held", "good"],
    )
    def test_the_warehouse_s_connection_is_closed_when_the_task_ends(
        self, pinterest, postgres_warehouse, parameters, setting
    ):
        """However it ends, and while its exception is still looked at."""
        sql = """
            SELECT 'checkout' AS event_name, 'offline' AS action_source, now() AS event_time,
                'order-' || n AS event_id, 'ada@example.com' AS email
            FROM generate_series(1, 10000) n
        """
        if setting:
            pinterest.fault("status", **setting)
        ran = deliver(sql=sql, sql_conn_id="warehouse", **parameters)

        assert ran.error is None or parameters or setting
        with contextlib.closing(psycopg2.connect(postgres_warehouse.dsn)) as other, other.cursor() as beside:
            beside.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE pid <> pg_backend_pid() "
                "AND state LIKE 'idle in transaction%'"
            )
            assert beside.fetchone() == (0,)

    def test_hook_parameters_reach_the_warehouse(self, pinterest, postgres_warehouse):
        sql = """
            SELECT 'checkout' AS event_name, 'web' AS action_source, now() AS event_time,
                current_setting('statement_timeout') AS event_id, 'ada@example.com' AS email
        """
        ran = deliver(sql=sql, sql_conn_id="warehouse", hook_params={"options": "-c statement_timeout=7s"})

        assert ran.error is None
        assert pinterest.copies() == {"7s": 1}


class TestValues:
    def test_a_literal_list_arrives(self, pinterest):
        assert deliver(events=rows(3)).error is None
        assert pinterest.copies() == ids(3)

    def test_rows_may_have_different_columns(self, pinterest):
        events = [row(1), row(2, value=5), {"event_id": "order-3", **row(3, phone="+1 415 555 0100")}]

        assert deliver(events=events).error is None
        assert pinterest.copies() == ids(3)
        assert pinterest.events(event_id="order-2")[0].event["custom_data"] == {"value": "5"}

    def test_ready_events_are_normalised_like_rows(self, pinterest):
        ready = {
            "event_name": "checkout",
            "action_source": "web",
            "event_time": dt.datetime.now(dt.UTC),
            "event_id": "order-1",
            "user_data": {"em": [" ADA@example.com"], "ph": None, "country": "Germany"},
            "custom_data": {"value": Decimal("9.90"), "currency": "eur"},
        }
        assert deliver(events=[ready]).error is None

        [received] = pinterest.events()
        assert received.event["user_data"] == {"em": [sha256("ada@example.com")], "country": [sha256("de")]}
        assert received.event["custom_data"] == {"value": "9.90", "currency": "EUR"}

    @pytest.mark.parametrize("events", [(), [], [[]]])
    def test_no_rows_are_a_success_of_zeroes(self, pinterest, events):
        ran = deliver(events=events)

        assert ran.error is None
        assert ran["rows_read"] == ran["calls"] == 0
        assert pinterest.calls() == []

    def test_the_lists_of_a_mapped_upstream_arrive_as_one(self, pinterest):
        assert deliver(events=[rows(2), [], [row(3)]]).error is None
        assert pinterest.copies() == ids(3)

    def test_a_generator_arrives_in_batches(self, pinterest):
        assert deliver(events=Again(lambda: (row(number) for number in range(1, 26))), batch_size=10).error is None
        assert sorted(call.events for call in pinterest.calls()) == [5, 10, 10]

    def test_a_generator_that_raises_keeps_its_error_and_the_account(self, pinterest):
        def generate():
            yield from rows(12)
            raise KeyError("tax")

        ran = deliver(events=Again(generate), batch_size=5)

        assert isinstance(ran.error, KeyError)
        assert ran["rows_read"] == 12
        assert ran["events_processed"] == 10
        assert ran["rows_not_sent"] == 2
        assert sum(pinterest.copies().values()) == 10

    def test_rows_of_any_mapping_arrive(self, pinterest):
        assert deliver(events=[MappingProxyType(row())]).error is None
        assert pinterest.copies() == ids(1)


class TestNoSource:
    @pytest.mark.parametrize(
        ("parameters", "words"),
        [
            ({}, "got none"),
            ({"sql": "SELECT 1", "sql_conn_id": "warehouse", "events": []}, "got sql and events"),
            ({"sql": "SELECT 1"}, "sql_conn_id"),
            ({"sql": "  ", "sql_conn_id": "warehouse"}, "sql must be one statement"),
            ({"sql": ["SELECT 1", "SELECT 2"], "sql_conn_id": "warehouse"}, "sql must be one statement"),
            ({"events": "{{ ti.xcom_pull(task_ids='up') }}"}, "events=upstream.output"),
            ({"events": {"data": [{}]}}, "in its 'data'"),
            ({"events": {"event_id": "1"}}, "Put it into a list"),
            ({"events": b"[]"}, "got bytes"),
            ({"events": 5}, "got int"),
            ({"events": ["a"]}, "row 1 is of type str"),
        ],
    )
    def test_what_cannot_be_a_source_is_refused_before_any_call(self, pinterest, warehouse, parameters, words):
        assert words in refusal(pinterest, **parameters)

    def test_a_connection_that_is_no_database_is_refused(self, pinterest, monkeypatch):
        monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps({"conn_type": "pinterest", "password": "pina_x"}))

        ran = deliver(sql="SELECT 1", sql_conn_id="warehouse")

        assert isinstance(ran.error, ParameterError)
        assert "uses PinterestHook, which is not a DbApiHook" in ran.said

    def test_sql_that_is_no_query_is_refused_before_any_call(self, pinterest, warehouse):
        ran = deliver(sql="CREATE TABLE a (b)", sql_conn_id="warehouse")

        assert isinstance(ran.error, SourceError)
        assert "expected a SELECT" in ran.said
        assert ran["rows_read"] == 0
        assert pinterest.calls() == []

    def test_a_syntax_error_is_told_in_the_warehouse_s_words(self, pinterest, warehouse):
        ran = deliver(sql="SELEKT 1", sql_conn_id="warehouse")

        assert isinstance(ran.error, SourceError)
        assert "syntax error" in ran.said


class TestIdentityOfRows:
    def test_an_id_made_of_columns_is_the_same_in_every_run(self, pinterest, warehouse):
        warehouse.fill("orders", [row(event_id=None, order_id=7), row(event_id=None, order_id=8)])

        for _ in range(2):
            assert deliver(sql=SQL, sql_conn_id="warehouse", event_id_from=["order_id", "event_name"]).error is None

        assert sorted(pinterest.copies().values()) == [2, 2]

    def test_a_row_without_the_column_that_its_id_is_made_of_is_rejected(self, pinterest):
        """An id made of whatever else stands in the row would make strangers duplicates of each other."""
        other = [row(number, event_id=None, content_name="the same") for number in (2, 3)]

        ran = deliver(events=[row(1, event_id=None, order_id=7), *other], event_id_from=["order_id"], max_rejected=2)

        assert ran.error is None
        assert (ran["rows_rejected"], ran["duplicates_dropped"]) == (2, 0)
        assert len(pinterest.copies()) == 1

    def test_a_row_without_a_column_of_another_s_own_that_its_id_is_made_of_is_rejected(self, pinterest):
        """The same, for a column that is no field."""
        other = [row(number, event_id=None, content_name="the same") for number in (2, 3)]

        ran = deliver(events=[row(1, event_id=None, till=7), *other], event_id_from=["till"], max_rejected=2)

        assert ran.error is None
        assert (ran["rows_rejected"], ran["duplicates_dropped"]) == (2, 0)
        assert len(pinterest.copies()) == 1

    def test_the_second_row_of_one_event_is_dropped_and_counted(self, pinterest):
        ran = deliver(events=[row(1), row(1, value=2), row(1, event_name="signup"), row(2)])

        assert ran.error is None
        assert ran["duplicates_dropped"] == 1
        assert pinterest.copies(event_name="checkout") == ids(2)
        assert "custom_data" not in pinterest.events(event_id="order-1", event_name="checkout")[0].event

    def test_rows_older_than_allowed_are_rejected(self, pinterest):
        old = int(time.time()) - 8 * 24 * 3600

        ran = deliver(events=[row(1), row(2, event_time=old)], max_event_age=dt.timedelta(days=7), max_rejected=1)

        assert ran.error is None
        assert ran["reasons"] == {"too_old": 1}
        assert pinterest.copies() == ids(1)
