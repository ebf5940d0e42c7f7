"""The ad account of each row."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

import pytest

from airflow_provider_pinterest.conversions.ad_accounts import AccountReader
from airflow_provider_pinterest.conversions.batches import Batcher
from airflow_provider_pinterest.conversions.mapping import ColumnMapping
from airflow_provider_pinterest.conversions.outcomes import Duplicate, Event, Rejection
from airflow_provider_pinterest.conversions.placeholders import PLACEHOLDERS
from airflow_provider_pinterest.conversions.transform import Transform
from airflow_provider_pinterest.exceptions import ParameterError
from tests.conversions.rows import NOW, good, new_transform, outcomes_of

A, B = "549755885175", "549755885176"


class Unreadable:
    def __str__(self) -> str:
        raise RuntimeError("no")


def read(cell: Any, **changes: Any) -> tuple[str, str]:
    """Return the account of a cell, and the code of its rejection."""
    codes: list[str] = []
    (found,) = AccountReader(placeholders=PLACEHOLDERS, **changes).read([cell], lambda _, why: codes.append(why.code))
    return found, "".join(codes)


@pytest.mark.parametrize(
    "cell",
    [
        *(549755885175, 549755885175.0, Decimal(549755885175), Decimal("549755885175.00"), "549755885175"),
        *(" 549755885175\n", '"549755885175"', ' "549755885175" ', "549755885175.0", b"549755885175"),
        *("\ufeff549755885175", "5497\u200b55885175", "549755885175\u2060", "\u00a0549755885175"),
        *("549755885175.", "549755885175,0", "549755885175,00"),
        *("'549755885175", "'549755885175'", '="549755885175"', '="549755885175"\n', "' 549755885175"),
        *(
            "5.49755885175E+11",
            "5.49755885175e11",
            "5,49755885175E+11",
            "5.49755885175E+011",
            Decimal("5.49755885175E11"),
        ),
    ],
)
def test_a_cell_names_an_account(cell):
    assert read(cell) == (A, "")


@pytest.mark.parametrize("cell", ["0549755885175", "000000549755885175", "0" * 30 + A, "0549755885175.0"])
def test_zeros_before_an_id_are_those_of_a_column_of_fixed_width(cell):
    assert read(cell) == (A, "")


@pytest.mark.parametrize("cell", [0, 0.0, Decimal(0), "0", "000", "0.0", "'0"])
def test_zero_is_no_account_and_not_empty(cell):
    assert read(cell, default=B) == ("", "bad_account")
    assert "must not be 0" in message(cell)


@pytest.mark.parametrize("cell", ["5.49756E+11", "5,49756e+11", "5.5E11", "5E+11", "1e5", "5.49755885175E+14"])
def test_a_number_in_scientific_notation_has_lost_digits(cell):
    assert read(cell, default=B) == ("", "bad_account")
    assert message(cell) == "is in scientific notation and has lost digits; export the column as text (column 'shop')"


@pytest.mark.parametrize("cell", ["", "shop", True, [A], 0, 1e20, math.inf])
def test_each_message_names_the_column(cell):
    assert message(cell).endswith("(column 'shop')")


def message(cell: Any) -> str:
    found: list[str] = []
    AccountReader(placeholders=PLACEHOLDERS, column="shop").read([cell], lambda _, why: found.append(why.message))
    return found[0]


@pytest.mark.parametrize("cell", ["1", 1, "123456789012345678", 123456789012345678])
def test_an_account_has_1_to_18_digits(cell):
    assert read(cell) == (str(cell), "")


@pytest.mark.parametrize("cell", [None, "", "  ", '""', "null", "N/A", math.nan, "not set"])
def test_an_empty_cell_belongs_to_the_default_account_if_there_is_one(cell):
    assert read(cell) == ("", "bad_account")
    assert read(cell, default=B) == (B, "")


@pytest.mark.parametrize(
    "cell",
    [
        *(
            "shop",
            "549 755",
            "-1",
            -1,
            1.5,
            "1e5",
            "1234567890123456789",
            10**18,
            2.0**60,
            "١٢٣",
            "12/34",
            *("549,755,885,175", "549755885175,549755885176", "549755885175;0", "=549755885175", "549755885175'"),
            *("act_549755885175", "https://ads.pinterest.com/advertiser/549755885175/", "5.49755885175E+11.0"),
            "1?test=true",
        ),
        *(True, [A], {"id": A}, b"\xff", object(), Unreadable(), math.inf),
    ],
)
def test_any_other_cell_is_rejected_even_with_a_default_account(cell):
    assert read(cell) == ("", "bad_account")
    assert read(cell, default=B) == ("", "bad_account")


def test_cells_that_are_equal_and_of_different_types_do_not_mix():
    codes: list[int] = []

    found = AccountReader().read([1, True, 1.0, "1", True], lambda row, _: codes.append(row))

    assert found == ["1", "", "1", "1", ""]
    assert codes == [1, 4]


def test_each_event_carries_its_account_and_not_as_a_field():
    rows = [good(event_id="e-1", account=A), good(event_id="e-2", account=int(B))]

    found = outcomes_of(rows, new_transform(ad_account_id_column="account"))

    assert [one.ad_account_id for one in found] == [A, B]
    assert all(b"account" not in one.body and b"5497" not in one.body for one in found)


def test_a_row_without_an_account_is_rejected_and_says_why():
    rows = [good(account=None), good(account="shop 7")]

    found = outcomes_of(rows, new_transform(ad_account_id_column="account"))

    assert [type(one) for one in found] == [Rejection, Rejection]
    assert [one.reasons[0].code for one in found] == ["bad_account", "bad_account"]
    assert "shop" not in found[1].reasons[0].message


def test_rows_that_lack_the_column_have_an_empty_cell():
    rows = [good(event_id="e-1", account=A), good(event_id="e-2")]

    found = outcomes_of(rows, new_transform(ad_account_id_column="account", ad_account_id=B))

    assert [one.ad_account_id for one in found] == [A, B]


def test_an_event_id_in_two_accounts_is_not_a_duplicate():
    rows = [good(account=A), good(account=B), good(account=A)]

    found = outcomes_of(rows, new_transform(ad_account_id_column="account"))

    assert [type(one) for one in found] == [Event, Event, Duplicate]
    assert found[2].ad_account_id == A


def test_a_rejected_row_carries_its_account():
    (found,) = outcomes_of([good(account=A, email=None)], new_transform(ad_account_id_column="account"))

    assert found.ad_account_id == A


def test_without_the_column_no_row_names_an_account():
    rows = [good(), good(), good(event_id="e-2", email=None)]

    assert [one.ad_account_id for one in outcomes_of(rows)] == ["", "", ""]


def test_other_processes_read_the_same_accounts():
    rows = [good(event_id=f"e-{number}", account=[A, B, None, "x"][number % 4]) for number in range(40)]
    mapping: dict[str, Any] = {"ad_account_id_column": "account", "ad_account_id": B}
    transform = Transform(ColumnMapping(**mapping), now=NOW, processes=1)
    try:
        found = outcomes_of(rows, transform)
    finally:
        transform.close()

    assert found == outcomes_of(rows, new_transform(**mapping))
    assert {one.ad_account_id for one in found} == {A, B, ""}


def test_a_column_that_the_source_does_not_have_is_an_error():
    mapping = ColumnMapping(ad_account_id_column="acount_id")

    with pytest.raises(ParameterError, match=r"ad_account_id_column names 'acount_id'.*did you mean 'account_id'"):
        mapping.check(["event_id", "account_id"])


def batches_of(accounts: list[str], max_events: int = 1_000) -> tuple[list[tuple[str, int]], Batcher]:
    batcher = Batcher(max_events, several_accounts=True)
    events = [
        Event(row, "checkout", f"e-{row}", NOW, False, b'{"a":1}', {}, account)
        for row, account in enumerate(accounts, 1)
    ]
    found = [batch for batch in map(batcher.add, events) if batch]
    rest = batcher.rest()
    return [(one.ad_account_id, len(one)) for one in (*found, *([rest] if rest else []))], batcher


def test_a_batch_ends_where_the_account_changes():
    found, batcher = batches_of([A, A, B, A, A, A], max_events=2)

    assert found == [(A, 2), (B, 1), (A, 2), (A, 1)]
    assert batcher.returns == 1


def test_accounts_in_order_do_not_come_again():
    _, batcher = batches_of([A, A, B, B, "1", "2"])

    assert batcher.returns == 0


def test_with_one_event_per_batch_no_event_is_left_behind():
    found, _ = batches_of([A, B, A], max_events=1)

    assert found == [(A, 1), (B, 1), (A, 1)]
