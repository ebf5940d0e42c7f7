"""A retry policy that listens to the error; only where Airflow knows retry policies."""

import datetime as dt
import importlib
import importlib.util
import sys

import pytest

from airflow_provider_pinterest.exceptions import (
    CredentialError,
    DeliveryError,
    MappingError,
    ParameterError,
    RefusedError,
    SourceError,
    UnavailableError,
)

KNOWN = importlib.util.find_spec("airflow.sdk") and importlib.util.find_spec("airflow.sdk.definitions.retry_policy")

with_policies = pytest.mark.skipif(not KNOWN, reason="this Airflow has no retry policies")
without_policies = pytest.mark.skipif(bool(KNOWN), reason="this Airflow has retry policies")


def decide(error):
    from airflow_provider_pinterest.policies import PinterestRetryPolicy

    return PinterestRetryPolicy().evaluate(error, 1, 3)


def action(decision):
    return decision.action.name


@with_policies
@pytest.mark.parametrize(
    "error",
    [ParameterError("x"), MappingError("x"), CredentialError("x", status=401), RefusedError("x", status=400)],
    ids=lambda error: type(error).__name__,
)
def test_what_a_retry_cannot_help_fails_at_once(error):
    decision = decide(error)

    assert action(decision) == "FAIL"
    assert type(error).__name__ in decision.reason


@with_policies
@pytest.mark.parametrize("seconds", [0.5, 300.0, 67_150.0])
def test_a_retry_comes_when_pinterest_says(seconds):
    decision = decide(UnavailableError("x", retry_after=seconds))

    assert action(decision) == "RETRY"
    assert decision.retry_delay == dt.timedelta(seconds=seconds)


@with_policies
def test_the_longest_wait_that_can_be_read_is_one_that_airflow_can_store():
    decision = decide(UnavailableError("x", retry_after=999_999_999.0))

    assert decision.retry_delay is not None
    assert dt.datetime(2026, 1, 1, tzinfo=dt.UTC) + decision.retry_delay


@with_policies
@pytest.mark.parametrize(
    "error",
    [UnavailableError("x"), DeliveryError("x"), SourceError("x"), RuntimeError("x"), KeyboardInterrupt()],
    ids=lambda error: type(error).__name__,
)
def test_anything_else_follows_the_task_s_own_settings(error):
    assert action(decide(error)) == "DEFAULT"


@with_policies
def test_a_policy_survives_being_stored():
    from airflow_provider_pinterest.policies import PinterestRetryPolicy

    stored = PinterestRetryPolicy().serialize()

    assert isinstance(PinterestRetryPolicy.deserialize(stored), PinterestRetryPolicy)


@without_policies
def test_an_earlier_airflow_says_what_to_do_instead():
    sys.modules.pop("airflow_provider_pinterest.policies", None)

    with pytest.raises(ImportError, match=r"Airflow 3\.3 or later.*retry_delay"):
        importlib.import_module("airflow_provider_pinterest.policies")
