"""A task that reads files, up to what arrives at Pinterest."""

from __future__ import annotations

import csv
import datetime as dt
import gzip
import json
import time
from pathlib import Path

import pytest

from airflow_provider_pinterest.airflow_versions import ObjectStoragePath
from airflow_provider_pinterest.exceptions import MappingError, ParameterError, SourceError
from airflow_provider_pinterest.operators.send_conversions import SendConversionsOperator
from tests.operators.attempts import Life, broken_off, small
from tests.running import deliver, ids, row, rows, run


def write(path: Path, found):
    """Write rows into a file, in the format of its name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if ".csv" in path.name:
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, found[0])
            writer.writeheader()
            writer.writerows(found)
    elif path.suffix == ".parquet":
        pa = pytest.importorskip("pyarrow")
        pq = pytest.importorskip("pyarrow.parquet")
        pq.write_table(pa.Table.from_pylist(found), path, row_group_size=100)
    else:
        path.write_text("".join(f"{json.dumps(one)}\n" for one in found))
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(path.read_bytes()))
    return str(path)


class TestSources:
    @pytest.mark.parametrize("name", ["a.parquet", "a.csv", "a.csv.gz", "a.ndjson", "a.jsonl.gz"])
    def test_all_rows_of_a_file_arrive_once(self, pinterest, tmp_path, name):
        ran = deliver(path=write(tmp_path / name, rows(2_500)))

        assert ran.error is None
        assert pinterest.copies() == ids(2_500)
        assert ran["rows_read"] == ran["events_processed"] == 2_500

    def test_files_of_all_formats_in_one_run(self, pinterest, tmp_path):
        found = rows(9)
        for name, part in (("c.parquet", found[:3]), ("a.csv", found[3:6]), ("b.ndjson.gz", found[6:])):
            write(tmp_path / name, part)

        ran = deliver(path=f"{tmp_path}/*")

        assert ran.error is None
        assert pinterest.copies() == ids(9)
        assert [line.split("/")[-1] for line in ran.log.splitlines() if "Reading file" in line] == [
            "a.csv",
            "b.ndjson.gz",
            "c.parquet",
        ]
        assert "Reading file 2 of 3 from row 4: " in ran.log

    def test_a_path_is_a_template(self, pinterest, tmp_path):
        write(tmp_path / "2026-11-24" / "part-0.csv", rows(2))
        write(tmp_path / "2026-11-25" / "part-0.csv", rows(5))
        operator = SendConversionsOperator(task_id="send", path=f"{tmp_path}/{{{{ ds }}}}/*.csv")

        assert run(operator, render=True, ds="2026-11-24").error is None
        assert pinterest.copies() == ids(2)

    def test_a_template_may_give_a_list(self, pinterest, tmp_path):
        paths = [write(tmp_path / f"{number}.csv", [row(number)]) for number in (1, 2, 3)]
        operator = SendConversionsOperator(task_id="send", path="{{ params.paths }}")

        assert run(operator, render=True, params={"paths": paths[:2]}).error is None
        assert pinterest.copies() == ids(2)

    def test_a_template_without_a_value_is_refused(self, pinterest, tmp_path):
        write(tmp_path / "None" / "a.csv", rows(2))
        operator = SendConversionsOperator(task_id="send", path=f"{tmp_path}/{{{{ data_interval_start }}}}/*.csv")

        ran = run(operator, render=True, data_interval_start=None)

        assert isinstance(ran.error, ParameterError)
        assert "A template in path has no value in this run" in ran.said

    def test_paths_may_be_path_objects(self, pinterest, tmp_path):
        first = write(tmp_path / "1.csv", [row(1)])
        second = write(tmp_path / "2.csv", [row(2)])

        assert deliver(path=[Path(first), ObjectStoragePath(f"file://{second}")]).error is None
        assert pinterest.copies() == ids(2)

    @pytest.mark.parametrize(
        ("given", "got"),
        [
            ({"sql": "SELECT 1", "sql_conn_id": "warehouse"}, "sql and path"),
            ({"events": []}, "events and path"),
            ({"events": [], "sql": "SELECT 1"}, "sql and events and path"),
        ],
    )
    def test_one_source_is_enough(self, given, got):
        with pytest.raises(ParameterError, match=f"Pass one source of rows, sql, events or path; got {got}"):
            SendConversionsOperator(task_id="send", path="a.csv", **given)

    @pytest.mark.parametrize("path", ["", [], 7, [7], {"a.csv": 1}])
    def test_a_wrong_path_is_found_when_the_dag_is_parsed(self, path):
        with pytest.raises(ParameterError, match="path must be the path or the URL of files, or a list of them"):
            SendConversionsOperator(task_id="send", path=path)


class TestColumns:
    def test_a_column_that_matches_nothing_stops_the_run_before_it_sends(self, pinterest, tmp_path):
        ran = deliver(path=write(tmp_path / "a.parquet", rows(3, ordr_totl=5)))

        assert isinstance(ran.error, MappingError)
        assert "'ordr_totl'" in ran.said
        assert not pinterest.calls()

    @pytest.mark.parametrize("name", ["a.parquet", "a.csv"])
    def test_so_does_a_parameter_that_names_a_column_the_file_does_not_have(self, pinterest, tmp_path, name):
        ran = deliver(path=write(tmp_path / name, rows(3)), key_columns=["order_nr"])

        assert isinstance(ran.error, MappingError)
        assert "key_columns names 'order_nr'" in ran.said

    def test_ignored_columns_are_not_read_and_parameters_may_name_them(self, pinterest, tmp_path):
        found = rows(3, note="private", shop="7", consent=True)
        path = write(tmp_path / "a.parquet", [*found, row(4, note="private", shop="7", consent=False)])

        ran = deliver(
            path=path,
            field_map={"note": None, "shop": None, "consent": None},
            consent_column="consent",
            key_columns=["shop"],
        )

        assert ran.error is None
        assert pinterest.copies() == ids(3)
        assert ran["reasons"] == {"no_consent": 1}

    def test_a_later_file_may_have_other_columns(self, pinterest, tmp_path):
        write(tmp_path / "1.parquet", rows(2))
        write(tmp_path / "2.parquet", [row(3, value=5, currency="EUR")])
        write(tmp_path / "3.csv", [row(4, colour="red")])

        ran = deliver(path=str(tmp_path), max_rejected=1)

        assert ran.error is None
        assert pinterest.copies() == ids(3)
        assert pinterest.events()[-1].event["custom_data"] == {"value": "5", "currency": "EUR"}
        assert ran["reasons"] == {"unknown_field": 1}

    @pytest.mark.parametrize("name", ["part-0.parquet", "part-0.csv", "part-0.ndjson"])
    def test_names_of_folders_are_columns_if_a_parameter_names_them(self, pinterest, tmp_path, name):
        write(tmp_path / "dt=2026-11-24" / "shop=a%2Fb" / name, [row(1, order_id=None)])
        write(tmp_path / "dt=2026-11-24" / "shop=__HIVE_DEFAULT_PARTITION__" / name, [row(2)])

        ran = deliver(path=f"{tmp_path}/**", field_map={"Shop": "order_id"}, key_columns=["dt"])

        assert ran.error is None
        assert pinterest.copies() == ids(2)
        assert sorted(one.event.get("custom_data", {}).get("order_id", "") for one in pinterest.events()) == ["", "a/b"]

    def test_they_count_for_one_file(self, pinterest, tmp_path):
        path = write(tmp_path / "account=549755885175" / "consent=false" / "a.parquet", rows(2))

        ran = deliver(path=path, consent_column="consent", ad_account_id_column="account")

        assert ran.error is None
        assert ran["reasons"] == {"no_consent": 2}

    def test_a_column_of_the_file_is_preferred(self, pinterest, tmp_path):
        path = write(tmp_path / "dt=2026-11-24" / "a.csv", [row(1, dt="x")])

        assert deliver(path=path, field_map={"dt": "order_id"}).error is None
        assert pinterest.events()[0].event["custom_data"] == {"order_id": "x"}

    def test_the_names_of_folders_are_not_columns_otherwise(self, pinterest, tmp_path):
        path = write(tmp_path / "dt=2026-11-24" / "date=2026-11-24" / "a.csv", rows(2))

        assert deliver(path=path).error is None
        assert pinterest.copies() == ids(2)

    def test_typed_cells(self, pinterest, tmp_path):
        pa = pytest.importorskip("pyarrow")
        pq = pytest.importorskip("pyarrow.parquet")
        moment = dt.datetime.now() - dt.timedelta(hours=20)  # noqa: DTZ005 - a column without a zone
        table = pa.table(
            {
                "event_id": ["a"],
                "event_name": pa.array(["checkout"]).dictionary_encode(),
                "action_source": ["web"],
                "event_time": pa.array([moment], pa.timestamp("ns")),
                "email": ["ada@example.com"],
                "value": pa.array([72.39], pa.float32()),
                "num_items": pa.array([2], pa.int16()),
                "opt_out": [False],
                "contents": [[{"id": "4711", "item_price": 36.195, "quantity": 2}]],
            }
        )
        pq.write_table(table, tmp_path / "a.parquet")

        ran = deliver(path=str(tmp_path / "a.parquet"), timezone="America/New_York")

        assert ran.error is None
        [event] = pinterest.events()
        local = dt.datetime.fromtimestamp(event.event_time, dt.timezone(dt.timedelta(hours=-5)))
        assert local.replace(tzinfo=None) in (moment.replace(microsecond=0), moment.replace(microsecond=0) - HOUR)
        assert event.event["custom_data"] == {
            "value": "72.39",
            "num_items": 2,
            "contents": [{"id": "4711", "item_price": "36.195", "quantity": 2}],
        }
        assert event.event["opt_out"] is False


HOUR = dt.timedelta(hours=1)
"""In summer, the zone is one hour ahead of its winter time."""


class TestProblems:
    def test_a_path_without_files_fails_the_task(self, pinterest, tmp_path):
        ran = deliver(path=f"{tmp_path}/2026-11-24/*.csv")

        assert isinstance(ran.error, SourceError)
        assert f"No file matches {tmp_path}/2026-11-24/*.csv." in ran.said
        assert "This attempt delivered no event" in ran.said

    def test_what_came_before_a_broken_file_is_sent_and_counted(self, pinterest, tmp_path):
        write(tmp_path / "1.csv", rows(1_500))
        (tmp_path / "2.csv.gz").write_bytes(gzip.compress(b"event_id,email\n1,2\n")[:-6])

        ran = deliver(path=str(tmp_path))

        assert isinstance(ran.error, SourceError)
        assert f"{tmp_path}/2.csv.gz cannot be read, after 1 row: the gzip data is cut off." in ran.said
        assert pinterest.copies() == ids(1_000)
        assert (ran["rows_read"], ran["events_processed"], ran["rows_not_sent"]) == (1_501, 1_000, 500)
        assert "1,000 of 1,500 events that were read were delivered." in ran.said

    def test_rows_that_cannot_be_read_are_rejected_and_listed(self, pinterest, tmp_path):
        path = write(tmp_path / "rows" / "a.csv", rows(3))
        with Path(path).open("a") as file:
            file.write("cut off,jane@example.com\n")

        ran = deliver(path=path, max_rejected=1, rejects_path=str(tmp_path / "rejects"))

        assert ran.error is None
        assert ran["reasons"] == {"bad_row": 1}
        [part] = (tmp_path / "rejects").rglob("*.ndjson")
        line = json.loads(part.read_text())
        assert (line["row"], line["reasons"][0]["message"]) == (
            4,
            "has 2 cells, and the header has 5 (line 5 of a.csv)",
        )
        assert pinterest.copies() == ids(3)

    def test_bad_rows_count_against_what_is_tolerated(self, pinterest, tmp_path):
        path = write(tmp_path / "a.ndjson", rows(3))
        with Path(path).open("a") as file:
            file.write('{"event_id": "cut o')

        ran = deliver(path=path)

        assert "1 of 4 rows were rejected or failed (bad_row 1)" in ran.said
        assert pinterest.copies() == ids(3)


class TestAttempts:
    @pytest.mark.parametrize("name", ["{}.parquet", "{}.csv", "{}.ndjson.gz"])
    def test_a_retry_sends_only_the_rest(self, pinterest, tmp_path, name):
        found = rows(10)
        for number, part in enumerate((found[:3], found[3:6], found[6:])):
            write(tmp_path / name.format(number), part)
        life = Life(**{**small(), "events": None, "path": str(tmp_path)})
        first = broken_off(pinterest, life, after=2)

        second = life.attempt()

        assert first["events_processed"] == 4
        assert second.error is None
        assert second["resumed_from"] == 4
        assert second["events_processed"] == second["rows_read"] == 10
        assert pinterest.copies() == ids(10)

    def test_a_changed_file_is_noticed(self, pinterest, tmp_path):
        write(tmp_path / "b.csv", rows(10))
        life = Life(**{**small(), "events": None, "path": f"{tmp_path}/*.csv"})
        broken_off(pinterest, life, after=2)
        write(tmp_path / "a.csv", [row(11)])

        ran = life.attempt()

        assert ran.error is None
        assert "The rows of the source changed since the previous attempt" in ran.log
        assert set(pinterest.copies()) == set(ids(11))

    def test_another_pattern_is_noticed(self, pinterest, tmp_path):
        write(tmp_path / "b.csv", rows(10))
        life = Life(**{**small(), "events": None, "path": f"{tmp_path}/*.csv"})
        broken_off(pinterest, life, after=2)

        ran = life.attempt(path=f"{tmp_path}/b.csv")

        assert ran.error is None
        assert "The parameter path changed since the previous attempt" in ran.log

    def test_after_clear_only_the_rows_of_a_late_file_are_sent(self, pinterest, tmp_path):
        found = rows(6, action_source="offline", event_time=int(time.time()) - 3 * 86_400)
        write(tmp_path / "part-1.csv", found[:4])
        life = Life(**{**small(), "events": None, "path": str(tmp_path)})
        assert life.attempt().error is None
        write(tmp_path / "part-2.csv", found[4:])

        ran = life.clear()

        assert ran.error is None
        assert (ran["already_sent"], ran["events_processed"]) == (4, 2)
        assert pinterest.copies() == ids(6)

    def test_a_late_file_does_not_keep_a_retry_from_continuing(self, pinterest, tmp_path):
        found = rows(12, action_source="offline")
        write(tmp_path / "part-1.csv", found[:10])
        life = Life(**{**small(), "events": None, "path": str(tmp_path)})
        broken_off(pinterest, life, after=2)
        write(tmp_path / "part-2.csv", found[10:])

        ran = life.attempt()

        assert ran.error is None
        assert (ran["resumed_from"], ran["rows_read"]) == (4, 12)
        assert pinterest.copies() == ids(12)
