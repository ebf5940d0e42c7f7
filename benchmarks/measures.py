"""What is measured, each in a process of its own: ``python -m benchmarks.measures NAME ARGUMENTS ANSWER_FILE``.

A measure is a function of JSON arguments that returns numbers by name. Its process adds the most memory it
ever had resident. Seconds are taken around the work alone: what a process must import is not part of it,
and is measured by :func:`idle`.
"""

from __future__ import annotations

import datetime as dt
import gc
import hashlib
import inspect
import json
import re
import resource
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from benchmarks import rows

Sample = dict[str, float]
"""Numbers by name: ``events``, ``seconds`` (wall), ``cpu`` (seconds of this process), ``peak`` (bytes) and others."""

CHUNK: Final = 2_000
"""Rows handed over at once, as a database cursor does."""

_VALUES: Final = re.compile(rb"[0-9a-f]{64}").findall


class Stopwatch:
    """Wall and processor seconds of a ``with`` block of :func:`timed`."""

    seconds = 0.0
    cpu = 0.0


@contextmanager
def timed() -> Iterator[Stopwatch]:
    """Measure a block; what was made before it is left out of garbage collection."""
    watch = Stopwatch()
    gc.collect()
    gc.freeze()
    seconds, cpu = time.perf_counter(), time.process_time()
    try:
        yield watch
    finally:
        watch.seconds, watch.cpu = time.perf_counter() - seconds, time.process_time() - cpu


def idle() -> Sample:
    """Import Airflow and the operator, and make one: what every task process takes, before any row."""
    with timed() as watch:
        from airflow_provider_pinterest.operators.send_conversions import SendConversionsOperator

        SendConversionsOperator(task_id="idle", events=[])
    parameters = inspect.signature(SendConversionsOperator.__init__).parameters
    return {
        "seconds": watch.seconds,
        "cpu": watch.cpu,
        **{f"has_{name}": 1 for name in parameters},
    }


def transform(count: int) -> Sample:
    """Make JSON bodies of rows: read cells, normalise, hash, validate, write JSON, drop duplicates, batch."""
    from airflow_provider_pinterest.conversions.batches import Batcher
    from airflow_provider_pinterest.conversions.events import Event

    source = _rows(count)
    builder = _builder()
    batcher = Batcher()
    written = 0
    with timed() as watch:
        for outcome in builder.events(_chunks(source)):
            assert type(outcome) is Event, outcome
            batch = batcher.add(outcome)
            if batch is not None:
                written += len(batch.body)
        rest = batcher.rest()
        written += len(rest.body) if rest else 0
    assert not builder.warnings, builder.warnings
    return {"events": count, "seconds": watch.seconds, "cpu": watch.cpu, "bytes": written}


def stages(count: int) -> Sample:
    """Measure the parts of the transformation that can be done alone; the rest of it is what cannot."""
    import orjson

    from airflow_provider_pinterest.conversions.batches import Batcher
    from airflow_provider_pinterest.conversions.duplicates import SeenEvents, event_key
    from airflow_provider_pinterest.conversions.events import Event

    builder, batcher, seen = _builder(), Batcher(), SeenEvents()
    chunks = list(_chunks(_rows(count)))
    spent = dict.fromkeys(("built", "json", "duplicates", "batches", "sha256"), 0.0)
    hashes = 0

    def lap(part: str, begin: float) -> None:
        spent[part] += time.process_time() - begin

    gc.collect()
    gc.freeze()
    for chunk in chunks:
        begin = time.process_time()
        events = [outcome for outcome in builder.events([chunk]) if isinstance(outcome, Event)]
        lap("built", begin)
        assert len(events) == len(chunk.rows)

        documents = [orjson.loads(event.body) for event in events]
        begin = time.process_time()
        for document in documents:
            orjson.dumps(document)
        lap("json", begin)

        begin = time.process_time()
        for event in events:
            seen.add(event_key(event.name, event.id))
        lap("duplicates", begin)

        begin = time.process_time()
        for event in events:
            batch = batcher.add(event)
            if batch is not None:
                _used(batch.body)
        lap("batches", begin)

        texts = [value for event in events for value in _VALUES(event.body)]
        hashes += len(texts)
        begin = time.process_time()
        for text in texts:
            hashlib.sha256(text).hexdigest()
        lap("sha256", begin)
    return {"events": count, "hashes": hashes / count, **spent}


def pipeline(count: int, sql: str = "", options: dict[str, Any] | None = None, *, checkpoint: bool = False) -> Sample:
    """Run the operator's ``execute`` on the warehouse, against whatever the Pinterest connection names.

    :param checkpoint: offer the state store that Airflow has since 3.3, so that a checkpoint is kept.
    """
    from airflow_provider_pinterest.operators.send_conversions import SendConversionsOperator

    operator = SendConversionsOperator(
        task_id="send",
        sql=sql or rows.sql(),
        sql_conn_id="warehouse",
        parameters={"rows": count},
        defaults=rows.DEFAULTS,
        **(options or {}),
    )
    store = _StateStore()
    context = {"ti": _TaskInstance()} | ({"task_state_store": store} if checkpoint else {})
    with timed() as watch:
        result = operator.execute(context)  # type: ignore[arg-type]
    assert result["rows_read"] == count, result
    return {
        "events": result["events_processed"],
        "rows": count,
        "seconds": watch.seconds,
        "cpu": watch.cpu,
        "calls": result["calls"],
        "retries": result["retries"],
        "rejected": result["rows_rejected"],
        "duplicates": result["duplicates_dropped"],
        "checkpoints": store.written,
    }


def official_transform(count: int) -> Sample:
    """Make JSON bodies of rows with the official client's models, hashing by hand."""
    from benchmarks import by_hand

    client = by_hand.OfficialClient("http://127.0.0.1/v5", "1")
    source = _rows(count)
    with timed() as watch:
        sent = by_hand.deliver(client, source, lambda batch: _used(client.body(batch)))
    return {"events": sent, "seconds": watch.seconds, "cpu": watch.cpu}


def official_pipeline(count: int, warehouse: str, host: str, ad_account_id: str) -> Sample:
    """Run a PythonOperator's ``execute`` that sends the warehouse's rows with the official client."""
    from airflow.providers.standard.operators.python import PythonOperator

    from benchmarks import by_hand

    client = by_hand.OfficialClient(host, ad_account_id)

    def loop() -> int:
        return by_hand.deliver(client, by_hand.warehouse(Path(warehouse), count), client.send)

    send = PythonOperator(task_id="send", python_callable=loop)
    with timed() as watch:
        sent = send.execute({"ti": _TaskInstance(), "outlet_events": {}})
    return {"events": sent, "rows": count, "seconds": watch.seconds, "cpu": watch.cpu}


MEASURES: Final[dict[str, Callable[..., Sample]]] = {
    measure.__name__: measure for measure in (idle, transform, stages, pipeline, official_transform, official_pipeline)
}


class _TaskInstance:
    """As much of a task instance as the operator needs."""

    dag_id = "benchmark"
    task_id = "send"
    run_id = "once"
    try_number = 1
    map_index = -1

    def xcom_push(self, key: str, value: Any) -> None:
        """Take it, and let it go."""


class _StateStore:
    """A task's state store without its way to Airflow's API server: what is kept is written as JSON, and counted."""

    def __init__(self) -> None:
        self.written = 0
        self._kept: dict[str, str] = {}

    def get(self, key: str, default: Any = None) -> Any:
        """Return what was kept."""
        return json.loads(self._kept[key]) if key in self._kept else default

    def set(self, key: str, value: Any) -> None:
        """Keep it."""
        self.written += 1
        self._kept[key] = json.dumps(value)

    def delete(self, key: str) -> None:
        """Forget it."""
        self._kept.pop(key, None)


def _used(body: bytes) -> None:
    assert body


def _rows(count: int) -> list[rows.Row]:
    return list(rows.rows(count, now=dt.datetime.now(dt.UTC)))


def _chunks(source: Sequence[rows.Row]) -> Iterator[Any]:
    from airflow_provider_pinterest.conversions.events import Chunk

    for begin in range(0, len(source), CHUNK):
        yield Chunk(rows.COLUMNS, source[begin : begin + CHUNK])


def _builder() -> Any:
    from airflow_provider_pinterest.conversions.builder import EventBuilder
    from airflow_provider_pinterest.conversions.mapping import ColumnMapping

    return EventBuilder(ColumnMapping(defaults=rows.DEFAULTS), now=time.time())


def peak() -> int:
    """Return the most bytes that this process ever had resident."""
    status = Path("/proc/self/status")
    if status.exists():  # Linux's `ru_maxrss` also counts the process that started this one
        found = re.search(r"VmHWM:\s*(\d+) kB", status.read_text(encoding="ascii", errors="replace"))
        if found:
            return int(found[1]) * 1024
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def main(name: str, arguments: str, answer: str) -> None:
    """Take one measure and write it down."""
    sample = MEASURES[name](**json.loads(arguments))
    Path(answer).write_text(json.dumps(sample | {"peak": peak()}), encoding="ascii")


if __name__ == "__main__":
    main(*sys.argv[1:])
