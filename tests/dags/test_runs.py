"""Every example DAG, run by real Airflow against the local Pinterest, with the demo's warehouse."""

from __future__ import annotations

import datetime as dt
import re
import sqlite3
from collections import Counter
from contextlib import closing

import airflow
import pytest
from airflow.providers.common.compat.sdk import AirflowFailException
from packaging.version import Version

from demo import planted, verdict, warehouse
from demo.kinds import Fate, Feed
from demo.warehouse import DAY, SHOPS, STORE_TIMEZONE
from harness import dag_runs
from harness.accounting import imbalances

SECOND = dt.timedelta(seconds=1)


def ids(received, **wanted):
    """Return the ids of the events whose named fields have these values, how often each came."""
    return Counter(
        event.event_id for event in received if all(getattr(event, name) == value for name, value in wanted.items())
    )


def once(keys):
    return dict.fromkeys(keys, 1)


def sent(feed, result):
    """Check that a result accounts for the planted rows of a feed."""
    assert imbalances(result) == []
    assert result["rows_read"] == planted.rows_read(feed)
    assert result["events_processed"] == planted.SENT[feed]
    assert result["reasons"] == planted.reasons(feed)
    assert result["duplicates_dropped"] == planted.of(feed, Fate.DROPPED)


class TestSync:
    @pytest.fixture
    def ran(self, dags):
        return dags.run("pinterest_sync_checkouts", dags.shop.quarter.end)

    def test_checkouts_and_browsing_of_the_window_arrive_once_each(self, dags, ran):
        keys = dags.shop.keys

        assert ids(ran.received, event_name="checkout") == once(keys[Feed.CHECKOUTS])
        assert ids(ran.received) == once(keys[Feed.CHECKOUTS] | keys[Feed.BROWSING])

    def test_every_row_is_accounted_for(self, ran):
        browsing, checkouts = ran.results
        sent(Feed.BROWSING, browsing)
        sent(Feed.CHECKOUTS, checkouts)

    def test_events_are_fresh_enough_to_count_as_web_events(self, ran):
        for result in ran.results:
            assert result["freshness"]["over_1h"] == 0
            assert result["freshness"]["max_s"] < 3_600

    def test_checkouts_carry_their_basket(self, ran):
        checkout = next(event.event for event in ran.received if event.event_name == "checkout")
        basket = checkout["custom_data"]

        assert {"id", "item_name", "item_price", "quantity"} <= basket["contents"][0].keys()
        assert basket["num_items"] == sum(line["quantity"] for line in basket["contents"])
        assert basket["content_ids"] == [line["id"] for line in basket["contents"]]
        assert float(basket["value"]) == pytest.approx(
            sum(line["quantity"] * float(line["item_price"]) for line in basket["contents"])
        )

    def test_identifiers_that_only_look_dirty_arrive_right(self, dags, ran):
        arrived = {event.event_id: event.event["user_data"] for event in ran.received}

        for kind, proofs in dags.shop.proofs.items():
            if kind.feed is Feed.CHECKOUTS:
                for key, digests in proofs.items():
                    assert {name: arrived[key][name] for name in digests} == {
                        name: [digest] for name, digest in digests.items()
                    }, kind

    def test_no_address_leaves_in_clear(self, ran):
        assert not [event for event in ran.received if "@" in str(event.event["user_data"])]

    def test_rejected_rows_can_be_found_by_their_order(self, ran):
        rejected = [row for row in ran.rejects() if row["keys"]]

        assert Counter(reason["code"] for row in rejected for reason in row["reasons"]) == planted.reasons(
            Feed.CHECKOUTS
        )
        assert all(re.fullmatch(r"(DE|UK|US)\d{6}", row["keys"]["order_id"]) for row in rejected)

    def test_limited_data_processing_comes_with_its_region(self, ran):
        limited = [
            event.event["user_data"]
            for event in ran.received
            if event.event.get("custom_data", {}).get("opt_out_type") == "LDP"
        ]

        assert limited
        assert all({"st", "country"} <= user.keys() for user in limited)

    def test_opt_out_is_left_out_where_nobody_asked(self, ran):
        checkouts = [event.event for event in ran.received if event.event_name == "checkout"]

        assert {event.get("opt_out") for event in checkouts} == {None, False, True}

    def test_a_run_without_an_interval_takes_the_window_it_is_given(self, dags):
        window = {name: moment.isoformat() for name, moment in dags.shop.quarter._asdict().items()}

        ran = dags.run("pinterest_sync_checkouts", dags.shop.quarter.end - DAY, window)

        assert ids(ran.received, event_name="checkout") == once(dags.shop.keys[Feed.CHECKOUTS])


class TestBackfill:
    def test_a_past_day_arrives_and_rows_too_old_are_rejected(self, dags):
        ran = dags.run("pinterest_backfill", dags.shop.day.start)
        [result] = ran.results

        sent(Feed.BACKFILL, result)
        assert ids(ran.received) == once(dags.shop.keys[Feed.BACKFILL])
        assert {row["reasons"][0]["code"] for row in ran.rejects()} == {"too_old"}


class TestBackfillOfStoreSales:
    def run(self, dags, answer, when=None):
        when = when or dags.shop.day.end
        return dags.run("pinterest_backfill_store_sales", when, pinterest_backfill_approved=answer)

    def test_it_is_validated_then_sent_once_then_not_again(self, dags):
        first = self.run(dags, "yes")
        again = self.run(dags, "yes", dags.shop.day.end + SECOND)
        results = {task.task_id: task.result for task in first.tasks}
        old = planted.reasons(Feed.STORE_SALES)["too_old"]  # for the daily DAG, not for a backfill
        valid = planted.SENT[Feed.STORE_SALES] + old

        assert results["validate"]["validated_only"] == results["send"]["events_processed"] == valid
        assert [imbalances(result) for result in first.results] == [[], []]
        orders = Counter(event.event["custom_data"]["order_id"] for event in first.received)
        assert orders.keys() >= dags.shop.keys[Feed.STORE_SALES]
        assert orders.total() == len(orders) == valid
        assert not again.received
        assert again.results[0]["already_sent"] == valid

    def test_a_rejected_backfill_fails_and_sends_nothing(self, dags):
        with pytest.raises(AssertionError, match="failed"):
            self.run(dags, "no", dags.shop.day.end + 2 * SECOND)

        assert dags.pinterest.calls() == []

    @pytest.mark.skipif(Version(airflow.__version__) < Version("3.1"), reason="the question came with Airflow 3.1")
    def test_one_rejection_ends_the_backfill_whatever_is_answered_elsewhere(self, example_folder, monkeypatch):
        approve = dag_runs.load(example_folder)["pinterest_backfill_store_sales"].get_task("approve")
        monkeypatch.setenv("AIRFLOW_VAR_PINTEREST_BACKFILL_APPROVED", "no")

        with pytest.raises(AirflowFailException, match="The backfill was rejected"):
            approve.execute_complete({}, {"chosen_options": ["Approve"], "params_input": {}})


class TestPartitions:
    @pytest.fixture
    def partition(self):
        """Give the runs that are made a partition, as the scheduler does; `dag.test` gives them none."""
        pytest.importorskip("airflow.sdk.definitions.partition_mappers")
        import sqlalchemy
        from airflow.models.dagrun import DagRun

        key: list[str] = []

        def give(_mapper, _connection, dag_run):
            dag_run.partition_key = key[0]

        sqlalchemy.event.listen(DagRun, "before_insert", give)
        yield key.append
        sqlalchemy.event.remove(DagRun, "before_insert", give)

    def test_the_day_of_the_partition_arrives(self, dags, partition):
        day = dags.shop.day.start - DAY
        partition(f"{day:%Y-%m-%d}")

        ran = dags.run("pinterest_partitioned_checkouts", None)

        arrived = ids(ran.received)
        assert arrived.keys() >= dags.shop.keys[Feed.BACKFILL]
        assert set(arrived.values()) == {1}
        assert ran.results[0]["rows_read"] == planted.rows_read(Feed.BACKFILL)
        assert imbalances(ran.results[0]) == []

    def test_a_run_without_a_partition_fails_before_it_reads(self, dags, partition):
        partition(None)

        with pytest.raises(AssertionError, match="failed"):
            dags.run("pinterest_partitioned_checkouts", None, {"by": "hand"})


class TestErasure:
    def test_everybody_of_the_day_is_in_one_request_that_was_followed(self, dags):
        ran = dags.run("pinterest_erasure", dags.shop.day.end)
        [result] = ran.results

        assert [sorted(made.user_emails) for made in ran.deletions] == [sorted(map(str.lower, warehouse.ERASED))]
        assert (result["rows_read"], result["requested"], result["duplicates_dropped"]) == (4, 3, 1)
        assert result["request_ids"] == [made.request_id for made in ran.deletions]
        assert ran.received == []


class TestStoreSales:
    @pytest.fixture
    def ran(self, dags):
        return dags.run("pinterest_store_sales", dags.shop.day.end)

    def test_every_receipt_arrives_once(self, dags, ran):
        orders = Counter(event.event["custom_data"]["order_id"] for event in ran.received)

        assert orders == once(dags.shop.keys[Feed.STORE_SALES])
        assert {event.action_source for event in ran.received} == {"offline"}
        sent(Feed.STORE_SALES, ran.results[0])

    def test_ids_are_made_of_the_receipt(self, ran):
        assert set(ids(ran.received).values()) == {1}
        assert all(event.event_id for event in ran.received)

    def test_local_time_became_universal_time(self, dags, ran):
        """The stores are open from 9 to 19 h UTC, whatever the clock in Berlin says then."""
        times = [dt.datetime.fromtimestamp(event.event_time, dt.UTC) for event in ran.received]
        opening = dags.shop.day.start + dt.timedelta(hours=9)

        assert opening.astimezone(STORE_TIMEZONE).hour != opening.hour
        assert all(opening - dt.timedelta(minutes=10) <= time < opening + dt.timedelta(hours=10) for time in times)

    def test_rejected_rows_name_the_till(self, ran):
        assert all(re.fullmatch(r"S[123]", row["keys"]["store_id"]) for row in ran.rejects())


class TestOutcomes:
    def test_each_sale_is_sent_once_although_the_windows_overlap(self, dags):
        first = dags.run("pinterest_outcomes", dags.shop.day.end)
        second = dags.run("pinterest_outcomes", dags.shop.day.end + DAY)

        orders = Counter(event.event["custom_data"]["order_id"] for event in first.received)
        assert orders == once(orders)
        assert orders.keys() >= dags.shop.keys[Feed.STORE_SALES]
        assert second.results[0]["already_sent"] == first.results[0]["events_processed"]
        assert second.results[0]["calls"] == second.results[0]["events_processed"] == 0


class TestResend:
    def run(self, dags, only, seconds):
        day = dags.shop.day
        window = {"start": (day.end - 7 * DAY).isoformat(), "end": day.end.isoformat()}
        return dags.run("pinterest_resend_store_sales", day.end + seconds * SECOND, {"only": only, **window})

    def test_rows_that_were_not_corrected_are_still_refused(self, dags):
        [before] = dags.run("pinterest_outcomes", dags.shop.day.end).results
        ran = self.run(dags, "rejected", 1)

        assert ran.received == []
        assert ran.results[0]["selection"]["still_refused"] == before["rows_rejected"] > 0
        assert ran.results[0]["reasons"].items() >= before["reasons"].items()

    def test_failed_events_and_no_others_are_sent_again(self, dags):
        dags.run("pinterest_outcomes", dags.shop.day.end)
        with closing(sqlite3.connect(dags.outcomes("pinterest_outcomes"))) as table:
            found = table.execute(
                "SELECT event_id FROM pinterest_outcomes WHERE status = 'processed' LIMIT 3"
            ).fetchall()
            table.executemany("UPDATE pinterest_outcomes SET status = 'failed' WHERE event_id = ?", found)
            table.commit()
        ran = self.run(dags, "failed", 2)

        assert ids(ran.received) == once([event_id for (event_id,) in found])
        assert ran.results[0]["selection"]["processed"] == 3
        assert imbalances(ran.results[0]) == []


class TestEventsFromTask:
    @pytest.fixture
    def ran(self, dags):
        return dags.run("pinterest_events_from_task", dags.shop.quarter.end)

    def test_rows_of_an_upstream_task_arrive_once_each(self, dags, ran):
        apps = ids(ran.received, action_source="app_ios") + ids(ran.received, action_source="app_android")

        assert apps == once(dags.shop.keys[Feed.APP_EVENTS])

    def test_ready_events_of_a_decorated_function_arrive_once_each(self, dags, ran):
        assert ids(ran.received, event_name="signup") == once(dags.shop.keys[Feed.SIGNUPS])

    def test_every_row_is_accounted_for(self, ran):
        app_events, signups = ran.results
        sent(Feed.APP_EVENTS, app_events)
        sent(Feed.SIGNUPS, signups)

    def test_device_json_became_device_info(self, ran):
        devices = [event.event["device_info"] for event in ran.received if event.event_name == "app_open"]

        assert {device["brand"] for device in devices} == {"Apple", "Samsung"}


class TestFromFiles:
    @pytest.fixture
    def ran(self, dags):
        pa = pytest.importorskip("pyarrow")
        pq = pytest.importorskip("pyarrow.parquet")
        folder = dags.exports / "checkouts" / f"{dags.shop.day.start:%Y-%m-%d}"
        folder.mkdir(parents=True, exist_ok=True)
        for number, orders in enumerate((["1", "2"], ["3"], ["4", "5", "6"])):
            columns = {
                "order_id": orders,
                "event_id": [f"checkout-{order}" for order in orders],
                "ordered_at": [dags.shop.day.start + SECOND] * len(orders),
                "email": [f"ada{order}@example.com" for order in orders],
                "value": pa.array([72.39] * len(orders), pa.float32()),
                "currency": ["EURO" if order == "6" else "EUR" for order in orders],
                "customer_note": ["Please ring twice."] * len(orders),
                "marketing_consent": [order != "5" for order in orders],
            }
            pq.write_table(pa.table(columns), folder / f"part-{number}.parquet")
        return dags.run("pinterest_from_files", dags.shop.day.end)

    def test_the_rows_of_all_files_of_the_day_arrive_once(self, ran):
        assert ids(ran.received) == once([f"checkout-{order}" for order in "1234"])
        assert {event.event["custom_data"]["value"] for event in ran.received} == {"72.39"}

    def test_every_row_is_accounted_for(self, ran):
        [result] = ran.results

        assert imbalances(result) == []
        assert (result["rows_read"], result["reasons"]) == (6, {"bad_currency": 1, "no_consent": 1})
        assert [row["keys"] for row in ran.rejects()] == [{"order_id": "6"}]


class TestManyAccounts:
    @pytest.fixture
    def ran(self, dags):
        return dags.run("pinterest_many_accounts", dags.shop.quarter.end)

    def test_each_active_shop_has_a_task_instance_and_its_own_account(self, ran):
        sending = [task for task in ran.tasks if task.result is not None]

        assert [task.map_index for task in sending] == [0, 1, 2]
        assert [task.result["ad_account_id"] for task in sending] == [
            account for _, account, _, active in SHOPS if active
        ]

    def test_each_shop_s_orders_go_to_its_account_and_to_no_other(self, dags, ran):
        for shop, account, _, active in SHOPS:
            own = {key for key in dags.shop.keys[Feed.CHECKOUTS] if key.startswith(f"checkout-{shop.upper()}")}
            assert ids(ran.received, ad_account_id=account) == once(own if active else ())

    def test_every_row_is_accounted_for(self, ran):
        for result in ran.results:
            assert imbalances(result) == []
        assert sum(result["events_processed"] for result in ran.results) == planted.SENT[Feed.CHECKOUTS]

    def test_national_phone_numbers_are_read_the_country_s_way(self, dags, ran):
        arrived = {event.event_id: event.event["user_data"] for event in ran.received}
        kind = next(kind for kind in dags.shop.proofs if kind.name == "national phone number")

        for key, digests in dags.shop.proofs[kind].items():
            assert arrived[key]["ph"] == [digests["ph"]]


class TestAgency:
    @pytest.fixture
    def ran(self, dags):
        return dags.run("pinterest_agency", dags.shop.quarter.end)

    def test_one_task_sends_each_shop_s_orders_to_its_account_and_to_no_other(self, dags, ran):
        (result,) = ran.results
        for shop, account, _, active in SHOPS:
            own = {key for key in dags.shop.keys[Feed.CHECKOUTS] if key.startswith(f"checkout-{shop.upper()}")}
            assert ids(ran.received, ad_account_id=account) == once(own if active else ())
            assert result["accounts"].get(account, {}).get("events_processed", 0) == (len(own) if active else 0)

    def test_every_row_is_accounted_for(self, ran):
        (result,) = ran.results
        assert imbalances(result) == []
        assert result["events_processed"] == planted.SENT[Feed.CHECKOUTS]
        assert result["accounts_read"] == len([shop for shop in SHOPS if shop[3]])


class TestGoingLive:
    def run(self, dags, mode):
        window = {name: moment.isoformat() for name, moment in dags.shop.quarter._asdict().items()}
        when = dags.shop.quarter.end + SECOND * ["validate", "test", "live"].index(mode)
        return dags.run("pinterest_going_live", when, {"mode": mode, **window})

    def test_validating_makes_no_call_and_counts_every_row(self, dags):
        ran = self.run(dags, "validate")
        [result] = ran.results

        assert not ran.received
        assert not ran.tested
        assert result["calls"] == result["events_sent"] == 0
        assert result["validated_only"] == planted.SENT[Feed.CHECKOUTS]
        assert result["reasons"] == planted.reasons(Feed.CHECKOUTS)
        assert imbalances(result) == []

    def test_testing_sends_what_pinterest_does_not_record(self, dags):
        ran = self.run(dags, "test")
        [result] = ran.results

        assert not ran.received
        assert ids(ran.tested) == once(dags.shop.keys[Feed.CHECKOUTS])
        assert result["test"] is True
        sent(Feed.CHECKOUTS, result)

    def test_live_sends(self, dags):
        ran = self.run(dags, "live")

        assert ids(ran.received) == once(dags.shop.keys[Feed.CHECKOUTS])
        assert not ran.tested
        sent(Feed.CHECKOUTS, ran.results[0])


def test_the_demo_s_verdict_finds_no_fault(dags):
    shop = dags.shop
    ran = [
        dags.run("pinterest_sync_checkouts", shop.quarter.end),
        dags.run("pinterest_store_sales", shop.day.end),
        dags.run("pinterest_events_from_task", shop.quarter.end),
    ]

    found = verdict.judge(
        shop,
        [task for run in ran for task in run.tasks],
        [event.event for run in ran for event in run.received],
    )

    assert found.faults == []
