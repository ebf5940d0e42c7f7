"""The button that leads to Ads Manager."""

from types import SimpleNamespace

import pytest

from airflow_provider_pinterest.get_provider_info import get_provider_info
from airflow_provider_pinterest.links import conversions
from airflow_provider_pinterest.links.conversions import AdsManagerConversionsLink
from airflow_provider_pinterest.operators.send_conversions import SendConversionsOperator
from harness.task import RecordingTaskInstance
from tests.running import row, rows, run

KEY = object()


@pytest.fixture
def stored(monkeypatch):
    """Let Airflow's XCom answer from what a task instance pushed."""
    ti = RecordingTaskInstance()

    def get_value(*, key, ti_key):
        assert ti_key is KEY
        return ti.pushed.get(key)

    monkeypatch.setattr(conversions, "XCom", SimpleNamespace(get_value=get_value))
    return ti


def link(operator):
    [found] = operator.operator_extra_links
    return found.get_link(operator, ti_key=KEY)


def test_it_leads_to_the_conversions_of_the_account_that_was_sent_to(pinterest, stored):
    operator = SendConversionsOperator(task_id="send", events=rows(1), ad_account_id="42")
    run(operator, ti=stored)

    assert link(operator) == "https://ads.pinterest.com/advertiser/42/conversions/"


def test_where_the_task_does_not_run_it_reads_the_result(stored):
    stored.pushed["pinterest_result"] = {"ad_account_id": "42"}

    assert link(SendConversionsOperator(task_id="send", events=[])).endswith("/42/conversions/")


def test_a_task_that_failed_after_delivering_has_it_too(pinterest, stored):
    operator = SendConversionsOperator(task_id="send", events=[row(1), row(2, email=None)], max_rejected=0)
    assert run(operator, ti=stored).error

    assert link(operator).endswith(f"/{pinterest.ad_account_id}/conversions/")


@pytest.mark.parametrize("value", [None, "", {}, [], "text", {"ad_account_id": None}])
def test_it_is_empty_before_there_is_a_result(stored, value):
    stored.pushed["pinterest_result"] = value

    assert link(SendConversionsOperator(task_id="send", events=[])) == ""


def test_it_is_declared_so_that_airflow_shows_it():
    path = f"{AdsManagerConversionsLink.__module__}.{AdsManagerConversionsLink.__qualname__}"

    assert path in get_provider_info()["extra-links"]
