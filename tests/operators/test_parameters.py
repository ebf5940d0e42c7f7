"""Each parameter: what it does, and what it refuses."""

from __future__ import annotations

import datetime as dt
import hashlib
import inspect
import json
import re
import time
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_pinterest.exceptions import MappingError, ResultError
from airflow_provider_pinterest.operators.send_conversions import SendConversionsOperator
from harness.task import RecordingTaskInstance
from tests.running import deliver, ids, impersonal, refusal, row, rows, run

# Airflow 2.11's own ObjectStoragePath causes it.


def sha256(text):
    return hashlib.sha256(text.encode()).hexdigest()


def bad(count):
    """Return rows that are no events: they lack a match key."""
    return [row(number, event_id=f"bad-{number}", email=None) for number in range(count)]


def test_every_templated_parameter_is_an_attribute():
    operator = SendConversionsOperator(task_id="send", events=[])

    assert all(hasattr(operator, name) for name in operator.template_fields)
    assert set(operator.template_fields_renderers) <= set(operator.template_fields)


def test_every_parameter_is_documented():
    names = set(inspect.signature(SendConversionsOperator.__init__).parameters) - {"self", "kwargs"}
    documented = SendConversionsOperator.__doc__ or ""

    assert {name for name in names if f":param {name}:" not in documented} == set()


class TestSwitches:
    @pytest.mark.parametrize("value", [True, "True", "true", " TRUE "])
    def test_test_mode_may_be_text_and_records_nothing(self, pinterest, value):
        ran = deliver(events=rows(2), test=value)

        assert ran.error is None
        assert ran["test"] is True
        assert pinterest.copies() == {}
        assert pinterest.totals().test == 2

    @pytest.mark.parametrize("value", [False, "False", "false"])
    def test_test_mode_is_off_when_the_text_says_so(self, pinterest, value):
        """``bool("False")`` is true."""
        ran = deliver(events=rows(2), test=value, validate_only=value)

        assert ran.error is None
        assert ran["test"] is False
        assert pinterest.copies() == ids(2)

    @pytest.mark.parametrize("name", ["test", "validate_only"])
    @pytest.mark.parametrize("value", ["", "None", "maybe", "1", "yes", None, 2, "{{ params.test }}"])
    def test_anything_else_is_refused_before_any_call(self, pinterest, name, value):
        assert f"{name} must be true or false" in refusal(pinterest, events=rows(1), **{name: value})


class TestValidateOnly:
    def test_no_call_is_made_and_every_row_is_counted(self, pinterest):
        ran = deliver(events=[*rows(5), *bad(1)], validate_only=True, max_rejected=1)

        assert ran.error is None
        assert pinterest.calls() == []
        assert (ran["validated_only"], ran["rows_rejected"], ran["events_sent"]) == (5, 1, 0)
        assert ran["calls"] == 0

    def test_the_connection_needs_no_token(self, pinterest, connect):
        connect(pinterest, password=None)

        assert deliver(events=rows(1), validate_only=True).error is None

    def test_one_event_is_shown_with_its_identifiers_shortened(self, pinterest):
        """``deliver`` looks for addresses and hashes in the log, and here also for what goes out unhashed."""
        ran = deliver(
            events=[
                row(ip="203.0.113.77", user_agent="Mozilla/5.0 (X11)", epik="dj0yJnU9secret", phone="+14155550100")
            ],
            validate_only=True,
        )

        assert '"event_name": "checkout"' in ran.log
        assert sha256("ada1@example.com")[:6] in ran.log
        for whole in ("203.0.113.77", "Mozilla/5.0 (X11)", "dj0yJnU9secret", "4155550100"):
            assert whole not in ran.log

    def test_an_address_in_a_page_s_query_is_not_shown_either(self, pinterest):
        ran = deliver(events=[row(url="https://shop.example/thanks?email=ada@example.com")], validate_only=True)

        assert impersonal(ran.log)

    def test_it_fails_for_too_many_rejected_rows_all_the_same(self, pinterest):
        assert isinstance(deliver(events=[*rows(1), *bad(1)], validate_only=True).error, AirflowFailException)


class TestMaxRejected:
    @pytest.mark.parametrize(
        ("good", "rejected", "limit", "fails"),
        [
            (99, 1, 0.01, False),
            (98, 2, 0.01, True),
            (10, 0, 0, False),
            (10, 1, 0, True),
            (10, 0, 0.0, False),
            (10, 1, 0.0, True),
            (10, 1, 1, False),
            (10, 2, 1, True),
            (0, 3, 1.0, False),
            (0, 3, 3, False),
        ],
    )
    def test_an_int_counts_rows_and_a_float_is_a_share(self, pinterest, good, rejected, limit, fails):
        ran = deliver(events=[*rows(good), *bad(rejected)], max_rejected=limit)

        assert isinstance(ran.error, AirflowFailException) is fails
        assert fails or ran.error is None
        assert pinterest.copies() == ids(good), "the rest is delivered first"
        assert ran["rows_rejected"] == rejected

    def test_the_failure_names_the_commonest_reasons(self, pinterest):
        ran = deliver(events=[*bad(2), row(3, action_source="shop")])

        assert "3 of 3 rows" in ran.said
        assert "no_match_key 2" in ran.said
        assert "bad_action_source 1" in ran.said

    def test_events_that_pinterest_refuses_count_too(self, pinterest):
        pinterest.fault("fail_event", event_id="order-1")

        ran = deliver(events=rows(2), max_rejected=0)

        assert isinstance(ran.error, AirflowFailException)
        assert (ran["events_failed"], ran["events_processed"]) == (1, 1)

    @pytest.mark.parametrize("value", [-1, -0.1, 1.1, float("nan"), float("inf"), True, "0.01", None])
    def test_a_limit_that_makes_no_sense_is_refused(self, pinterest, value):
        assert "max_rejected" in refusal(pinterest, events=rows(1), max_rejected=value)


class TestMaxDuplicates:
    @pytest.mark.parametrize(
        ("good", "copies", "limit", "fails"),
        [(10, 10, {}, False), (10, 11, {}, True), (1, 2_999, {}, True), (10, 1, {"max_duplicates": 0}, True),
         (10, 1, {"max_duplicates": 1}, False), (1, 9, {"max_duplicates": 1.0}, False), (0, 0, {}, False)],
    )  # fmt: skip
    def test_a_run_of_mostly_duplicates_fails_after_delivering_the_rest(self, pinterest, good, copies, limit, fails):
        ran = deliver(events=[*rows(good), *[row(1)] * copies], **limit)

        assert isinstance(ran.error, AirflowFailException) is fails
        assert not fails or "Check whether different events have the same event_id" in ran.said
        assert pinterest.copies() == ids(good)
        assert ran["duplicates_dropped"] == copies


class TestMinEvents:
    @pytest.mark.parametrize(("count", "least", "fails"), [(3, 3, False), (3, 4, True), (0, 1, True), (0, 0, False)])
    def test_fewer_processed_events_fail_the_task_without_retry(self, pinterest, count, least, fails):
        ran = deliver(events=rows(count), min_events=least)

        assert isinstance(ran.error, AirflowFailException) is fails
        assert pinterest.copies() == ids(count)

    @pytest.mark.parametrize("value", [-1, 1.5, True, "3", None])
    def test_a_number_that_makes_no_sense_is_refused(self, pinterest, value):
        assert refusal(pinterest, events=rows(1), min_events=value)


@pytest.mark.parametrize("value", [0, 7, "7 days", dt.timedelta(0), dt.timedelta(-1)])
def test_a_max_event_age_that_is_no_positive_timedelta_is_refused(pinterest, value):
    assert "max_event_age" in refusal(pinterest, events=rows(1), max_event_age=value)


class TestBatches:
    def test_batch_size_cuts_by_events(self, pinterest):
        assert deliver(events=rows(7), batch_size=3).error is None
        assert sorted(call.events for call in pinterest.calls()) == [1, 3, 3]

    def test_max_batch_bytes_cuts_by_bytes(self, pinterest):
        assert deliver(events=rows(200), max_batch_bytes=10_000).error is None

        assert all(call.bytes <= 10_000 for call in pinterest.calls())
        assert 1 < len(pinterest.calls()) < 10
        assert pinterest.copies() == ids(200)

    @pytest.mark.parametrize("value", [0, 1_001, -1, 1.5, "10", True, None])
    def test_a_batch_size_that_cannot_work_is_refused(self, pinterest, value):
        assert "batch_size must be 1 to 1000" in refusal(pinterest, events=rows(1), batch_size=value)

    @pytest.mark.parametrize("value", [0, 9_999, 1e6, "2000000", True, None])
    def test_a_number_of_bytes_that_cannot_work_is_refused(self, pinterest, value):
        assert refusal(pinterest, events=rows(1), max_batch_bytes=value)


class TestMapping:
    def test_field_map_names_fields_and_ignores_columns(self, pinterest):
        ran = deliver(
            events=[row(order_total=7.5, note="secret")],
            field_map={"order_total": "custom_data.value", "note": None},
        )

        assert ran.error is None
        assert pinterest.events()[0].event["custom_data"] == {"value": "7.5"}

    def test_identifiers_switch_how_one_is_read(self, pinterest):
        assert deliver(events=[row(external_id="AbC")], identifiers={"external_id": {"case": "lower"}}).error is None
        assert pinterest.events()[0].event["user_data"]["external_id"] == [sha256("abc")]

    def test_defaults_fill_what_a_row_lacks(self, pinterest):
        events = [row(1, currency="USD"), row(2)]

        assert deliver(events=events, defaults={"custom_data.currency": "EUR"}).error is None
        assert [event.event["custom_data"]["currency"] for event in pinterest.events()] == ["USD", "EUR"]

    def test_naive_times_stand_in_the_given_zone(self, pinterest):
        naive = (dt.datetime.now(dt.UTC) - dt.timedelta(days=1)).replace(microsecond=0, tzinfo=None)

        assert deliver(events=[row(event_time=naive)], timezone="Asia/Tokyo").error is None
        expected = naive.replace(tzinfo=dt.timezone(dt.timedelta(hours=9)))
        assert pinterest.events()[0].event_time == expected.timestamp()

    @pytest.mark.parametrize(
        ("parameters", "words"),
        [
            ({"field_map": {"email": "user_data.mail"}}, "is not a Pinterest field"),
            ({"field_map": {"e_mial": "em"}}, "field_map"),
            ({"field_map": ["email"]}, "field_map"),
            ({"identifiers": {"value": {"case": "lower"}}}, "identifiers"),
            ({"identifiers": {"em": {"salt": "x"}}}, "no such switch"),
            ({"defaults": {"currency": "EURO"}}, "defaults"),
            ({"defaults": {"no_field": 1}}, "defaults"),
            ({"event_id_from": "order_id"}, "event_id_from"),
            ({"timezone": "Mars/Olympus"}, "timezone"),
            ({"key_columns": "order_id"}, "key_columns"),
        ],
    )
    def test_a_mapping_that_cannot_work_is_refused_before_any_call(self, pinterest, warehouse, parameters, words):
        warehouse.fill("orders", rows(1))

        assert words in refusal(pinterest, sql="SELECT * FROM orders", sql_conn_id="warehouse", **parameters)

    def test_a_column_that_maps_to_nothing_names_the_nearest_field(self, pinterest):
        ran = deliver(events=[row(currencie="EUR")])

        assert isinstance(ran.error, MappingError)
        assert "'currencie'" in ran.said
        assert "custom_data.currency" in ran.said
        assert pinterest.calls() == []

    def test_two_columns_for_one_field_are_refused(self, pinterest, warehouse):
        warehouse.fill("orders", [row(mail_hash="x", em="y")])

        ran = deliver(sql="SELECT * FROM orders", sql_conn_id="warehouse", field_map={"mail_hash": None})

        assert isinstance(ran.error, MappingError)
        assert "both map to user_data.em" in ran.said
        assert pinterest.calls() == []


class TestResult:
    def test_the_result_is_returned_with_every_count(self, pinterest):
        pinterest.fault("fail_event", event_id="order-2", message="bad")
        events = [*rows(4), row(4), *bad(1), row(9, event_name="own_name", event_time=int(time.time()) - 7_000)]

        ran = deliver(events=events, max_rejected=2)

        assert ran.error is None
        seconds = ran.result.pop("seconds")
        assert 0 <= seconds < 10
        freshness = ran.result.pop("freshness")
        assert freshness["over_1h"] == 1
        assert freshness["stale"] == 0
        assert 6_990 < freshness["max_s"] < 7_100
        assert ran.result == {
            "ad_account_id": pinterest.ad_account_id,
            "test": False,
            "rows_read": 7,
            "events_sent": 5,
            "events_processed": 4,
            "events_failed": 1,
            "events_held": 0,
            "rows_rejected": 1,
            "duplicates_dropped": 1,
            "rows_excluded": 0,
            "already_sent": 0,
            "validated_only": 0,
            "rows_not_sent": 0,
            "calls": 1,
            "retries": 0,
            "reasons": {"no_match_key": 1, "pinterest_failed": 1},
            "warnings": {"unknown_event_name": 1, "pinterest_warning": 1},
            "coverage": {
                "action_source": 1.0,
                "event_id": 1.0,
                "event_name": 1.0,
                "event_time": 1.0,
                "user_data.em": 1.0,
            },
            "unlisted_event_names": {"own_name": 1},
            "selection": {},
            "accounts": {},
            "accounts_read": 0,
            "accounts_refused": 0,
            "accounts_unavailable": 0,
            "other_accounts": {},
            "rejects_path": None,
            "resumed_from": None,
        }

    def test_the_result_of_a_success_is_pushed_and_returned(self, pinterest):
        operator, ti = SendConversionsOperator(task_id="send", events=rows(2)), RecordingTaskInstance()
        context: Any = {"ti": ti}

        returned = operator.execute(context)

        assert returned["events_processed"] == 2
        assert ti.pushed == {"pinterest_result": returned}
        assert operator.do_xcom_push is False, "Airflow would store it once more"

    def test_the_result_of_a_failure_is_pushed(self, pinterest):
        operator, ti = SendConversionsOperator(task_id="send", events=[*rows(2), *bad(1)]), RecordingTaskInstance()
        context: Any = {"ti": ti}

        with pytest.raises(ResultError):
            operator.execute(context)
        assert ti.pushed["pinterest_result"]["events_processed"] == 2

    def test_without_do_xcom_push_nothing_is_pushed(self, pinterest):
        operator = SendConversionsOperator(task_id="send", events=[*rows(2), *bad(1)], do_xcom_push=False)
        ti = RecordingTaskInstance()
        context: Any = {"ti": ti}

        with pytest.raises(ResultError):
            operator.execute(context)
        assert ti.pushed == {}

    def test_the_log_closes_with_the_account_and_some_examples(self, pinterest):
        ran = deliver(events=[*rows(2), *bad(9)], max_rejected=1.0)

        assert "rows read                   11" in ran.log
        assert ran.log.count("needs a usable em") == 5
        assert re.search(r"Row 3\b.*no_match_key.*user_data", ran.log)

    def test_the_result_is_small_whatever_the_rows(self, pinterest):
        ran = deliver(events=rows(3_000))

        assert len(json.dumps(ran.result)) < 2_000


def _exists(module):
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # not even its package
        return False


class TestRejects:
    def lines(self, folder):
        return [json.loads(line) for part in sorted(folder.rglob("part-*")) for line in part.read_text().splitlines()]

    def test_each_rejected_failed_and_held_row_is_a_line(self, pinterest, tmp_path):
        pinterest.fault("fail_event", event_id="order-2", message="Bad order 2")

        ran = deliver(
            events=[row(1), row(2, order_id="A-2"), row(3, email=None, order_id="A-3")],
            rejects_path=str(tmp_path),
            key_columns=["order_id"],
            max_rejected=2,
        )

        assert ran.error is None
        assert ran["rejects_path"].startswith(("file://", str(tmp_path)))
        found = self.lines(tmp_path)
        assert sorted(found, key=lambda line: line["row"]) == [
            {
                "row": 2,
                "event_id": "order-2",
                "keys": {"order_id": "A-2"},
                "reasons": [{"code": "pinterest_failed", "field": "", "message": "Bad order 2"}],
                "stage": "pinterest",
            },
            {
                "row": 3,
                "event_id": "order-3",
                "keys": {"order_id": "A-3"},
                "reasons": [
                    {
                        "code": "no_match_key",
                        "field": "user_data",
                        "message": (
                            "needs a usable em, or hashed_maids, or both client_ip_address and client_user_agent"
                        ),
                    }
                ],
                "stage": "validation",
            },
        ]

    def test_the_files_are_for_their_owner_only(self, pinterest, tmp_path):
        deliver(events=bad(1), rejects_path=str(tmp_path), max_rejected=1)

        [part] = tmp_path.rglob("part-*")
        assert part.stat().st_mode & 0o777 == 0o600

    def test_another_try_of_the_run_replaces_what_the_one_before_left(self, pinterest, tmp_path):
        deliver(events=[*bad(3)], rejects_path=str(tmp_path), max_rejected=3)
        deliver(events=[row(1), *bad(1)], rejects_path=str(tmp_path), max_rejected=3)

        assert [line["row"] for line in self.lines(tmp_path)] == [2]

    def test_runs_and_map_indexes_have_folders_of_their_own(self, pinterest, tmp_path):
        for ti in (
            RecordingTaskInstance(),
            RecordingTaskInstance(map_index=3),
            RecordingTaskInstance(run_id="manual__x"),
        ):
            run(
                SendConversionsOperator(task_id="send", events=bad(1), rejects_path=str(tmp_path), max_rejected=1),
                ti=ti,
            )

        assert len(self.lines(tmp_path)) == len(list(tmp_path.iterdir())) == 3

    def test_an_object_store_takes_them_too(self, pinterest):
        from airflow.providers.common.compat.sdk import ObjectStoragePath
        from fsspec.implementations.memory import MemoryFileSystem

        home = next(name for name in ("airflow.sdk.io", "airflow.io.store") if _exists(name))  # since 3.0, before
        attach = import_module(home).attach
        attach("memory", fs=MemoryFileSystem())

        ran = deliver(events=bad(2), rejects_path="memory://shop/rejects", max_rejected=2)

        assert ran.error is None
        [part] = ObjectStoragePath(ran["rejects_path"]).iterdir()
        with part.open("rb") as file:
            assert [json.loads(line)["row"] for line in file.read().splitlines()] == [1, 2]

    def test_many_rejections_come_in_parts_and_none_is_lost(self, pinterest, tmp_path):
        assert deliver(events=bad(5_001), rejects_path=str(tmp_path), max_rejected=1.0).error is None
        assert len(list(tmp_path.rglob("part-*"))) == 2
        assert [line["row"] for line in self.lines(tmp_path)] == list(range(1, 5_002))

    def test_a_rejection_that_cannot_be_written_fails_the_task(self, pinterest, tmp_path):
        (tmp_path / "file").write_text("")

        ran = deliver(events=[*rows(1), *bad(1)], rejects_path=str(tmp_path / "file"), max_rejected=1)

        assert isinstance(ran.error, OSError)
        assert set(pinterest.copies()) <= set(ids(1))

    def test_key_columns_need_not_be_fields(self, pinterest, tmp_path):
        ran = deliver(
            events=[row(1, email=None, store="Soho")], rejects_path=str(tmp_path), key_columns=["store"], max_rejected=1
        )

        assert ran.error is None
        assert self.lines(tmp_path)[0]["keys"] == {"store": "Soho"}

    @pytest.mark.parametrize("cell", [b"\xff", 10**30, "\ud800", float("nan"), {"a"}, dt.time(1)])
    def test_a_key_of_any_type_can_be_written(self, pinterest, tmp_path, cell):
        ran = deliver(
            events=[row(1, email=None, store=cell)], rejects_path=str(tmp_path), key_columns=["store"], max_rejected=1
        )

        assert ran.error is None
        assert len(self.lines(tmp_path)) == 1
