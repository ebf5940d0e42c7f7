"""What a task raises when it fails, and what its log says right before."""

from __future__ import annotations

import datetime as dt
import json
import logging
import re
import traceback
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException

from airflow_provider_pinterest.exceptions import (
    AccountingError,
    ConfigurationError,
    CredentialError,
    DeliveryError,
    MappingError,
    MissingConnectionError,
    ParameterError,
    PinterestError,
    RefusedError,
    RejectsError,
    ResendRefusedError,
    ResultError,
    SourceError,
    StoppedError,
    UnavailableError,
)
from airflow_provider_pinterest.logs import WIDTH, wrapped
from airflow_provider_pinterest.operators import errors
from airflow_provider_pinterest.operators.error_report import for_airflow
from airflow_provider_pinterest.operators.send_conversions import SendConversionsOperator
from harness.loopback import free_port
from tests.running import deliver, ids, row, rows, run

SELECT = "SELECT * FROM orders"
NO_WAIT = dt.timedelta()


@pytest.fixture
def block(caplog):
    """Return the lines that were logged as errors, in their order."""

    def lines():
        return [
            record.getMessage()
            for record in caplog.records
            if record.levelno == logging.ERROR and record.name in ("tests.task", "airflow_provider_pinterest.sync.run")
        ]

    return lines


def frames(error):
    """Return the frames that a traceback of the error shows, those of its causes included."""
    return "".join(traceback.format_exception(error)).count('  File "')


def fault(pinterest, **options):
    pinterest.fault("status", **options)


def not_retried(ran, kind):
    """Check that a run ended with an error of ours that Airflow does not retry either, and return the error."""
    assert isinstance(ran.error, kind)
    assert isinstance(ran.error, AirflowFailException)
    return ran.error


class TestNotRetried:
    @pytest.mark.parametrize("status", [301, 302, 307, 401, 402, 403, 404, 405, 407, 431, 511])
    def test_a_wrong_token_role_account_or_host(self, pinterest, status):
        fault(pinterest, status=status)

        ran = deliver(events=rows(3), max_wait=NO_WAIT)

        assert not_retried(ran, CredentialError).status == status
        assert pinterest.copies() == {}

    def test_a_token_that_is_refused_after_a_part_was_delivered(self, pinterest, block):
        fault(pinterest, status=401, after=2)

        ran = deliver(events=rows(10), batch_size=2, max_in_flight=1)

        not_retried(ran, CredentialError)
        assert pinterest.copies() == ids(4)
        assert re.match(r"4 of \d+ events that were read were delivered\. Clear or a retry ", ran.said.split("\n")[-1])
        assert "Airflow does not retry this error." in block()
        assert any(re.match(r"4 of \d+ events that were read were delivered\.$", line) for line in block())

    def test_a_mapping_that_pinterest_refuses_for_every_event(self, pinterest):
        fault(pinterest, status=400)

        ran = deliver(events=rows(3))

        not_retried(ran, RefusedError)

    def test_columns_that_do_not_match(self, pinterest):
        ran = deliver(events=[row(1, emial="x")])

        not_retried(ran, MappingError)

    def test_a_proxy_that_cannot_work(self, pinterest, connect, monkeypatch):
        connect(pinterest, host="https://api.example.com/v5")
        monkeypatch.setenv("HTTPS_PROXY", "ftp://proxy.example.com:21")
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)

        ran = deliver(events=rows(1))

        not_retried(ran, ConfigurationError)

    def test_too_many_rejected_rows(self, pinterest):
        ran = deliver(events=[row(1), row(2, email=None)])

        not_retried(ran, ResultError)

    @pytest.mark.parametrize(
        "error", [ParameterError("no"), ResendRefusedError("no"), AccountingError("no"), ResultError("no")]
    )
    def test_the_same_error_is_airflow_s_too(self, error):
        found = for_airflow(error)

        assert isinstance(found, type(error))
        assert isinstance(found, AirflowFailException)
        assert str(found) == "no"

    def test_what_an_error_carries_is_kept(self):
        error = CredentialError("no", advice="Change it.", status=403, code=29, request_id="7")

        found = for_airflow(error)

        assert isinstance(found, CredentialError)
        assert (found.status, found.code, found.request_id, found.retry_after) == (403, 29, "7", None)
        assert str(found) == "no\nWhat to do: Change it."


class TestRetriedFailures:
    @pytest.mark.parametrize("status", [429, 500, 503])
    def test_pinterest_is_unavailable(self, pinterest, status):
        fault(pinterest, status=status, headers={"Retry-After": "30"})

        ran = deliver(events=rows(3), max_wait=NO_WAIT)

        assert isinstance(ran.error, UnavailableError)
        assert not isinstance(ran.error, AirflowException)
        assert ran.error.retry_after == 30

    def test_the_warehouse_is_broken(self, pinterest, warehouse):
        ran = deliver(sql=SELECT, sql_conn_id="warehouse")

        assert isinstance(ran.error, SourceError)
        assert AirflowFailException not in type(ran.error).__mro__

    def test_a_connection_is_not_found_perhaps_because_its_backend_is_down(self, pinterest):
        ran = deliver(sql=SELECT, sql_conn_id="absent")

        assert isinstance(ran.error, MissingConnectionError)
        assert isinstance(ran.error, AirflowException)
        assert AirflowFailException not in type(ran.error).__mro__
        assert "'absent' does not exist" in ran.said
        assert "sql_conn_id" in ran.said

    def test_the_task_was_told_to_stop(self, pinterest):
        operator = SendConversionsOperator(task_id="send", events=rows(1))
        operator.on_kill()

        ran = run(operator)

        assert isinstance(ran.error, StoppedError)
        assert isinstance(ran.error, AirflowException)
        assert AirflowFailException not in type(ran.error).__mro__

    @pytest.mark.parametrize("kind", [RejectsError, UnavailableError, SourceError, PinterestError, DeliveryError])
    def test_the_error_stays_what_it_is(self, kind):
        error = kind("no")

        assert for_airflow(error) is error


CASES: dict[str, dict[str, Any]] = {
    "a wrong column": {"events": [row(1, emial="x")]},
    "a wrong parameter": {"events": [row(1)], "max_rejected": "{{ 'x' }}"},
    "a missing connection": {"sql": SELECT, "sql_conn_id": "absent"},
    "no connection to Pinterest": {"events": [row(1)], "pinterest_conn_id": "absent"},
    "a missing table": {"sql": SELECT, "sql_conn_id": "warehouse"},
    "wrong SQL": {"sql": "SELEC 1", "sql_conn_id": "warehouse"},
    "too many rejected rows": {"events": [row(1), row(2, email=None)]},
    "a wrong folder": {"events": [row(1)], "rejects_path": "/proc/nowhere"},
}


@pytest.mark.usefixtures("pinterest", "warehouse")
@pytest.mark.parametrize("case", CASES)
class TestTheLogOf:
    def test_says_it_all_before_the_error_in_lines_that_no_view_cuts(self, case, block):
        ran = deliver(**CASES[case])

        assert isinstance(ran.error, PinterestError)
        lines = block()
        assert lines
        assert all(len(line) <= WIDTH or " " not in line.strip() for line in lines), lines
        words = " ".join(lines).split()
        assert [word for word in ran.said.split() if word not in words] == []
        assert words[: len(ran.said.split("\n")[0].split())] == ran.said.split("\n")[0].split()

    def test_what_is_raised_shows_no_frames_of_what_lies_below(self, case):
        ran = deliver(**CASES[case])

        assert ran.error is not None
        assert frames(ran.error) <= 5
        assert ran.error.__cause__ is None
        assert ran.error.__suppress_context__


class TestTheLog:
    def test_a_wrong_token_shows_no_frames_either(self, pinterest, block):
        fault(pinterest, status=401)

        ran = deliver(events=rows(1))

        assert frames(ran.error) <= 5
        assert block()[0].startswith("Pinterest denies access: the access token is wrong or expired")
        assert [line for line in block() if line.startswith("What to do: Generate a new token")]

    def test_the_last_line_stands_alone_for_errors_of_others(self, pinterest, block):
        def broken():
            yield row(1)
            raise ZeroDivisionError("not ours")

        class Rows:
            def __iter__(self):
                return broken()

        ran = deliver(events=Rows())

        assert type(ran.error) is ZeroDivisionError
        assert block()
        assert all(len(line) <= WIDTH for line in block())
        assert "not ours" not in " ".join(block())

    def test_never_says_row_0(self, pinterest):
        fault(pinterest, status=401)
        operator = SendConversionsOperator(task_id="send", events=rows(3))
        first = run(operator)

        assert "row 0" not in first.log + first.said


class TestTheHost:
    def test_nobody_listens(self, pinterest, connect):
        port = free_port()
        connect(pinterest, host=f"http://127.0.0.1:{port}/v5")

        ran = deliver(events=rows(1), max_wait=dt.timedelta(seconds=0.5))

        assert ran.said.startswith(f"Cannot connect to 127.0.0.1:{port}: connection refused.\nWhat to do: ")
        assert re.search(rf"127\.0\.0\.1:{port}: connection refused; retrying this batch", ran.log)

    def test_a_proxy_is_named_too(self, pinterest, connect, monkeypatch):
        port = free_port()
        connect(pinterest, host="https://api.example.com/v5")
        monkeypatch.setenv("HTTPS_PROXY", f"http://someone:p4ss@127.0.0.1:{port}")
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.delenv(name, raising=False)

        ran = deliver(events=rows(1), max_wait=NO_WAIT)

        assert "Cannot connect to api.example.com:443: connection refused" in ran.said
        assert f"through the proxy 127.0.0.1:{port}." in ran.said
        assert "p4ss" not in ran.said + ran.log

    def test_nobody_answers(self, pinterest):
        pinterest.fault("drop")

        ran = deliver(events=rows(1), max_wait=NO_WAIT)

        assert re.search(r"The request to 127\.0\.0\.1:\d+ got no complete answer", ran.said)

    def test_the_warehouse_is_down(self, pinterest, monkeypatch):
        port = free_port()
        document = {"conn_type": "postgres", "host": "127.0.0.1", "port": port, "login": "ada", "password": "s3cret"}
        monkeypatch.setenv("AIRFLOW_CONN_DOWN", json.dumps(document))

        ran = deliver(sql=SELECT, sql_conn_id="down")

        assert f"(connection 'down', 127.0.0.1:{port})" in ran.said
        assert "refused" in ran.said
        assert "What to do: Check that the database is running" in ran.said
        assert "s3cret" not in ran.said + ran.log


class TestSeveralProblems:
    def test_all_parameters_and_the_connection_are_named_at_once(self, pinterest, connect):
        connect(pinterest, password="", extra={"ad_account_id": "x", "calls_per_minute": "many"})

        ran = deliver(
            events=rows(1),
            field_map={"a": "nothing", "b": "nowhere"},
            identifiers={"em": {"salt": 1}},
            defaults={"currency": "euro", "xyzzy": 1},
            test="{{ 'perhaps' }}",
            on_unknown_outcome="hold",
        )

        assert isinstance(ran.error, ParameterError)
        intro, *found = ran.said.split("\n")
        assert intro == "Several parameters are wrong:"
        beginnings = [
            "- test must be",
            "- on_unknown_outcome='hold' needs",
            "- field_map['a']",
            "- field_map['b']",
            "- identifiers['em']['salt']",
            "- defaults['xyzzy']",
            "- defaults['custom_data.currency']",
            "- ad_account_id must be",
            "- Connection 'pinterest_default' has no access token",
            "- calls_per_minute in",
        ]
        assert len([line for line in found if line.startswith("- ")]) == len(beginnings)
        assert [line for line, begins in zip(found, beginnings, strict=False) if not line.startswith(begins)] == []
        assert pinterest.calls() == []

    def test_all_columns_are_named_at_once(self, pinterest, block):
        ran = deliver(
            events=[row(1, emial="a", oder_id="b", em="c", EMAIL="d")],
        )

        assert isinstance(ran.error, MappingError)
        intro, *found = ran.said.split("\n")
        assert intro == "3 problems with the columns:"
        assert [line.split(".")[0] for line in found[:3]] == [
            "- Column 'emial' does not match any Pinterest field",
            "- Column 'oder_id' does not match any Pinterest field",
            "- Columns 'email', 'em' and 'EMAIL' all map to user_data",
        ]
        assert sum(line.startswith("- ") for line in block()) == 3


class TestWrapping:
    def test_each_sentence_begins_a_line(self):
        assert list(wrapped("One is here. Two is there.\nThree.")) == ["One is here.", "Two is there.", "Three."]

    def test_what_follows_in_an_item_is_indented(self):
        assert list(wrapped("- One. Two.")) == ["- One.", "  Two."]

    def test_a_long_sentence_is_cut_between_words_and_indented(self):
        [first, *others] = wrapped("word " * 50)

        assert len(first) <= WIDTH
        assert all(line.startswith("  word") and len(line) <= WIDTH for line in others)

    def test_a_long_word_is_left_whole(self):
        word = "x" * 200

        assert word in list(wrapped(f"see {word} there"))[1]


def test_every_error_for_airflow_is_the_package_s_and_airflow_s():
    made = [value for value in vars(errors).values() if isinstance(value, type) and value.__module__ == errors.__name__]

    assert made
    assert all(issubclass(kind, PinterestError) and issubclass(kind, AirflowException) for kind in made)
