"""What the hook does with deletion requests."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_pinterest.exceptions import CredentialError, ParameterError, RefusedError, UnavailableError
from airflow_provider_pinterest.hooks.pinterest import PinterestHook
from airflow_provider_pinterest.operators.request_deletion import RequestDeletionOperator
from airflow_provider_pinterest.sandbox import Sandbox
from harness.task import RecordingTaskInstance


@pytest.fixture
def hook(pinterest, connect):
    connect(pinterest, password=Sandbox.oauth_token)
    return PinterestHook()


def create(count, **parameters):
    rows = [{"email": f"ada{number}@example.com"} for number in range(count)]
    operator: Any = RequestDeletionOperator(
        task_id="erase", rows=rows, email_column="email", batch_size=1, **parameters
    )
    return operator.execute({"ti": RecordingTaskInstance()})["request_ids"]


def test_all_requests_of_an_account_are_listed(pinterest, hook):
    ids = create(3)
    other = create(1, ad_account_id="77")

    assert [one["request_id"] for one in hook.list_deletion_requests()] == ids[::-1]
    assert [one["request_id"] for one in hook.list_deletion_requests("77")] == other
    assert hook.list_deletion_requests("88") == []


def test_a_long_list_comes_in_pages(pinterest, hook):
    def fill():
        for number in range(260):
            pinterest._pinterest.deletions.create("9", {"epiks": [str(number)]}, 0.0, 1.0)

    pinterest._do(fill)

    assert len({one["request_id"] for one in hook.list_deletion_requests("9")}) == 260
    assert len(pinterest.calls()) == 2


def test_one_request_is_shown_and_cancelled(pinterest, hook):
    (made,) = create(1)

    assert hook.get_deletion_request(made)["status"] == "PENDING"
    assert hook.cancel_deletion_request(int(made)) is None
    assert hook.get_deletion_request(made)["status"] == "CANCELLED"
    hook.cancel_deletion_request(made)


def test_a_submitted_request_cannot_be_cancelled(pinterest, hook):
    (made,) = create(1)
    pinterest.submit_deletion_requests()
    with pytest.raises(RefusedError, match="Only a pending request"):
        hook.cancel_deletion_request(made)


def test_a_cancellation_without_an_answer_is_repeated(pinterest, hook):
    (made,) = create(1)
    pinterest.fault("drop", times=1, on="deletion_cancel", after_accepting=True)
    hook.cancel_deletion_request(made)

    assert [call.status for call in pinterest.calls(method="DELETE")] == [0, 400]


@pytest.mark.parametrize("action", ["get_deletion_request", "cancel_deletion_request"])
def test_a_request_that_does_not_exist(hook, action):
    with pytest.raises(CredentialError, match="no such deletion request"):
        getattr(hook, action)("1")
    with pytest.raises(ParameterError, match="1 to 18 digits"):
        getattr(hook, action)("1/../2")


def test_a_conversion_token_is_explained(pinterest, connect):
    connect(pinterest, password=Sandbox.token)
    with pytest.raises(CredentialError, match="A conversion token of Ads Manager is not accepted"):
        PinterestHook().list_deletion_requests()


def test_an_expired_token_is_refreshed(pinterest, connect):
    extra = {"app_id": pinterest.app_id, "app_secret": pinterest.app_secret, "refresh_token": pinterest.refresh_token}
    connect(pinterest, password=Sandbox.oauth_token, extra={"ad_account_id": "1", **extra})
    pinterest.expire_tokens()

    assert PinterestHook().list_deletion_requests() == []


def test_an_unavailable_pinterest(pinterest, hook):
    pinterest.fault("status", status=503, on="deletion_list", headers={"Retry-After": "600"})
    with pytest.raises(UnavailableError, match="Pinterest cannot accept deletion requests now"):
        hook.list_deletion_requests()
