"""The page "Without Airflow": its examples run where nobody can import Airflow, and it names all that there is."""

from __future__ import annotations

import argparse
import inspect
import os
import shlex
import sqlite3
from contextlib import closing
from functools import partial

import pytest

from airflow_provider_pinterest.__main__ import parser
from airflow_provider_pinterest.sync import SqlStateStore, sync
from tests.docs.pages import REPOSITORY, WITHOUT_AIRFLOW, blocks, first_column
from tests.sync.plain import program

ACCOUNT = 'ad_account_id="549755885175"'
BLOCKS = [block for block in blocks(WITHOUT_AIRFLOW, "python") if block.heading not in ("Dagster", "Prefect")]


@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_an_example_runs(block, sandbox, tmp_path):
    with closing(sqlite3.connect(tmp_path / "shop.db")) as shop, shop:
        shop.execute("CREATE TABLE orders (order_id, ordered_at, ordered_on, email)")
        shop.execute("INSERT INTO orders VALUES (7, strftime('%s'), '2026-11-24', 'jane@example.com')")
    variables = {"PINTEREST_ACCESS_TOKEN": sandbox.token, "SANDBOX": sandbox.url, "PYTHONPATH": str(REPOSITORY)}
    text = block.text.replace(ACCOUNT, f'{ACCOUNT}, host=os.environ["SANDBOX"]')

    for _ in range(2):
        done = program(text, cwd=tmp_path, env=os.environ | variables)
        assert done.returncode == 0, done.stderr

    assert len(sandbox.events()) == (ACCOUNT in block.text)


def test_the_table_is_the_one_that_is_created(tmp_path):
    [table] = blocks(WITHOUT_AIRFLOW, "sql")
    by_hand, made = (tmp_path / name for name in ("by_hand.db", "made.db"))
    with closing(sqlite3.connect(by_hand)) as connection, connection:
        connection.execute(table.text)
    for path in (by_hand, made):
        store = SqlStateStore(partial(sqlite3.connect, path), "monday")
        store.set("a", 1)
    found = []
    for path in (by_hand, made):
        with closing(sqlite3.connect(path)) as connection:
            found.append(connection.execute("PRAGMA table_info(pinterest_sync_state)").fetchall())

    assert found[0] == found[1]


def test_every_argument_of_sync_is_documented_and_no_other():
    assert first_column(WITHOUT_AIRFLOW, "The arguments of sync") == list(inspect.signature(sync).parameters)


def test_every_argument_of_the_command_line_is_documented_and_no_other():
    actions = [one for one in parser()._actions if not isinstance(one, argparse._HelpAction) and one.option_strings]

    assert first_column(WITHOUT_AIRFLOW, "The command line") == [one.option_strings[0] for one in actions]


def test_the_command_line_knows_the_commands():
    shown = [
        shlex.split(line)[3:]
        for block in blocks(WITHOUT_AIRFLOW, "bash")
        for line in block.text.splitlines()
        if line.startswith("python -m airflow_provider_pinterest ")
    ]

    assert len(shown) == 2
    for words in shown:
        parser().parse_args(words)
