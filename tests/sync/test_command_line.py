"""``python -m airflow_provider_pinterest``, as a process that cannot import Airflow."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time

import pytest

from airflow_provider_pinterest.__main__ import AGAIN, FAILED, SUCCESS, WRONG_ARGUMENTS, options_of
from airflow_provider_pinterest.exceptions import ParameterError
from tests.fixtures import SqliteWarehouse
from tests.running import ids, impersonal, rows
from tests.sync.plain import REPOSITORY, command, orchestrator_words

MAIN = "import runpy\nsys.argv[0] = 'x'\nrunpy.run_module('airflow_provider_pinterest', run_name='__main__')"
ACCOUNT = ("--option", "ad_account_id=549755885175")


def start(*arguments, token="", url=None):
    variables = {"PINTEREST_ACCESS_TOKEN": token} | ({"PINTEREST_SQL_URL": url} if url else {})
    return subprocess.Popen(
        command(MAIN, *map(str, arguments)), cwd=REPOSITORY, env=os.environ | variables, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def ended(process):
    """Return the exit code, the result if there is one, and what was said."""
    out, said = process.communicate(timeout=100)
    assert impersonal(said)
    assert orchestrator_words(said) == []
    return process.returncode, json.loads(out) if out else None, said


def call(*arguments, **variables):
    return ended(start(*arguments, **variables))


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "rows.ndjson"
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows(20)))
    return path


def test_the_rows_of_a_file_are_validated_without_a_token(file):
    code, result, said = call("validate", "--file", file)

    assert code == SUCCESS
    assert result["validated_only"] == 20
    assert "One event as it would be sent" in said


def test_the_rows_of_a_file_are_sent_once(sandbox, file, tmp_path):
    arguments = ("send", "--file", file, "--state", tmp_path / "state.json", "--host", sandbox.url, *ACCOUNT)
    first, second = (call(*arguments, token=sandbox.token) for _ in range(2))

    assert (first[0], first[1]["events_processed"]) == (SUCCESS, 20)
    assert (second[0], second[1]["already_sent"]) == (SUCCESS, 20)
    assert sandbox.copies() == ids(20)


@pytest.mark.parametrize("by_variable", [True, False])
def test_the_rows_of_a_query_are_sent(sandbox, tmp_path, by_variable):
    SqliteWarehouse(tmp_path / "shop.db").fill("orders", rows(20))
    url = f"sqlite:///{tmp_path}/shop.db"
    where = () if by_variable else ("--sql-url", url)
    arguments = ("send", "--sql", "SELECT * FROM orders", *where, "--host", sandbox.url, *ACCOUNT)
    code, result, _ = call(*arguments, token=sandbox.token, url=url if by_variable else None)

    assert (code, result["events_processed"]) == (SUCCESS, 20)
    assert sandbox.copies() == ids(20)


def test_rejected_rows_fail_the_command(tmp_path):
    path = tmp_path / "rows.ndjson"
    path.write_text('{"event_name": "checkout"}\n')
    code, result, said = call("validate", "--file", path)

    assert (code, result) == (FAILED, None)
    assert "ResultError: 1 of 1 rows were rejected" in said


def test_a_line_that_is_no_object_is_named_by_its_number(tmp_path):
    path = tmp_path / "rows.ndjson"
    path.write_text(f"{json.dumps(rows(1)[0])}\n\njane@example.com\n")
    code, _, said = call("validate", "--file", path)

    assert code == FAILED
    assert "Row 2, bad_row: the row is not a JSON object (line 3 of rows.ndjson)" in said
    assert "1 of 2 rows were rejected" in said


def test_a_file_that_does_not_exist_is_named(tmp_path):
    code, _, said = call("validate", "--file", tmp_path / "rows.ndjson")

    assert code == FAILED
    assert f"No file matches {tmp_path / 'rows.ndjson'}." in said


def test_files_of_several_formats_are_read_by_a_pattern(tmp_path):
    first, second = rows(2)
    (tmp_path / "a.ndjson").write_text(json.dumps(first))
    (tmp_path / "b.csv").write_text(f"{','.join(second)}\n{','.join(map(str, second.values()))}\n")
    code, result, _ = call("validate", "--file", tmp_path / "*.*")

    assert (code, result["validated_only"]) == (SUCCESS, 2)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("send", "--file", "rows.ndjson"), "environment variable PINTEREST_ACCESS_TOKEN"),
        (("send", "--file", "rows.ndjson"), "No ad account"),
        (("validate", "--sql", "SELECT 1"), "--sql needs --sql-url"),
        (("validate", "--sql", "SELECT 1", "--sql-url", "shop.db"), "--sql-url is not a URL of SQLAlchemy"),
        (("validate", "--sql", "SELECT 1", "--sql-url", "nosuch://x"), "--sql-url is not a URL of SQLAlchemy"),
        (("validate", "--sql", "SELECT 1", "--sql-url", "oracle://x"), "which is not installed"),
        (("validate", "--file", "x", "--option", "batchsize=5"), "Did you mean 'batch_size'?"),
        (("validate", "--file", "x", "--option", "batch_size=many"), "batch_size must be 1 to 1000, got 'many'."),
        (("validate",), "one of the arguments --sql --file is required"),
        (("look", "--file", "x"), "invalid choice"),
    ],
)
def test_wrong_arguments_are_named(arguments, words):
    code, result, said = call(*arguments)

    assert (code, result) == (WRONG_ARGUMENTS, None)
    assert words in said


def test_a_stop_ends_the_command_which_continues_when_it_is_called_again(sandbox, tmp_path):
    path = tmp_path / "rows.ndjson"
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows(1000)))
    sandbox.fault("delay", seconds=0.1)
    options = [*ACCOUNT, "--option", "batch_size=20", "--option", "max_in_flight=1"]
    arguments = ("send", "--file", path, "--state", tmp_path / "state.json", "--host", sandbox.url, *options)
    process = start(*arguments, token=sandbox.token)
    while len(sandbox.copies()) < 100 and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    code, _, said = ended(process)
    sandbox.clear_faults()
    again, result, _ = call(*arguments, token=sandbox.token)

    assert code == AGAIN
    assert "The run was told to stop." in said
    assert again == SUCCESS
    assert result["resumed_from"] >= 80
    assert set(sandbox.copies()) == set(ids(1000))
    assert len(sandbox.copies(duplicates_only=True)) <= 40


def test_options_are_read_from_text():
    options = options_of(
        ['field_map={"mail": "email"}', "event_id_from=order_id, line", "max_rejected=3", "max_wait=PT5M", "test=true"],
        validate_only=False,
    )

    assert (options.field_map, options.event_id_from, options.max_rejected) == (
        {"mail": "email"},
        ["order_id", "line"],
        3,
    )
    assert (options.max_wait.total_seconds(), options.test) == (300, True)


def test_every_option_that_is_wrong_is_named():
    with pytest.raises(ParameterError) as caught:
        options_of(["nothing", "other=1"], validate_only=False)

    assert all(name in str(caught.value) for name in ("nothing", "other"))
