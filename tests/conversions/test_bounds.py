"""The memory that is kept for rows is bounded for any content."""

import time
import tracemalloc

import orjson
import pytest

from airflow_provider_pinterest.conversions.cached_parser import MEMO_BYTES, MEMO_CELL, CachedParser
from airflow_provider_pinterest.conversions.coalescing import COLUMN_BATCH_ROWS, coalesce
from airflow_provider_pinterest.conversions.mapping import ColumnMapping
from airflow_provider_pinterest.conversions.mapping_compiler import NAMES_KEPT, MappingCompiler
from airflow_provider_pinterest.conversions.outcomes import Event, RowBatch
from airflow_provider_pinterest.conversions.reasons import REASONS
from airflow_provider_pinterest.conversions.weights import COLUMN_BATCH_BYTES, weight
from airflow_provider_pinterest.exceptions import MappingError
from tests.conversions.hostile import OBJECTS
from tests.conversions.rows import GOOD, good, new_transform, outcome_of, outcomes_of, sent
from tests.tracing import SLOWER

MANY = 200_000


def keys(count, name="key {}"):
    return {name.format(number): number for number in range(count)}


@pytest.mark.parametrize(
    "row",
    [
        good(custom_data=orjson.dumps(keys(MANY)).decode()),
        good(custom_data=keys(MANY)),
        good(contents=[keys(MANY), *({"id": str(number)} for number in range(1_000))]),
        {**GOOD, **keys(MANY)},
    ],
    ids=["json", "mapping", "contents", "columns"],
)
def test_very_many_unknown_names_give_a_few_reasons(row):
    begun = time.monotonic()
    found = outcome_of(row)

    assert time.monotonic() - begun < 10 * SLOWER
    assert 1 <= len(found.reasons) <= 21
    assert {reason.code for reason in found.reasons} == {"unknown_field"}
    assert len(repr(found)) < 10_000


def test_the_last_reason_says_how_many_more_there_are():
    found = outcome_of(good(custom_data=keys(1_000), value="much"))

    assert [reason.code for reason in found.reasons[-2:]] == ["bad_type", "bad_type"]
    assert found.reasons[-1].message == "and 980 more reasons"
    assert {reason.code for reason in found.reasons} <= REASONS.keys()


@pytest.mark.parametrize("place", ["custom_data", "contents"])
def test_spellings_of_a_name_do_not_fill_the_memory(place):
    spelled = {" " * number + "Id" if place == "contents" else " " * number + "NP": "a" for number in range(3_000)}
    transform = new_transform()
    begun = time.monotonic()

    found = outcomes_of([good(**{place: spelled}, event_id=str(number)) for number in range(20)], transform)

    assert time.monotonic() - begun < 10 * SLOWER
    assert all(isinstance(outcome, Event) for outcome in found)
    assert len(transform._transformer.compiler.positions("custom_data")) <= 1


def test_a_name_is_known_in_any_spelling():
    assert sent(good(custom_data={" NP ": "a"}, contents=[{"ID ": "b"}]))["custom_data"] == {
        "np": "a",
        "contents": [{"id": "b"}],
    }


@pytest.mark.parametrize("names", [{"NP": "a", "np": "b"}, {"np": "b", "NP": "a"}, {"NP": "b", "np": " "}])
def test_of_two_spellings_one_wins_whatever_their_order(names):
    assert sent(good(custom_data=names))["custom_data"] == {"np": "b"}


def test_wide_sets_of_columns_are_not_remembered_without_end():
    compiler = MappingCompiler(ColumnMapping())
    for number in range(20):
        compiler.compiled(tuple(keys(NAMES_KEPT // 4, f"{number} {{}}")))

    assert sum(len(names) for names, _ in compiler._compiled) <= NAMES_KEPT


def test_an_error_names_a_few_of_very_many_columns():
    with pytest.raises(MappingError) as caught:
        ColumnMapping().check(tuple(keys(5_000)))

    assert "4,990 more" in str(caught.value)
    assert len(str(caught.value)) < 5_000


def test_long_cells_are_not_remembered():
    parser = CachedParser("ct", lambda cell: [cell])
    parser.encode(["a" * MEMO_CELL, "a" * (MEMO_CELL + 1)], lambda *_: None)

    assert [*parser._known] == ["a" * MEMO_CELL]


def test_memory_of_cells_is_bounded_in_bytes():
    parser = CachedParser("ct", lambda cell: [cell * 1_000])
    tracemalloc.start()
    for number in range(1_000):
        parser.encode([f"{number:0150}"], lambda *_: None)
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert held < 1.2 * MEMO_BYTES


def test_an_event_id_in_a_rejection_is_cut():
    assert len(outcome_of(good(event_id="x" * 5_000, value="much")).event_id) == 1_000


@pytest.mark.parametrize("name", ["a\nb", "\x1b[31mred", "ada@example.com", "4930901820", "x" * 5_000])
def test_names_that_come_from_data_are_made_safe(name):
    for row in (good(custom_data={name: 1}), good(contents=[{name: 1}]), good(**{name: 1})):
        for _, field, message in outcome_of(row).reasons:
            said = field + message
            assert not {*"\n\x1b@"} & {*said}
            assert "4930901820" not in said
            assert len(said) < 400
    with pytest.raises(MappingError) as caught:
        ColumnMapping().check((name,))
    assert "ada@" not in str(caught.value)
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize("cell", ["é" * 10**6, "e" + "\u0301\u0323" * 10**5, "1" * 10**6, "(" * 10**6, "[" * 10**6])
@pytest.mark.parametrize("column", ["phone", "first_name", "city", "zip", "country", "birthday", "ip", "email"])
def test_a_very_long_identifier_costs_no_time(column, cell):
    transform = new_transform()
    begun = time.monotonic()
    row = good(ip="198.18.0.1", user_agent="Agent/1")
    assert isinstance(
        outcome_of({**row, "advertising_id": "38400000-8cf0-11bd-b23e-10b96e40000d", column: cell}, transform), Event
    )

    assert time.monotonic() - begun < 1 * SLOWER
    assert sum(transform.warnings.values()) == 1


HEAVY = "x" * 100_000


@pytest.mark.parametrize(
    "row_batches",
    [
        [RowBatch(("event_id", "np"), [[number, HEAVY] for number in range(1_000)])],
        [RowBatch(("event_id", "custom_data"), [[number, {"np": HEAVY}] for number in range(1_000)])],
        [
            RowBatch(("event_id", "np", "app_name" if number % 2 else "app_version"), [[number, HEAVY, "a"]])
            for number in range(1_000)
        ],
    ],
    ids=["one row_batch", "nested", "a row_batch a row"],
)
def test_column_batches_of_heavy_rows_are_short(row_batches):
    found = list(coalesce(row_batches, ColumnMapping()))

    assert [column_batch.first for column_batch in found] == [
        1 + sum(one.size for one in found[:at]) for at in range(len(found))
    ]
    assert sum(column_batch.size for column_batch in found) == 1_000
    assert max(column_batch.size for column_batch in found) * len(HEAVY) <= 1.5 * COLUMN_BATCH_BYTES


def test_column_batches_of_ordinary_rows_are_long():
    [*found] = coalesce([RowBatch(("event_id", "np"), [["a", "x" * 1_000]] * 2_000)], ColumnMapping())

    assert [column_batch.size for column_batch in found] == [COLUMN_BATCH_ROWS] * 4


@pytest.mark.parametrize("name", sorted(OBJECTS))
def test_any_row_has_a_weight(name):
    begun = time.monotonic()
    assert 0 < weight([OBJECTS[name](), [OBJECTS[name]()], {"a": OBJECTS[name]()}]) < 10**8
    assert time.monotonic() - begun < 2 * SLOWER
