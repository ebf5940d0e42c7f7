"""A new user's first run: no Pinterest connection yet."""

import pytest

from tests.operators.attempts import Life
from tests.running import deliver, row, rows


@pytest.fixture(autouse=True)
def no_connection(monkeypatch):
    monkeypatch.delenv("AIRFLOW_CONN_PINTEREST_DEFAULT", raising=False)


def test_validating_needs_an_account_and_no_connection(warehouse):
    warehouse.fill("orders", rows(3))

    ran = deliver(sql="SELECT * FROM orders", sql_conn_id="warehouse", ad_account_id="42", validate_only=True)

    assert ran.error is None
    assert (ran["validated_only"], ran["ad_account_id"]) == (3, "42")


@pytest.mark.parametrize("parameters", [{"validate_only": True}, {"ad_account_id": "42"}, {}])
def test_anything_else_needs_one_and_says_so(parameters):
    ran = deliver(events=rows(1), **parameters)

    assert ran.error is not None
    assert "Connection 'pinterest_default' does not exist" in ran.said


def test_the_first_attempt_says_that_nothing_was_sent():
    ran = Life(events=rows(1)).attempt()

    assert "Nothing was sent. Clear or a retry starts at row 1." in ran.said


def test_rows_that_all_have_the_same_problem_are_a_problem_of_the_query():
    found = [row(number, email=None) for number in range(5)]

    ran = deliver(events=found, ad_account_id="42", validate_only=True)

    assert "All rows have the same problem, so correct the SQL or the mapping." in ran.said
