"""Counts that do not add up are found, and so are events that did not arrive once."""

import pytest

from harness.accounting import EVENT_SUM, ROW_SUM, Arrivals, arrivals, imbalances

GOOD = {
    **dict.fromkeys(("rows_read", *ROW_SUM, *EVENT_SUM), 0),
    "rows_read": 5,
    "events_sent": 5,
    "events_processed": 5,
}


def test_a_result_that_adds_up_has_no_imbalance():
    assert imbalances(GOOD | {"calls": 1}) == []


@pytest.mark.parametrize("name", ["rows_read", *ROW_SUM, *EVENT_SUM])
def test_a_count_that_is_off_by_one_is_found(name):
    assert imbalances(GOOD | {name: GOOD[name] + 1})


@pytest.mark.parametrize("name", ["rows_read", *ROW_SUM, *EVENT_SUM])
@pytest.mark.parametrize("value", [None, -1, 5.0, True, "5"])
def test_what_is_not_a_count_is_found(name, value):
    assert imbalances(GOOD | {name: value}) == [f"{name} is {value!r}"]


def test_a_negative_count_of_an_ad_account_is_found_although_the_sum_is_right():
    accounts = {"701": GOOD | {"rows_not_sent": 2, "rows_read": 7}, "702": {"rows_not_sent": -2, "rows_read": -2}}

    assert imbalances(GOOD | {"calls": 0, "accounts": accounts}) == [
        "rows_not_sent of ad account 702 is -2",
        "rows_read of ad account 702 is -2",
    ]


def test_no_result_does_not_add_up():
    assert imbalances({})


@pytest.mark.parametrize(
    ("expected", "copies", "found"),
    [
        (["a", "b"], {"a": 1, "b": 1}, Arrivals(rows=2, events=2, missing=0, unknown=0, twice=0)),
        (["a", "b", "c"], {"a": 3, "c": 1, "x": 2}, Arrivals(rows=3, events=6, missing=1, unknown=1, twice=3)),
        (["a"], {}, Arrivals(rows=1, events=0, missing=1, unknown=0, twice=0)),
    ],
    ids=["every row once", "one missing, one unknown, copies", "nothing"],
)
def test_what_is_missing_or_unknown_or_double_is_counted(expected, copies, found):
    assert arrivals(expected, copies) == found
