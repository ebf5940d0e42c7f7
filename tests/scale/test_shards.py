"""The DAG's shards cover every key once, and the DAG is one that Airflow takes."""

import importlib.util
import re
import warnings
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import scale
from harness import dag_runs

FOLDER = Path(scale.__file__).parent / "dags"
FILE = FOLDER / "pinterest_scale_out.py"


@pytest.fixture(scope="module")
def module():
    spec = importlib.util.spec_from_file_location(FILE.stem, FILE)
    assert spec
    assert spec.loader
    found = importlib.util.module_from_spec(spec)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        spec.loader.exec_module(found)
    return found


@given(first=st.integers(-1_000, 1_000), keys=st.integers(1, 500), shards=st.integers(1, 60))
def test_every_key_is_in_exactly_one_shard(module, first, keys, shards):
    last = first + keys - 1

    pieces = module.cut(first, last, shards)

    covered = [key for piece in pieces for key in range(piece["after"] + 1, piece["until"] + 1)]
    assert covered == list(range(first, last + 1))


@given(keys=st.integers(1, 10**12), shards=st.integers(1, 1_000))
def test_shards_are_as_equal_as_can_be_and_none_is_empty(module, keys, shards):
    pieces = module.cut(1, keys, shards)
    sizes = {piece["until"] - piece["after"] for piece in pieces}

    assert len(pieces) == min(keys, shards)
    assert min(sizes) >= 1
    assert max(sizes) - min(sizes) <= 1


def test_the_same_keys_are_cut_the_same_way(module):
    assert module.cut(1, 10, 3) == [{"after": 0, "until": 3}, {"after": 3, "until": 6}, {"after": 6, "until": 10}]


def test_airflow_takes_the_dag_and_it_says_what_it_needs():
    [dag] = dag_runs.load(FOLDER).values()
    sending = dag.task_dict["send_shard"]

    assert dag.dag_id == FILE.stem
    assert type(sending).__name__ == "MappedOperator"
    assert "ORDER BY row" in sending.partial_kwargs["sql"]
    assert sending.partial_kwargs["pool"] == "pinterest"
    assert dag.task_dict["add_up"].upstream_task_ids == {"shards", "send_shard"}
    assert all(word in dag.doc_md for word in ("pinterest_default", "warehouse", "rate_limit_storage", "airflow pools"))


class OneAnswerHook:
    """What the DAG asks of it, answered."""

    def __init__(self, answer):
        self.answer = answer

    def get_first(self, sql, parameters):
        assert set(parameters) == set(re.findall(r"%\((\w+)\)s", sql))
        return self.answer


@pytest.fixture
def call(module, monkeypatch):
    """Call the function of one of the DAG's tasks, with a warehouse that gives one answer."""

    def called(task_id, answer, *arguments, **more):
        monkeypatch.setattr(module.BaseHook, "get_hook", lambda _: OneAnswerHook(answer))
        return module.send.dag.task_dict[task_id].python_callable(*arguments, **more)

    return called


def test_the_range_of_the_table_is_cut(call):
    assert call("shards", (1, 10), params={"rows": 10, "shards": 2}) == [
        {"parameters": {"after": 0, "until": 5}},
        {"parameters": {"after": 5, "until": 10}},
    ]


def test_an_empty_table_has_no_shards(call):
    assert call("shards", (None, None), params={"rows": 10, "shards": 2}) == []


PIECES = [{"parameters": {"after": 0, "until": 5}}, {"parameters": {"after": 5, "until": 10}}]
RESULT = {
    "rows_read": 5,
    "events_processed": 5,
    "events_failed": 0,
    "events_held": 0,
    "rows_rejected": 0,
    "duplicates_dropped": 0,
}


def test_results_of_all_rows_add_up(call):
    assert call("add_up", (10,), [RESULT, RESULT], PIECES)["events_processed"] == 10


@pytest.mark.parametrize(
    ("rows", "results"),
    [
        (10, [RESULT]),
        (11, [RESULT, RESULT]),
        (10, [RESULT, RESULT | {"events_processed": 4, "events_failed": 1}]),
    ],
    ids=["a result is missing", "a row is missing", "an event failed"],
)
def test_results_that_do_not_add_up_fail(call, rows, results):
    with pytest.raises(ValueError, match=f"{rows} rows in 2 shards"):
        call("add_up", (rows,), results, PIECES)
