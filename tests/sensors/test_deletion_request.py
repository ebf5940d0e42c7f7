"""The sensor that follows deletion requests, without holding a worker."""

from __future__ import annotations

import datetime as dt
import json
import logging
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import (
    DAG,
    AirflowFailException,
    AirflowSkipException,
    TaskDeferred,
)

from airflow_provider_pinterest.airflow_versions import AirflowSensorTimeout
from airflow_provider_pinterest.api.deletion_states import DeletionRequest, RequestProgress, progress_of
from airflow_provider_pinterest.exceptions import CredentialError, ParameterError, ResultError
from airflow_provider_pinterest.hooks.pinterest import PinterestHook
from airflow_provider_pinterest.operators.request_deletion import RequestDeletionOperator
from airflow_provider_pinterest.sandbox import Sandbox
from airflow_provider_pinterest.sensors.deletion_request import DeletionRequestSensor
from airflow_provider_pinterest.triggers.wait import WaitTrigger
from harness.task import RecordingTaskInstance

MIDNIGHT = dt.datetime(2026, 11, 26, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)


@pytest.fixture(autouse=True)
def _oauth(pinterest, connect):
    connect(pinterest, password=Sandbox.oauth_token)


@pytest.fixture
def made():
    """Create three requests and return their ids."""
    operator: Any = RequestDeletionOperator(
        task_id="erase",
        rows=[{"email": f"ada{number}@example.com"} for number in range(3)],
        email_column="email",
        batch_size=1,
    )
    return operator.execute({"ti": RecordingTaskInstance()})["request_ids"]


def sensor(ids: Any, **parameters: Any) -> Any:
    return DeletionRequestSensor(task_id="wait", request_ids=ids, **parameters)


def test_it_waits_until_every_request_is_submitted(pinterest, made):
    waiting = sensor(made)

    assert not waiting.poke({})
    pinterest.submit_deletion_requests(made[0])
    assert not waiting.poke({})
    pinterest.submit_deletion_requests()
    assert waiting.poke({})


def test_it_reads_the_ids_of_a_template_and_of_mapped_tasks(pinterest, made):
    pinterest.submit_deletion_requests()

    assert sensor(str(made)).poke({})
    assert sensor(",".join(made)).poke({})
    assert sensor([made[:2], made[1:]]).poke({})
    assert sensor([int(one) for one in made]).poke({})
    assert len(pinterest.calls(method="GET")) == 12


def test_many_requests_are_looked_up_in_the_list(pinterest):
    rows = [{"email": f"ada{number}@example.com"} for number in range(300)]
    operator: Any = RequestDeletionOperator(task_id="erase", rows=rows, email_column="email", batch_size=1)
    ids = operator.execute({"ti": RecordingTaskInstance()})["request_ids"]
    pinterest.submit_deletion_requests()

    assert sensor(ids).poke({})
    assert len(pinterest.calls(method="GET")) == 2
    assert sensor(ids[:60]).poke({})
    assert len(pinterest.calls(method="GET")) == 4
    with pytest.raises(CredentialError, match="no such deletion request"):
        sensor([*ids[-20:], "7"]).poke({})


def test_a_status_that_is_not_known_is_logged_and_waited_for(pinterest, made, caplog):
    body = {"request_id": made[0], "status": "IN_REVIEW", "created_time": "2026-11-26", "processed_time": None}
    pinterest.fault("status", status=200, on="deletion_get", body=body)

    waiting = sensor(made[:1])
    vars(waiting).update(dict.fromkeys(("_log", "_cached_logger"), logging.getLogger("tests.task")))

    assert not waiting.poke({})
    assert "the status IN_REVIEW, which this version does not know" in caplog.text


def test_missing_ids_are_explained():
    with pytest.raises(ParameterError, match=r"request_ids is None.*output\['request_ids'\] if it is mapped"):
        sensor(None).poke({})


def test_no_requests_are_not_waited_for(pinterest):
    assert sensor([]).poke({})
    assert pinterest.calls() == []


def test_it_takes_the_ids_of_the_operator():
    with DAG("shop", schedule=None, start_date=MIDNIGHT):
        request = RequestDeletionOperator(task_id="erase", rows=[], email_column="email")
        waiting = sensor(request.request_ids)

    assert waiting.upstream_task_ids == {"erase"}


def test_it_frees_the_worker_by_default():
    waiting = sensor([])

    assert waiting.reschedule
    assert (waiting.poke_interval, waiting.timeout) == (3_600, 40 * 86_400)
    assert sensor([], mode="poke", poke_interval=5).poke_interval == 5


def test_a_cancelled_request_fails_without_retry(pinterest, made):
    PinterestHook().cancel_deletion_request(made[1])
    with pytest.raises(ResultError, match=f"1 of 3 deletion requests were cancelled: {made[1]}") as raised:
        sensor(made).poke({})

    assert isinstance(raised.value, AirflowFailException)


def test_an_unavailable_pinterest_is_asked_later(pinterest, made):
    pinterest.submit_deletion_requests()
    pinterest.fault("status", status=503, on="deletion_get", headers={"Retry-After": "3600"})
    waiting = sensor(made)

    assert not waiting.poke({})
    pinterest.clear_faults()
    assert waiting.poke({})


def test_a_conversion_token_fails_without_retry(pinterest, connect, made):
    connect(pinterest, password=Sandbox.token)
    with pytest.raises(CredentialError, match="ads:read") as raised:
        sensor(made).poke({})

    assert isinstance(raised.value, AirflowFailException)


@pytest.mark.parametrize("ids", [5.5, {"a": 1}, ["x"], [None], "x"])
def test_something_else_than_ids_is_refused(ids):
    with pytest.raises(ParameterError, match="id"):
        sensor(ids).poke({})


def test_an_unknown_goal_is_refused():
    with pytest.raises(ParameterError, match="wait_for must be 'submitted' or 'deleted'"):
        sensor([], wait_for="gone")


class TestDeferrable:
    def test_it_waits_in_the_triggerer_and_looks_again(self, pinterest, made):
        waiting = sensor(made, deferrable=True, poke_interval=600)
        with pytest.raises(TaskDeferred) as raised:
            waiting.execute({})
        deferred = raised.value

        assert isinstance(deferred.trigger, WaitTrigger)
        assert (
            dt.timedelta(seconds=590) < deferred.trigger.moment - dt.datetime.now(dt.UTC) <= dt.timedelta(seconds=600)
        )
        pinterest.submit_deletion_requests()
        getattr(waiting, deferred.method_name)({}, None, **json.loads(json.dumps(deferred.kwargs)))

    @pytest.mark.parametrize(("soft", "kind"), [(False, AirflowFailException), (True, AirflowSkipException)])
    def test_a_cancelled_request_fails_it_or_skips_it(self, made, soft, kind):
        PinterestHook().cancel_deletion_request(made[1])
        with pytest.raises(kind, match="1 of 3 deletion requests were cancelled"):
            sensor(made, deferrable=True, soft_fail=soft).execute({})

    @pytest.mark.parametrize(("soft", "kind"), [(False, AirflowSensorTimeout), (True, AirflowSkipException)])
    def test_it_ends_after_the_longest_time(self, made, soft, kind):
        waiting = sensor(made, deferrable=True, timeout=60, soft_fail=soft)
        long_ago = (dt.datetime.now(dt.UTC) - dt.timedelta(seconds=61)).isoformat()
        with pytest.raises(kind, match=r"not all deletion requests are done .wait_for='submitted'"):
            waiting.look_again({}, None, started=long_ago)


@pytest.mark.parametrize(
    ("request_", "wait_for", "after", "expected"),
    [
        (("PENDING", "2026-11-26", None), "submitted", 40 * DAY, RequestProgress.WAITING),
        (("CANCELLED", "2026-11-26", None), "deleted", DAY, RequestProgress.CANCELLED),
        (("SUBMITTED", "2026-11-26", "2026-11-29"), "submitted", DAY, RequestProgress.DONE),
        (("SUBMITTED", "2026-11-26", "2026-11-29"), "deleted", 33 * DAY, RequestProgress.WAITING),
        (("SUBMITTED", "2026-11-26", "2026-11-29T10:00:00"), "deleted", 34 * DAY, RequestProgress.DONE),
        (("SUBMITTED", "2026-11-26", None), "deleted", 33 * DAY, RequestProgress.WAITING),
        (("SUBMITTED", "2026-11-26", None), "deleted", 34 * DAY, RequestProgress.DONE),
        (("SUBMITTED", None, None), "deleted", 90 * DAY, RequestProgress.WAITING),
        (("SUBMITTED", "soon", "1"), "deleted", 90 * DAY, RequestProgress.WAITING),
        (("IN REVIEW", "2026-11-26", None), "submitted", DAY, RequestProgress.WAITING),
    ],
)
def test_how_far_a_request_is(request_, wait_for, after, expected):
    status, created, processed = request_

    assert progress_of(DeletionRequest("1", status, created, processed), wait_for, MIDNIGHT + after) is expected
