"""A row becomes an event that Pinterest accepts, or a rejection with all reasons."""

import datetime as dt
import math
import re
from decimal import Decimal
from itertools import combinations
from types import MappingProxyType
from uuid import UUID

import jsonschema_rs
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_pinterest.conversions.batch_transformer import SKEW
from airflow_provider_pinterest.conversions.event_names import EVENT_NAMES
from airflow_provider_pinterest.conversions.field_maps import NAMES
from airflow_provider_pinterest.conversions.fields import ACTION_SOURCES, FIELDS, WARNINGS
from airflow_provider_pinterest.conversions.mapping_compiler import SETS_KEPT
from airflow_provider_pinterest.conversions.outcomes import Event, Rejection, RowBatch, Stage, unreadable_row
from airflow_provider_pinterest.conversions.reasons import EXCLUSIONS, REASONS
from airflow_provider_pinterest.sandbox.judge import verdicts
from airflow_provider_pinterest.sandbox.schema import HASHED_FIELDS, request_schema
from tests.conversions.rows import ADA, GOOD, NOW, good, new_transform, outcome_of, outcomes_of, reasons, sent, sha

contract = jsonschema_rs.Draft4Validator(request_schema())
is_hash = re.compile("[0-9a-f]{64}").fullmatch


def test_a_row_becomes_an_event_in_pinterests_words():
    row = good(phone="+49 170 1234567", value=Decimal("72.390"), currency="eur", order_id=4711, num_items=2.0)
    found = outcome_of(row)
    assert found == Event(1, "checkout", "order-1", NOW - 60, False, found.body, {})
    assert orjson.loads(found.body) == {
        "event_name": "checkout",
        "action_source": "web",
        "event_time": NOW - 60,
        "event_id": "order-1",
        "user_data": {"em": [ADA], "ph": [sha("491701234567")]},
        "custom_data": {"value": "72.390", "currency": "EUR", "order_id": "4711", "num_items": 2},
    }


def test_rows_are_numbered_from_one_across_chunks():
    rows = [good(event_id=number) for number in range(4)]
    columns = tuple(GOOD)
    row_batches = [RowBatch(columns, [list(row.values()) for row in part]) for part in (rows[:1], [], rows[1:])]
    assert [found.row for found in new_transform().events(row_batches)] == [1, 2, 3, 4]


@pytest.mark.parametrize("empty", [None, "", " ", [], "[]"], ids=repr)
def test_what_is_empty_is_not_sent(empty):
    row = good(phone=empty, content_ids=empty)
    assert sent(row) == sent(good())


@pytest.mark.parametrize("empty", [None, "", " "])
def test_empty_cells_of_every_field_are_not_sent(empty):
    row = {path: empty for path in dict.fromkeys(NAMES.values()) if path not in GOOD and path != "user_data.em"}
    assert sent({**row, **GOOD}) == sent(good())


@pytest.mark.parametrize("source", sorted(ACTION_SOURCES))
def test_only_offline_events_cannot_be_deduplicated(source):
    assert outcome_of(good(action_source=source)).offline == (source == "offline")


# Reasons

NOT_HERE = {
    *("pinterest_failed", "pinterest_refused", "outcome_unknown", "bad_account"),
    *("account_refused", "account_unavailable", "account_unanswered"),
    *EXCLUSIONS,
}
"""Codes of sending and of exclusions, and that of runs whose rows name their account."""
AGED = new_transform(max_event_age=dt.timedelta(days=7))
FAULTS = [
    ("missing_field", "event_name", good(event_name=None), None),
    ("missing_field", "action_source", good(action_source=""), None),
    ("missing_field", "event_time", good(event_time=" "), None),
    ("missing_field", "event_id", {name: cell for name, cell in GOOD.items() if name != "event_id"}, None),
    ("no_match_key", "user_data", good(email=None), None),
    ("bad_type", "event_name", good(event_name=True), None),
    ("bad_row", "", unreadable_row("is not a JSON object (line 2 of rows.ndjson)"), None),
    ("bad_cell", "event_id", good(event_id=object()), None),
    ("bad_type", "event_id", good(event_id=b"\xff"), None),
    ("bad_type", "custom_data.value", good(value=math.inf), None),
    ("bad_type", "custom_data.value", good(value="72,39"), None),
    ("bad_type", "opt_out", good(opt_out="perhaps"), None),
    ("bad_value", "custom_data.value", good(value=10**40), None),
    ("bad_text", "event_id", good(event_id="\ud800"), None),
    ("bad_json", "custom_data", good(custom_data="{"), None),
    ("bad_json", "user_data", good(user_data=[1]), None),
    ("unknown_field", "custom_data.internal", good(custom_data={"internal": 1}), None),
    ("unknown_field", "custom_data.custom_data", good(custom_data={"custom_data": 1}), None),
    ("unknown_field", "custom_data.contents[0].colour", good(contents=[{"colour": 1}]), None),
    ("unknown_field", "internal", good(internal=1), None),
    ("ambiguous_columns", "user_data.em", good(em="eve@example.com"), None),
    ("bad_time", "event_time", good(event_time="yesterday"), None),
    ("bad_time", "event_time", good(event_time=20261121), None),
    ("future_event_time", "event_time", good(event_time=NOW + SKEW + 1), None),
    ("too_old", "event_time", good(event_time=NOW - 7 * 86_400 - 1), AGED),
    ("bad_action_source", "action_source", good(action_source="shop"), None),
    ("bad_currency", "custom_data.currency", good(currency="EURO"), None),
    ("ldp_without_region", "custom_data.opt_out_type", good(opt_out_type="LDP"), None),
    ("too_large", "", good(content_name="x" * 2_000_000), None),
]


@pytest.mark.parametrize(
    ("code", "field", "row", "transform"), FAULTS, ids=[f"{code}-{field}" for code, field, *_ in FAULTS]
)
def test_a_fault_has_a_code_and_a_place(code, field, row, transform):
    found = outcome_of(row, transform)
    assert isinstance(found, Rejection)
    assert [(reason.code, reason.field) for reason in found.reasons] == [(code, field)]
    assert found.stage == Stage.VALIDATION


def test_every_code_that_validation_can_give_is_given_above():
    assert {code for code, *_ in FAULTS} == set(REASONS) - NOT_HERE


def test_all_that_is_wrong_with_a_row_is_said_at_once():
    row = good(
        event_name=None,
        action_source="shop",
        event_time="soon",
        email="nobody",
        value="much",
        currency="EURO",
        internal=1,
    )
    assert sorted(reasons(row)) == [
        ("bad_action_source", "action_source"),
        ("bad_currency", "custom_data.currency"),
        ("bad_time", "event_time"),
        ("bad_type", "custom_data.value"),
        ("missing_field", "event_name"),
        ("no_match_key", "user_data"),
        ("unknown_field", "internal"),
    ]


def test_a_rejection_holds_the_event_id_and_nothing_personal():
    secret = "ada@example.com"
    row = good(email=[secret, True], value=secret, currency=secret, opt_out=secret, contents=secret, language=secret)
    found = outcome_of(row)
    assert found.event_id == "order-1"
    assert secret not in repr(found)


def test_a_rejected_row_is_not_a_duplicate_of_itself():
    """The first valid address is sent."""
    found = outcomes_of([good(currency="EURO"), good()])
    assert [type(outcome) for outcome in found] == [Rejection, Event]


# Match keys


@pytest.mark.parametrize(
    "keys",
    [
        {"email": "ada@example.com"},
        {"maid": "38400000-8cf0-11bd-b23e-10b96e40000d"},
        {"ip": "192.0.2.1", "user_agent": "Mozilla"},
    ],
)
def test_each_match_key_will_do(keys):
    assert isinstance(outcome_of({**good(email=None), **keys}), Event)


@pytest.mark.parametrize(
    "keys",
    [
        {},
        {"email": "nobody"},
        {"ip": "192.0.2.1"},
        {"user_agent": "Mozilla"},
        {"ip": "nowhere", "user_agent": "Mozilla"},
        {"phone": "+49 170 1234567", "user_id": "42", "click_id": "dj0y"},
        {"maid": "00000000-0000-0000-0000-000000000000"},
    ],
)
def test_other_identifiers_do_not_match_anybody(keys):
    assert reasons({**good(email=None), **keys}) == [("no_match_key", "user_data")]


# Time


def test_the_future_begins_after_five_minutes():
    assert sent(good(event_time=NOW + SKEW))["event_time"] == NOW + SKEW
    assert SKEW == 300


def test_age_does_not_matter_unless_told_so():
    assert sent(good(event_time="2000-01-02"))
    assert isinstance(outcome_of(good(event_id=2, event_time=NOW - 7 * 86_400), AGED), Event)


# Limited data processing


@pytest.mark.parametrize("opt_out", ["LDP", "ldp", "GDPR, ldp"])
def test_limited_data_processing_needs_state_and_country(opt_out):
    where = {"state": "CA", "country": "US"}
    assert sent(good(opt_out_type=opt_out, **where))["custom_data"]["opt_out_type"] == opt_out.upper().replace(" ", "")
    for missing in where:
        assert reasons(good(opt_out_type=opt_out, **{**where, missing: None})) == [
            ("ldp_without_region", "custom_data.opt_out_type")
        ]
    assert reasons(good(opt_out_type=opt_out, state="CA", country="XQ")) == [
        ("ldp_without_region", "custom_data.opt_out_type")
    ]


def test_other_opt_outs_need_no_region():
    assert sent(good(opt_out_type="GDPR"))["custom_data"] == {"opt_out_type": "GDPR"}
    assert "custom_data" not in sent(good(opt_out_type=" , "))


# Warnings

PLAIN = ("client_user_agent", "click_id", "partner_id")
WARNED = [
    ("unknown_event_name", good(event_name="my_event")),
    ("time_from_date", good(event_time="2026-11-20")),
    ("personal_data_in_plain_field", good(user_agent="ada@example.com")),
    ("personal_data_in_url", good(url="https://shop.example.com/?email=ada@example.com")),
    ("personal_data_sent", good(event_id="ada@example.com-1")),
    ("phone_without_country", good(phone="14155552671")),
    ("unusable_client_ip_address", good(ip="nowhere")),
    *((f"unusable_{name}", good(**{f"user_data.{name}": b"\xff"})) for name in HASHED_FIELDS if name != "em"),
    *((f"unusable_{name}", good(**{f"user_data.{name}": b"\xff"})) for name in PLAIN),
    ("ambiguous_item_id", good(contents=[{"id": 1, "product_id": 2}])),
    ("unusable_em", {**good(ip="192.0.2.1", user_agent="Mozilla", email="nobody")}),
]


@pytest.mark.parametrize(("code", "row"), WARNED, ids=[code for code, _ in WARNED])
def test_a_doubtful_event_is_sent_and_counted(code, row):
    transform = new_transform()
    assert isinstance(outcome_of(row, transform), Event)
    assert transform.warnings == {code: 1}


def test_every_warning_that_validation_can_give_is_given_above():
    left_out = {field.warning for field in FIELDS if field.place != "user_data"}
    assert {code for code, _ in WARNED} == set(WARNINGS) - left_out - {"pinterest_warning", "dedup_uncertain"}


@pytest.mark.parametrize("name", sorted(EVENT_NAMES))
def test_known_event_names_are_not_doubtful(name):
    transform = new_transform()
    assert sent(good(event_name=name), transform)["event_name"] == name
    assert not transform.warnings


# Objects in one cell


NESTED = {
    "event_name": "checkout",
    "action_source": "web",
    "event_time": NOW - 60,
    "event_id": "order-1",
    "user_data": {
        "em": ["Ada@Example.com "],
        "ph": "+49 170 1234567",
        "client_ip_address": "192.0.2.1",
        "country": "DE",
    },
    "custom_data": {"value": 72.39, "currency": "eur", "content_ids": [1, "2"], "contents": [{"id": 1, "price": 2.5}]},
    "app_info": {"app_id": 429047995, "install_time": "2026-11-20T00:00:00Z"},
    "device_info": {"Battery_Level": "78", "languages": ["en"]},
}
FLAT = {
    **{name: cell for name, cell in NESTED.items() if not isinstance(cell, dict)},
    **{
        f"{place}.{name}": cell
        for place, cells in NESTED.items()
        if isinstance(cells, dict)
        for name, cell in cells.items()
    },
}


def as_text(cell):
    return orjson.dumps(cell).decode() if isinstance(cell, dict) else cell


@pytest.mark.parametrize(
    "row",
    [
        NESTED,
        FLAT,
        {name: as_text(cell) for name, cell in NESTED.items()},
        {name.upper(): MappingProxyType(cell) if isinstance(cell, dict) else cell for name, cell in NESTED.items()},
    ],
    ids=["nested", "flat", "JSON text", "other mappings"],
)
def test_a_ready_event_is_normalised_like_a_row(row):
    event = sent(row)
    assert event == {
        "event_name": "checkout",
        "action_source": "web",
        "event_time": NOW - 60,
        "event_id": "order-1",
        "user_data": {
            "em": [ADA],
            "ph": [sha("491701234567")],
            "client_ip_address": "192.0.2.1",
            "country": [sha("de")],
        },
        "custom_data": {
            "value": "72.39",
            "currency": "EUR",
            "content_ids": ["1", "2"],
            "contents": [{"id": "1", "item_price": "2.5"}],
        },
        "app_info": {"app_id": "429047995", "install_time": 1_795_132_800},
        "device_info": {"battery_level": 78, "languages": ["en"]},
    }
    assert sent(event) == event


def test_aliases_work_inside_objects():
    row = {**good(email=None), "user_data": {"email": "ada@example.com", "postal_code": "10001-1"}}
    assert sent(row)["user_data"] == {"em": [ADA], "zp": [sha("100011")]}


def test_columns_of_their_own_come_before_what_is_in_an_object():
    row = good(custom_data={"value": 1, "currency": "USD"}, value=2)
    assert sent(row)["custom_data"] == {"value": "2", "currency": "USD"}
    assert sent(good(custom_data={"value": 1}, value=None))["custom_data"] == {"value": "1"}


@pytest.mark.parametrize("cell", [None, "", " ", "null", "{}", {}, {"value": None, "currency": ""}], ids=repr)
def test_an_object_without_members_is_not_sent(cell):
    assert sent(good(custom_data=cell)) == sent(good())


def test_objects_of_different_members_do_not_mix():
    rows = [
        good(event_id=1, custom_data={"value": 1, "currency": "USD"}, user_data={"fn": "Ada"}),
        good(event_id=2, custom_data={"currency": "EUR"}),
        good(event_id=3, custom_data={"order_id": 3}, user_data={"ln": "L", "fn": None}),
        good(event_id=4, custom_data={"currency": "GBP", "value": 4}),
    ]
    found = [orjson.loads(event.body) for event in outcomes_of(rows)]
    assert [event.get("custom_data") for event in found] == [
        {"value": "1", "currency": "USD"},
        {"currency": "EUR"},
        {"order_id": "3"},
        {"value": "4", "currency": "GBP"},
    ]
    assert [set(event["user_data"]) for event in found] == [{"em", "fn"}, {"em"}, {"em", "ln"}, {"em"}]


def test_key_columns_are_found_beside_objects():
    found = outcome_of(
        good(custom_data={"value": 1, "currency": "USD"}, row_id=7), new_transform(key_columns=["row_id"])
    )
    assert found.keys == {"row_id": 7}


@pytest.mark.parametrize(
    ("cell", "contents"),
    [
        ('[{"id": "a", "item_price": "14.990", "quantity": 3}]', [{"id": "a", "item_price": "14.990", "quantity": 3}]),
        ([{"sku": 1, "price": 14.99, "qty": "3"}], [{"id": "1", "item_price": "14.99", "quantity": 3}]),
        ([{"Name": "A", "CATEGORY": "B", "brand": "C"}], [{"item_name": "A", "item_category": "B", "item_brand": "C"}]),
        ({"id": "a"}, [{"id": "a"}]),
        (
            [{"id": "a"}, {"quantity": 1}, {"id": "b", "quantity": 2}],
            [{"id": "a"}, {"quantity": 1}, {"id": "b", "quantity": 2}],
        ),
        ([{"id": "a", "price": None}, {}, {"id": ""}, None, {"id": "b"}], [{"id": "a"}, {"id": "b"}]),
        ("[]", None),
        ("null", None),
        (" ", None),
        ([{}], None),
    ],
)
def test_contents_are_read_field_by_field(cell, contents):
    assert sent(good(line_items=cell)).get("custom_data", {}).get("contents") == contents


def test_an_id_too_long_for_a_number_is_left_out_rather_than_changed():
    """JSON parsers turn it into a float."""
    transform = new_transform()
    event = sent(good(contents='[{"id": 123456789012345678901234, "quantity": 1}]'), transform)
    assert event["custom_data"] == {"contents": [{"quantity": 1}]}
    assert transform.warnings == {"unusable_contents_id": 1}


# Coverage


def test_coverage_counts_the_events_that_carry_a_field():
    transform = new_transform(defaults={"currency": "EUR"})
    rows = [
        good(event_id=1, value=1, custom_data={"order_id": 1}),
        good(event_id=2, value=None),
        good(event_id=2, value=3),
        good(event_id=4, email=None),
        good(event_id=5, value=1, **{"app_info.app_id": "x", "device_info.brand": "y"}),
    ]
    outcomes_of(rows, transform)
    assert transform.coverage == {
        **dict.fromkeys(("event_name", "action_source", "event_time", "event_id", "user_data.em"), 3),
        "custom_data.currency": 3,
        "custom_data.value": 2,
        "custom_data.order_id": 1,
        "app_info.app_id": 1,
        "device_info.brand": 1,
    }
    assert transform.coverage["event_id"] == 3, "counted once, however often it is asked for"


def test_made_event_ids_and_defaults_count_as_carried():
    transform = new_transform(event_id_from=["user_id"], defaults={"currency": "EUR"})
    without_id = {name: cell for name, cell in good(user_id=1).items() if name != "event_id"}
    outcomes_of([without_id, good(event_id=None, user_id=2), good(event_id=3, user_id=3)], transform)
    assert transform.coverage["event_id"] == transform.coverage["custom_data.currency"] == 3


def test_what_no_event_carries_is_not_covered():
    transform = new_transform()
    outcomes_of([good(phone=None)], transform)
    assert "user_data.ph" not in transform.coverage


def test_coverage_forgets_nothing_however_many_sets_of_columns_there_are():
    transform = new_transform()
    texts = [field.path for field in FIELDS if field.kind == "text" and field.place in ("", "device_info", "app_info")]
    extra = [path for path in texts if path not in GOOD]
    sets = [columns for size in (1, 2, 3) for columns in combinations(extra, size)][: SETS_KEPT + 10]
    for number, columns in enumerate(sets):
        assert isinstance(outcome_of(good(event_id=number, **dict.fromkeys(columns, "x")), transform), Event)
        assert len(transform._transformer.compiler._compiled) <= SETS_KEPT
    assert len(sets) == SETS_KEPT + 10
    assert transform.coverage["event_id"] == len(sets)
    assert transform.coverage[extra[0]] == sum(extra[0] in columns for columns in sets)


# For any row

TEXTS = st.text() | st.sampled_from(
    [
        "ada@example.com",
        "+49 170 1234567",
        "192.0.2.1",
        "fe80::1%a@b",
        "LDP",
        "EUR",
        "offline",
        "[1]",
        "{}",
        "null",
        "\ud800",
    ]
)
SCALARS = st.one_of(
    st.none(),
    TEXTS,
    st.booleans(),
    st.integers(),
    st.floats(),
    st.decimals(),
    st.binary(),
    st.dates(),
    st.datetimes(),
    st.datetimes(timezones=st.just(dt.UTC)),
    st.uuids(),
)
MEMBERS = st.sampled_from(sorted({name.rpartition(".")[2] for name in NAMES} | {"id", "quantity", "price"})) | st.text()
CELLS = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(MEMBERS, inner, max_size=4),
    max_leaves=8,
)
JSON = CELLS.map(lambda cell: orjson.dumps(cell, default=str).decode() if json_able(cell) else "{")
ROWS = st.dictionaries(st.sampled_from(sorted(set(NAMES.values()))), CELLS | JSON, max_size=12)


def json_able(cell):
    try:
        orjson.dumps(cell, default=str)
    except TypeError:
        return False
    return True


def check(event):
    """Check an event against the contract only."""
    body = orjson.loads(event.body)
    contract.validate({"data": [body]})
    (verdict,) = verdicts([body], NOW)
    assert not verdict.error
    assert "empty" not in verdict.warning
    assert "@" not in orjson.dumps(body["user_data"]).decode()
    for name in HASHED_FIELDS:
        assert all(map(is_hash, body["user_data"].get(name, ())))
    assert (event.name, event.id, event.time) == (body["event_name"], body["event_id"], body["event_time"])
    assert event.offline == (body["action_source"] == "offline")
    return body


@given(ROWS)
def test_whatever_the_row_it_is_rejected_or_legal(row):
    found = outcome_of(row)
    if isinstance(found, Rejection):
        assert found.reasons
        assert {reason.code for reason in found.reasons} <= set(REASONS)
    else:
        check(found)


@given(ROWS)
def test_whatever_else_a_good_row_holds_it_is_rejected_or_legal(row):
    transform = new_transform()
    found = outcome_of(
        {"user_data.em": "ada@example.com", **row, **{name: GOOD[name] for name in GOOD if name != "email"}}, transform
    )
    if isinstance(found, Rejection):
        assert {reason.code for reason in found.reasons} <= set(REASONS)
    else:
        body = check(found)
        assert sent(body) == body
    assert set(transform.warnings) <= set(WARNINGS)


@given(
    st.dictionaries(
        st.sampled_from(sorted(name for name in NAMES.values() if name.startswith("user_data."))),
        TEXTS | st.lists(TEXTS),
    )
)
def test_no_address_goes_out_in_the_clear(user_data):
    row = {"user_data.hashed_maids": "38400000-8cf0-11bd-b23e-10b96e40000d", **user_data, **good()}
    row.pop("email")
    found = outcome_of(row)
    if isinstance(found, Event):
        check(found)


@settings(max_examples=25)
@given(st.lists(ROWS, max_size=6))
def test_every_row_has_one_outcome(rows):
    found = outcomes_of(rows)
    assert [outcome.row for outcome in found] == list(range(1, len(rows) + 1))


@given(st.lists(st.tuples(st.integers(0, 5), st.sampled_from(["checkout", "signup"]))))
def test_of_equal_events_one_goes_out(pairs):
    found = outcomes_of([good(event_id=number, event_name=name) for number, name in pairs])
    events = [(event.name, event.id) for event in found if isinstance(event, Event)]
    assert events == list(dict.fromkeys((name, str(number)) for number, name in pairs))


def test_a_row_of_every_type_of_cell_is_sent_as_pinterest_wants_it():
    row = good(event_id=UUID(int=7), value=Decimal("72.390"), num_items="3", opt_out=0, content_ids=(1, 2), wifi="yes")
    event = check(outcome_of(row))
    assert event["event_id"] == "00000000-0000-0000-0000-000000000007"
    assert event["custom_data"] == {"value": "72.390", "num_items": 3, "content_ids": ["1", "2"]}
    assert (event["opt_out"], event["wifi"]) == (False, True)
