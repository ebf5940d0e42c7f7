"""What must hold is found to hold, and found out when it does not."""

import math

import pytest

from harness.accounting import Arrivals
from scale.judge import (
    ScaleRun,
    Shard,
    accounts,
    arrives_once,
    at_once,
    busiest,
    keeps_limit,
    outlives,
    spreads,
    tightest,
)

RESULT = {
    "rows_read": 10,
    "events_sent": 10,
    "events_processed": 10,
    "events_failed": 0,
    "events_held": 0,
    "rows_rejected": 0,
    "rows_excluded": 0,
    "duplicates_dropped": 0,
    "already_sent": 0,
    "validated_only": 0,
    "rows_not_sent": 0,
    "resumed_from": None,
}
CLEAN = Arrivals(rows=20, events=20, missing=0, unknown=0, twice=0)


def shard(index, *, worker="one", tries=1, begin=0.0, end=5.0, **changes):
    return Shard(index, worker, tries, begin, end, 1.0, RESULT | changes)


def run(*shards, slots=2, limit=5, rows=20, state="success", found=CLEAN, times=(0.0, 1.0)):
    shards = shards or (shard(0), shard(1, worker="two"))
    return ScaleRun("it", slots, limit, rows, state, shards, found, [(at, 10) for at in times])


def holding(checks):
    return [check.holds for check in checks]


class TestDelivery:
    def test_a_clean_one_passes(self):
        assert holding(arrives_once(run())) == [True, True, True]

    @pytest.mark.parametrize(
        ("found", "expected"),
        [
            (Arrivals(20, 19, 1, 0, 0), [False, True, True]),
            (Arrivals(20, 21, 0, 1, 0), [True, False, True]),
            (Arrivals(20, 21, 0, 0, 1), [True, True, False]),
        ],
    )
    def test_one_row_that_is_wrong_fails(self, found, expected):
        assert holding(arrives_once(run(found=found))) == expected

    def test_copies_may_be_allowed_for(self):
        found = Arrivals(20, 25, 0, 0, 5)

        assert holding(arrives_once(run(found=found), spare=5)) == [True, True, True]
        assert holding(arrives_once(run(found=found), spare=4)) == [True, True, False]


class TestWindow:
    def test_the_busiest_window_is_found_wherever_it_begins(self):
        assert busiest([0, 50, 59, 61, 70, 119.9, 300], 60) == 4

    def test_a_fixed_window_would_not_see_what_lies_across_its_edge(self):
        assert busiest([58, 59, 60, 61], 60) == 4

    def test_its_end_does_not_belong_to_it(self):
        assert busiest([0, 60], 60) == 1
        assert busiest([0, 59.999], 60) == 2

    def test_order_does_not_matter(self):
        assert busiest([70, 0, 61, 59, 50], 60) == busiest([0, 50, 59, 61, 70], 60)

    def test_of_no_calls_there_are_none(self):
        assert busiest([], 60) == 0

    def test_the_tightest_stretch_holds_one_call_more_than_the_limit(self):
        assert tightest([0, 10, 30, 35, 90], 2) == 25

    def test_too_few_calls_never_pass_the_limit(self):
        assert tightest([0, 1], 2) == math.inf

    def test_calls_within_the_limit_pass(self):
        assert holding(keeps_limit(run(times=[0, 1, 2, 3, 4, 60, 61]), binds=False)) == [True]

    def test_one_call_too_many_fails(self):
        assert holding(keeps_limit(run(times=[0, 1, 2, 3, 4, 58]), binds=False)) == [False]

    def test_it_is_the_arrival_that_counts(self):
        assert holding(keeps_limit(run(times=[0.4, 1, 2, 3, 4, 60]), binds=False)) == [False]
        assert holding(keeps_limit(run(times=[0.4, 1, 2, 3, 4, 60.5]), binds=False)) == [True]

    def test_a_limit_that_holds_nothing_up_shows_nothing(self):
        assert holding(keeps_limit(run(times=[0, 1, 2]), binds=True)) == [True, False]
        assert holding(keeps_limit(run(times=[0, 1, 2, 3, 4]), binds=True)) == [True, False]
        assert holding(keeps_limit(run(times=[0, 1, 2, 3, 4, 60]), binds=True)) == [True, True]


class TestAccounts:
    def test_results_that_add_up_pass(self):
        assert holding(accounts(run(), shards=2)) == [True] * 4

    def test_a_shard_without_a_result_fails(self):
        lost = Shard(1, "two", 1, 0.0, 5.0, 1.0, {})

        assert not all(holding(accounts(run(shard(0), lost), shards=2)))

    def test_a_shard_that_is_not_there_fails(self):
        assert holding(accounts(run(), shards=3)) == [True, False, True, True]

    @pytest.mark.parametrize("wrong", [{"rows_rejected": 1}, {"events_held": 1}])
    def test_a_sum_that_is_off_fails(self, wrong):
        assert holding(accounts(run(shard(0), shard(1, **wrong)), shards=2)) == [True, True, False, True]

    def test_rows_that_were_not_processed_fail(self):
        rejected = shard(1, events_sent=9, events_processed=9, rows_rejected=1)

        assert holding(accounts(run(shard(0), rejected), shards=2)) == [True, True, True, False]

    def test_a_failed_run_fails(self):
        assert holding(accounts(run(state="failed"), shards=2))[0] is False


class TestSpread:
    def test_tasks_that_overlap_are_counted(self):
        assert at_once([(0, 5), (1, 2), (2, 3), (4, 6)]) == 2

    def test_one_that_begins_as_another_ends_does_not_overlap_it(self):
        assert at_once([(0, 1), (1, 2)]) == 1

    def test_as_many_as_the_pool_allows_pass(self):
        assert holding(spreads(run(), workers=2)) == [True, True]

    def test_more_or_fewer_fail(self):
        assert holding(spreads(run(slots=1), workers=2)) == [False, True]
        assert holding(spreads(run(slots=3), workers=2)) == [False, True]

    def test_one_worker_in_place_of_two_fails(self):
        assert holding(spreads(run(shard(0), shard(1)), workers=2)) == [True, False]


class TestOutlives:
    def test_a_shard_that_goes_on_elsewhere_passes(self):
        assert holding(outlives(run(shard(0), shard(1, worker="one", tries=2, resumed_from=0)), "two")) == [True, True]

    def test_nothing_that_was_cut_off_shows_nothing(self):
        assert holding(outlives(run(), "two")) == [False, False]

    def test_a_shard_that_a_dead_worker_ended_is_noticed(self):
        cut = shard(1, worker="two", tries=2, resumed_from=4)

        assert holding(outlives(run(shard(0), cut), "two")) == [False, True]

    def test_beginning_anew_is_not_going_on(self):
        assert holding(outlives(run(shard(0), shard(1, worker="one", tries=2)), "two")) == [True, False]


def test_time_and_speed_are_of_the_mapped_tasks_together():
    found = run(shard(0, begin=100, end=104), shard(1, begin=102, end=110))

    assert found.seconds == 10
    assert found.speed == 2
    assert found.workers == ["one"]
    assert found.task_cpu == 2
