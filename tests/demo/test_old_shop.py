"""The old shop's table holds each kind of untidy row, and the verdict finds each row that became something else."""

from __future__ import annotations

import datetime as dt
import re
import sqlite3
from contextlib import closing
from typing import Any

import pytest

from airflow_provider_pinterest.conversions.reasons import EXCLUSIONS
from demo import old_shop, stage, verdict, warehouse
from demo.kinds import Fate
from harness import dag_runs

NOW = dt.datetime(2026, 11, 21, 12, 7, tzinfo=dt.UTC)


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[str], list[tuple[Any, ...]]]:
    """The columns and rows, as a query reads them."""
    path = tmp_path_factory.mktemp("shop") / "warehouse.db"
    window = warehouse.Window.last_complete(NOW, warehouse.QUARTER)
    old_shop.load(path, window.start, window.end)
    with closing(sqlite3.connect(path)) as connection:
        cursor = connection.execute("SELECT * FROM old_shop_orders ORDER BY rowid")
        return [column[0] for column in cursor.description], cursor.fetchall()


def test_it_can_be_loaded_into_the_warehouse_and_is_in_its_books(tmp_path):
    shop = warehouse.add_old_shop(warehouse.build(tmp_path / "warehouse.db", now=NOW))

    assert shop.keys[old_shop.KINDS[0].feed] == old_shop.order_ids()


def test_as_many_rows_reach_pinterest_as_the_books_say():
    assert len(old_shop.order_ids()) == old_shop.SENT
    assert old_shop.ORDINARY > old_shop.SENT // 4


def test_every_row_of_the_table_is_ordinary_or_planted(table):
    assert len(table[1]) == old_shop.ORDINARY + sum(kind.rows for kind in old_shop.KINDS)


def test_names_of_kinds_are_not_used_twice():
    assert len({kind.name for kind in old_shop.KINDS}) == len(old_shop.KINDS)


def test_each_fate_has_its_kinds():
    assert {kind.fate for kind in old_shop.KINDS} == set(Fate)


def test_excluded_kinds_name_a_rule_of_the_package():
    assert {kind.code for kind in old_shop.KINDS if kind.fate is Fate.EXCLUDED} <= EXCLUSIONS.keys()


def test_the_columns_are_as_the_other_system_spells_them(table):
    assert {"Order ID", "eventId", "line-items"} <= set(table[0])


def test_people_are_invented(table):
    cells = [cell for row in table[1] for cell in row if isinstance(cell, str)]

    assert set(re.findall(r"@([\w.-]+)", "\n".join(cells).lower())) == {"example", "example.com"}


def test_the_demo_s_own_dag_and_the_examples_share_a_folder(tmp_path):
    dags = dag_runs.load(stage.lay_out_dags(tmp_path / "dags"))

    assert {dag_id for dag_id, _ in verdict.TASKS} <= dags.keys()
    assert dags["demo_old_shop"].task_dict.keys() == {"send_old_shop"}
