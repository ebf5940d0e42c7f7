"""Columns are mapped to fields, or an error says what to change before anything is sent."""

from __future__ import annotations

import dataclasses
import datetime as dt
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_pinterest.conversions.field_maps import NAMES
from airflow_provider_pinterest.conversions.hints import nearest
from airflow_provider_pinterest.conversions.id_parts import part_of
from airflow_provider_pinterest.conversions.mapping import ColumnMapping
from airflow_provider_pinterest.conversions.mapping_compiler import MappingCompiler
from airflow_provider_pinterest.conversions.outcomes import Event, Rejection, RowBatch
from airflow_provider_pinterest.conversions.transform import Transform
from airflow_provider_pinterest.exceptions import MappingError, ParameterError
from tests.conversions.rows import ADA, GOOD, NOW, good, new_transform, outcome_of, outcomes_of, reasons, sent, sha

# From column to field


@pytest.mark.parametrize(
    "column", ["email", "EMAIL", "Email", " email ", "em", "user_data.em", "USER_DATA.EM", "user_data.email"]
)
def test_a_column_finds_its_field_by_path_name_or_alias_whatever_the_case(column):
    assert ColumnMapping().target(column) == (True, "user_data.em")


@given(st.sampled_from(sorted(NAMES)), st.data())
def test_any_name_is_found_in_any_case(name, data):
    upper = data.draw(st.lists(st.booleans(), min_size=len(name), max_size=len(name)))
    column = "".join(char.upper() if up else char for char, up in zip(name, upper, strict=True))
    assert ColumnMapping().target(column) == (True, NAMES[name])


@pytest.mark.parametrize("target", ["custom_data.value", "value", "ORDER_VALUE", " Revenue "])
def test_field_map_names_a_field_by_path_or_alias(target):
    mapping = ColumnMapping(field_map={"Order_Total": target})
    assert mapping.target("order_total") == mapping.target("ORDER_TOTAL") == (True, "custom_data.value")


def test_field_map_comes_before_names():
    assert sent(good(value="x"), new_transform(field_map={"value": "content_name"}))["custom_data"] == {
        "content_name": "x"
    }


def test_a_column_mapped_to_none_is_ignored():
    assert sent(
        good(internal_note="secret", value=1), new_transform(field_map={"internal_note": None, "value": None})
    ) == sent(good())


def test_dotted_names_reach_into_json_cells():
    row = good(custom_data={"value": 1, "internal": 2, "total": 3})
    mapping = {"custom_data.internal": None, "Custom_Data.Total": "predicted_ltv"}
    assert sent(row, new_transform(field_map=mapping))["custom_data"] == {"value": "1", "predicted_ltv": "3"}


def test_a_column_of_another_name_can_hold_the_json():
    row = good(attributes='{"value": 1}')
    assert sent(row, new_transform(field_map={"attributes": "custom_data"}))["custom_data"] == {"value": "1"}


# Errors before the first row


def test_a_column_that_maps_to_nothing_is_named_with_its_nearest_field():
    with pytest.raises(MappingError) as caught:
        ColumnMapping().check(["emial", *GOOD])
    assert "'emial' does not match any Pinterest field" in str(caught.value)
    assert "nearest field is user_data.em (email)" in str(caught.value)
    assert "{'emial': None}" in str(caught.value)


def test_all_columns_that_map_to_nothing_are_named_at_once():
    with pytest.raises(MappingError, match=r"^2 problems.*:\n- Column 'emial' .*\n- Column 'xyzzy' .*\nWhat to do: "):
        ColumnMapping().check(["emial", "xyzzy"])


def test_nothing_is_guessed_where_nothing_is_alike():
    assert nearest("xyzzy", NAMES) is None
    with pytest.raises(MappingError) as caught:
        ColumnMapping().check(["xyzzy"])
    assert "nearest" not in str(caught.value)


@pytest.mark.parametrize("columns", [("email", "em"), ("Email", "EMAIL"), ("user_data.em", "hashed_email")])
def test_two_columns_of_one_field_are_refused(columns):
    mapping = ColumnMapping()
    with pytest.raises(MappingError, match=rf"'{columns[0]}' and '{columns[1]}' both map to user_data.em"):
        mapping.check(columns)


def test_of_two_columns_of_one_field_one_can_be_ignored():
    mapping = {"hashed_email": None}
    assert sent(good(hashed_email="x"), new_transform(field_map=mapping))["user_data"] == {"em": [ADA]}


@pytest.mark.parametrize("parameter", ["field_map", "key_columns", "event_id_from"])
def test_a_parameter_that_names_a_column_the_source_lacks_is_refused(parameter):
    parameters: Any = {parameter: {"order_nr": None} if parameter == "field_map" else ["order_nr"]}
    mapping = ColumnMapping(**parameters)
    with pytest.raises(
        MappingError, match=f"{parameter} names 'order_nr', which the source does not have; .*'order_id'"
    ):
        mapping.check([*GOOD, "order_id"])
    mapping.check([*GOOD, "order_id"], complete=False)


def test_a_parameter_may_name_what_is_inside_json():
    ColumnMapping(field_map={"custom_data.internal": None}).check([*GOOD, "custom_data"])


def test_event_ids_may_be_made_of_fields_that_are_no_columns():
    ColumnMapping(event_id_from=["Order_ID", "event_name"]).check([*GOOD])


def test_columns_of_keys_and_ids_need_not_be_fields():
    ColumnMapping(key_columns=["Internal_ID"], event_id_from=["ROW_ID"]).check([*GOOD, "INTERNAL_ID", "row_id"])


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        (
            {"field_map": {"a": "user_data.emial"}},
            r"field_map\['a'\]: 'user_data.emial' is not a Pinterest field.*'user_data.email'",
        ),
        ({"field_map": {"a": ["em"]}}, r"field_map\['a'\]"),
        ({"field_map": {1: "em"}}, "field_map: expected names, got int"),
        ({"field_map": ["a"]}, "field_map: expected a mapping, got list"),
        ({"defaults": {"valeu": 1}}, r"defaults\['valeu'\]: .* did you mean 'value'"),
        ({"defaults": {"value": "many"}}, r"defaults\['custom_data.value'\]: expected a number"),
        ({"defaults": {"action_source": "shop"}}, r"defaults\['action_source'\]: expected one of app_android"),
        ({"defaults": {"currency": "EURO"}}, r"defaults\['custom_data.currency'\]: expected an ISO 4217 code"),
        ({"defaults": {"country": "XQ"}}, r"defaults\['user_data.country'\]: the value has no canonical form"),
        ({"defaults": {"custom_data": {"value": 1}}}, r"defaults\['custom_data'\]: give its fields one by one"),
        ({"defaults": "currency"}, "defaults: expected a mapping, got str"),
        ({"event_id_from": "order_id"}, "event_id_from: expected a list of column names, got str"),
        ({"event_id_from": [1]}, "event_id_from: expected names, got int"),
        ({"key_columns": "order_id"}, "key_columns: expected a list of column names, got str"),
        ({"key_columns": {"order_id": 1}}, "key_columns: expected a list of column names, got dict"),
        ({"identifiers": {"emial": {}}}, r"identifiers\['emial'\]: .* is not a Pinterest field"),
        ({"identifiers": {"value": {}}}, r"identifiers\['value'\]: custom_data.value is not hashed; choose from em"),
        ({"identifiers": {"user_agent": {}}}, "client_user_agent is not hashed"),
        ({"identifiers": {"em": True}}, r"identifiers\['em'\]: expected a mapping"),
        ({"identifiers": {"em": {"hashed": True}}}, r"\['hashed'\]: no such switch; choose from already_hashed"),
        ({"identifiers": {"em": {"case": "lower"}}}, "no such switch"),
        ({"identifiers": {"em": {"already_hashed": "yes"}}}, r"\['already_hashed'\]: 'yes' is not one of"),
        ({"identifiers": {"external_id": {"case": "upper"}}}, "'upper' is not one of"),
        ({"identifiers": {"ph": {"country": 49}}}, "49 is not one of"),
        ({"identifiers": {"zp": {"letters": []}}}, "is not one of"),
        ({"identifiers": [("em", {})]}, "identifiers: expected a mapping, got list"),
        ({"timezone": "Europe/Berln"}, "timezone: 'Europe/Berln' is not an IANA time zone"),
        ({"timezone": ""}, "timezone: '' is not an IANA"),
        ({"timezone": None}, "timezone: None is not an IANA"),
        ({"timezone": 3600}, "timezone: 3600 is not an IANA"),
        ({"timezone": "../../etc/passwd"}, "timezone"),
    ],
)
def test_a_parameter_that_cannot_work_is_refused_in_words_that_help(parameters, message):
    with pytest.raises(ParameterError, match=message):
        ColumnMapping(**parameters)


def test_identifiers_may_be_named_by_alias():
    row = good(user_id="Cust-42")
    transform = new_transform(identifiers={"User_ID": {"case": "lower"}})
    assert sent(row, transform)["user_data"]["external_id"] == [sha("cust-42")]


# Defaults


def test_defaults_fill_what_a_row_lacks():
    row = {"event_time": NOW, "event_id": "1", "email": "ada@example.com", "currency": None, "event_name": " "}
    defaults = {"event": "Checkout", "action_source": "WEB", "custom_data.currency": "eur", "country": "Germany"}
    event = sent(row, new_transform(defaults=defaults))
    assert (event["event_name"], event["action_source"]) == ("checkout", "web")
    assert event["custom_data"] == {"currency": "EUR"}
    assert event["user_data"]["country"] == [sha("de")]


def test_defaults_yield_to_what_a_row_has():
    assert sent(good(currency="USD"), new_transform(defaults={"currency": "EUR"}))["custom_data"] == {"currency": "USD"}
    nested = good(custom_data={"currency": "USD"})
    assert sent(nested, new_transform(defaults={"currency": "EUR"}))["custom_data"] == {"currency": "USD"}


def test_a_default_does_not_speak_for_a_value_that_is_unusable():
    """A person of an unknown country does not become German."""
    transform = new_transform(defaults={"country": "DE", "zip": "10117"})
    assert sent(good(country="XQ", zip="--"), transform)["user_data"] == {"em": [ADA]}
    assert transform.warnings == {"unusable_country": 1, "unusable_zp": 1}


def test_a_default_does_not_hide_a_value_that_is_wrong():
    assert reasons(good(currency="EURO"), new_transform(defaults={"currency": "EUR"})) == [
        ("bad_currency", "custom_data.currency")
    ]


def test_a_default_may_be_a_time_and_empty_ones_are_none():
    transform = new_transform(
        defaults={"event_time": dt.datetime.fromtimestamp(NOW, dt.UTC), "currency": None, "value": ""}
    )
    event = sent({name: cell for name, cell in GOOD.items() if name != "event_time"}, transform)
    assert event["event_time"] == NOW
    assert "custom_data" not in event


def test_default_postal_codes_are_those_of_the_default_country():
    transform = new_transform(defaults={"zip": "10001-1234", "country": "PL"})
    assert sent(good(), transform)["user_data"]["zp"] == [sha("100011234")]


# Time zones


def test_naive_times_stand_in_the_time_zone():
    row = good(event_time="2026-11-21T10:30:00")
    assert sent(row, new_transform(timezone="Europe/Berlin"))["event_time"] == 1_795_253_400
    assert sent(row)["event_time"] == 1_795_253_400 + 3_600


def test_the_time_zone_is_that_of_install_times_too():
    row = good(**{"app_info.install_time": "2026-11-21T10:30:00"})
    assert sent(row, new_transform(timezone="Europe/Berlin"))["app_info"] == {"install_time": 1_795_253_400}


# Keys for the rejects


def test_key_columns_are_copied_as_they_are_wherever_they_stand():
    transform = new_transform(key_columns=["Order_ID", "row_id"])
    event = outcome_of(good(ORDER_ID=7, ROW_ID=None), transform)
    assert isinstance(event, Event)
    assert event.keys == {"Order_ID": 7, "row_id": None}
    rejection = outcome_of(good(ORDER_ID=7, row_id=8, email=None), transform)
    assert isinstance(rejection, Rejection)
    assert rejection.keys == {"Order_ID": 7, "row_id": 8}


def test_a_row_without_a_key_column_has_nothing_under_it():
    event = outcome_of(good(), new_transform(key_columns=["row_id"]))
    assert isinstance(event, Event)
    assert event.keys == {"row_id": None}


# Deterministic event ids


def without_id(**changes):
    return {name: cell for name, cell in good(**changes).items() if name != "event_id"}


def test_the_same_row_has_the_same_id_in_every_run():
    """A golden value: ids that change between releases would count conversions twice."""
    transform = new_transform(event_id_from=["order_ref", "event_name"])
    assert sent(without_id(order_ref="A-1"), transform)["event_id"] == sha('["A-1","checkout"]')[:32]


def test_an_id_of_the_source_is_kept():
    assert sent(good(), new_transform(event_id_from=["email"]))["event_id"] == "order-1"
    assert sent(good(event_id=" "), new_transform(event_id_from=["email"]))["event_id"] == sha(f'[["{ADA}"]]')[:32]


def ids(*refs, **changes):
    transform = new_transform(event_id_from=["order_ref"])
    return {sent(without_id(order_ref=ref, **changes), transform)["event_id"] for ref in refs}


@pytest.mark.parametrize(
    "same",
    [
        ("4711", 4711, 4711.0, " 4711 ", Decimal(4711), Decimal("4711.00"), b"4711"),
        (0.5, Decimal("0.5"), Decimal("0.500"), "0.5", Decimal("5E-1")),
        (0, 0.0, -0.0, Decimal("0.00"), Decimal("-0"), Decimal("0E+50"), "0"),
        (1e22, 10**22, Decimal("1E+22"), Decimal("10000000000000000000000.0")),
        (Decimal("-1.50"), -1.5, "-1.5"),
        (True, "true"),
        (dt.date(2026, 11, 21), "2026-11-21"),
        (
            dt.datetime(2026, 11, 21, 9, 30, tzinfo=dt.UTC),
            dt.datetime(2026, 11, 21, 10, 30, tzinfo=dt.timezone(dt.timedelta(hours=1))),
            dt.datetime(2026, 11, 21, 4, 30, tzinfo=ZoneInfo("America/New_York")),
            "2026-11-21T09:30:00+00:00",
        ),
        (dt.datetime(2026, 11, 21, 9, 30), "2026-11-21T09:30:00"),  # noqa: DTZ001
        (
            dt.datetime(2026, 10, 25, 2, 30, tzinfo=ZoneInfo("Europe/Berlin")),
            dt.datetime(2026, 10, 25, 0, 30, tzinfo=dt.UTC),
        ),
        (UUID(int=7), "00000000-0000-0000-0000-000000000007", str(UUID(int=7)).encode()),
        (b"ab", bytearray(b"ab"), memoryview(b"ab"), "ab"),
        (b"\xff\x00", bytearray(b"\xff\x00"), "ff00"),
        ({"b": 1, "a": [2]}, {"a": [2], "b": 1}, {"a": (2.0,), "b": Decimal("1.00")}, {"b": Decimal(1), "a": [2]}),
        ([Decimal("0.50")], [0.5], ("0.5",)),
        (
            [dt.datetime(2026, 11, 21, 9, 30, tzinfo=dt.UTC)],
            [dt.datetime(2026, 11, 21, 10, 30, tzinfo=dt.timezone(dt.timedelta(hours=1)))],
        ),
        (list("abcdefgh"), set("abcdefgh"), frozenset("hgfedcba")),
    ],
    ids=lambda same: type(same[0]).__name__,
)
def test_equal_cells_make_equal_ids_whatever_the_driver_made_of_them(same):
    for cell in same:
        assert ids(cell) == ids(same[0])


def test_different_cells_make_different_ids():
    cells = ["1", "2", True, dt.date(2026, 1, 1), 0.5, b"\xff", [1], {"a": 1}, dt.datetime(2026, 1, 1)]  # noqa: DTZ001
    assert len(set().union(*(ids(cell) for cell in cells))) == len(cells)


@pytest.mark.parametrize(
    "cell",
    [
        None,
        "",
        "  ",
        float("nan"),
        float("inf"),
        Decimal("NaN"),
        Decimal("Infinity"),
        dt.datetime.max.replace(tzinfo=dt.timezone(dt.timedelta(hours=-1))),
        object(),
        "\ud800",
    ],
    ids=["null", "empty", "blank", "nan", "inf", "decimal nan", "decimal inf", "beyond UTC", "object", "surrogate"],
)
def test_no_id_is_made_where_a_part_is_missing(cell):
    """One id for all rows without an order would turn them into duplicates."""
    if type(cell) is object:
        cell = object()
    assert reasons(without_id(order_ref=cell), new_transform(event_id_from=["order_ref"])) == [
        ("missing_field", "event_id")
    ]


def test_no_id_is_made_where_a_column_is_missing():
    """Not even the last column counts."""
    assert reasons(without_id(), new_transform(event_id_from=["order_ref"])) == [("missing_field", "event_id")]


def test_parts_are_fields_as_they_go_out_whichever_column_they_came_from():
    rows = [
        without_id(order_ref="A-1"),
        without_id(**{"custom_data.order_id": "A-1"}),
        without_id(custom_data={"order_number": "A-1"}),
    ]
    parameters: Any = {"event_id_from": ["order_id", "event_time"], "field_map": {"order_ref": "order_id"}}
    assert {sent(row, new_transform(**parameters))["event_id"] for row in rows} == {sha(f'["A-1",{NOW - 60}]')[:32]}


def test_fields_of_numbers_make_one_id_whatever_the_driver_made_of_them():
    """Amounts and ids come as floats, as decimals of any scale, and as text."""
    transform = new_transform(event_id_from=["order_id", "value", "num_items"])
    rows = [
        without_id(order_id="4711", value="72.5", num_items=2),
        without_id(order_id=4711, value=72.5, num_items=2.0),
        without_id(order_id=4711.0, value=Decimal("72.500"), num_items=Decimal("2.00")),
        without_id(order_id=Decimal("4711.00"), value="72.50", num_items="2"),
        without_id(custom_data={"order_id": Decimal("4711.0"), "value": "72.500", "num_items": 2}),
    ]
    assert {sent(row, new_transform(event_id_from=["order_id", "value", "num_items"]))["event_id"] for row in rows} == {
        sha('["4711","72.5",2]')[:32]
    }
    assert sent(rows[2], transform)["custom_data"]["value"] == "72.500"


def test_the_texts_of_cells_are_stable():
    """Golden values: ids that change between releases would count conversions twice."""
    cells = {
        "a": dt.datetime(2026, 11, 21, 10, 30, tzinfo=dt.timezone(dt.timedelta(hours=1))),
        "b": dt.datetime(2026, 11, 21, 10, 30, 0, 120_000),  # noqa: DTZ001
        "c": Decimal("4711.00"),
        "d": 0.1,
        "e": False,
        "f": b"\xff",
        "g": {"z": [1, "x", None], "a": Decimal("1.50")},
        "h": dt.time(9, 5),
        "i": dt.timedelta(days=1, seconds=1),
    }
    transform = new_transform(event_id_from=[*cells])
    parts = (
        '["2026-11-21T09:30:00+00:00","2026-11-21T10:30:00.120000","4711","0.1","false","ff",'
        '"{\\"a\\":\\"1.5\\",\\"z\\":[1,\\"x\\",null]}","09:05:00","1 day, 0:00:01"]'
    )
    assert sent(without_id(**cells), transform)["event_id"] == sha(parts)[:32]


@given(st.decimals(allow_nan=False, allow_infinity=False, places=3), st.integers(0, 5))
def test_trailing_zeros_do_not_change_an_id(number, zeros):
    longer = Decimal(f"{number:f}{'0' * zeros}")
    assert part_of(longer) == part_of(number) == part_of(str(part_of(number)))


@given(st.datetimes(dt.datetime(1900, 1, 1), dt.datetime(2100, 1, 1)), st.timezones())  # noqa: DTZ001
def test_the_time_zone_of_a_session_does_not_change_an_id(moment, zone):
    aware = moment.replace(tzinfo=dt.UTC)
    assert part_of(aware) == part_of(aware.astimezone(zone))


def test_a_default_may_be_part_of_an_id():
    transform = new_transform(event_id_from=["order_ref", "action_source"], defaults={"action_source": "web"})
    row = without_id(order_ref="A-1")
    del row["action_source"]
    assert sent(row, transform)["event_id"] == sha('["A-1","web"]')[:32]


# Immutable, and compiled once


def test_a_mapping_is_immutable():
    mapping = ColumnMapping(timezone="Europe/Berlin")
    with pytest.raises(dataclasses.FrozenInstanceError):
        mapping.timezone = "UTC"  # type: ignore[misc]
    assert mapping == ColumnMapping(**mapping.parameters) != ColumnMapping()


def test_a_transform_leaves_its_mapping_as_it_is():
    mapping = ColumnMapping(event_id_from=["order_ref"])
    before = repr(vars(mapping))
    transform = Transform(mapping, now=NOW)
    assert len(outcomes_of([good(custom_data={"order_id": "1", "value": 2}, order_ref="a")], transform)) == 1
    assert repr(vars(mapping)) == before


def test_a_set_of_columns_is_compiled_once():
    compiler = MappingCompiler(ColumnMapping())
    assert compiler.compiled(("email", "event_id")) is compiler.compiled(("email", "event_id"))


def test_rows_of_one_source_may_have_different_columns():
    transform = new_transform()
    row_batches = [
        RowBatch(tuple(row), [list(row.values())]) for row in (good(), dict(reversed(good(event_id=2).items())))
    ]
    assert [type(found) for found in transform.events(row_batches)] == [Event, Event]


def test_ever_new_keys_in_json_do_not_fill_the_memory():
    """Unknown names get no position, and a field gets one position, independent of other names."""
    transform = new_transform()
    for number in range(50):
        outcome_of(good(custom_data={f"key{number}": 1}), transform)
        outcome_of(
            good(event_id=number, custom_data=dict.fromkeys(("value", "order_id", "np")[: number % 4], 1)), transform
        )
    assert len(transform._transformer.compiler.positions("custom_data")) == 3
    assert len(transform._transformer.compiler._compiled) <= 6
