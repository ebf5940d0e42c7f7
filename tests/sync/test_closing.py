"""What a run has opened is closed, wherever it ends."""

from __future__ import annotations

import sqlite3
import threading
from functools import partial

import pytest

from airflow_provider_pinterest.sync import OutcomeTable, StopSignal
from tests.running import row
from tests.sync.plain import run


@pytest.mark.parametrize("ends", ["delivers", "cannot open the rejects folder", "is told to stop"])
def test_the_outcome_table_is_closed(sandbox, tmp_path, ends):
    stop = StopSignal()
    connect = partial(sqlite3.connect, tmp_path / "outcomes.db")

    def connects():
        if ends == "is told to stop":
            stop.set()
        return connect()

    (tmp_path / "file").write_text("not a folder")
    options = {"rejects_path": str(tmp_path / "file" / "rejects")} if ends == "cannot open the rejects folder" else {}
    ran = run([row(1)], sandbox, call={"outcomes": OutcomeTable(connects, "monday"), "stop": stop}, **options)

    assert (ran.error is None) is (ends == "delivers")
    assert [one.name for one in threading.enumerate() if one.name == "pinterest-outcomes"] == []
