"""The measures, each in a separate process: ``python -m benchmarks.measures NAME ARGUMENTS ANSWER_FILE``.

A measure is a function of JSON arguments that returns numbers by name. Its process adds its peak of
resident memory. Seconds include only the work; :func:`idle` measures the imports of a process.
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
from unittest.mock import patch

from benchmarks import rows
from benchmarks.columns import columns
from harness.task import MemoryStateStore, RecordingTaskInstance

Sample = dict[str, float]
"""Numbers by name: ``events``, ``seconds`` (wall), ``cpu`` (seconds of this process), ``peak`` (bytes) and others."""

CHUNK: Final = 500
"""Rows that are passed at once, as by a database cursor."""

_SELDOM_TWICE: Final = ("em", "ph", "external_id")
"""Identifiers that are hashed for every row. The others repeat, and are cached."""


class Stopwatch:
    """Wall and processor seconds of a ``with`` block of :func:`timed`."""

    seconds = 0.0
    cpu = 0.0


@contextmanager
def timed() -> Iterator[Stopwatch]:
    """Measure a block. Earlier objects are excluded from garbage collection."""
    watch = Stopwatch()
    gc.collect()
    gc.freeze()
    seconds, cpu = time.perf_counter(), time.process_time()
    try:
        yield watch
    finally:
        watch.seconds, watch.cpu = time.perf_counter() - seconds, time.process_time() - cpu


def idle() -> Sample:
    """Import Airflow and the operator, and create an operator: the fixed cost of every task process."""
    with timed() as watch:
        from airflow_provider_pinterest.operators import task_runner
        from airflow_provider_pinterest.operators.send_conversions import SendConversionsOperator

        SendConversionsOperator(task_id="idle", events=[])
    del task_runner
    parameters = inspect.signature(SendConversionsOperator.__init__).parameters
    return {
        "seconds": watch.seconds,
        "cpu": watch.cpu,
        **{f"has_{name}": 1 for name in parameters},
    }


def start_up() -> Sample:
    """Import the parts of Airflow that a DAG file with the operator needs, then the operator."""
    with timed() as theirs:
        from airflow.providers.common.compat import sdk
        from airflow.providers.common.sql.hooks.sql import DbApiHook

        for name in ("AirflowFailException", "BaseHook", "BaseOperator", "Connection", "ObjectStoragePath", "XComArg"):
            getattr(sdk, name)
    before = set(sys.modules)
    with timed() as ours:
        from airflow_provider_pinterest.operators.send_conversions import SendConversionsOperator
    del DbApiHook
    del SendConversionsOperator
    heavy = ("pandas", "pyarrow", "polars", "redis", "numpy", "sqlalchemy", "phonenumbers", "aiohttp")
    return {
        "airflow": theirs.cpu,
        "operator": ours.cpu,
        **{f"imports_{name}": float(name in sys.modules and name not in before) for name in heavy},
    }


def transform(count: int) -> Sample:
    """Create JSON bodies from rows: parse, normalise, hash, validate, encode, drop duplicates, batch."""
    from airflow_provider_pinterest.conversions.batches import Batcher
    from airflow_provider_pinterest.conversions.outcomes import Event, RowBatch

    transform = _transform()
    batcher = Batcher()
    written = 0

    def make(some: Sequence[rows.Row]) -> None:
        nonlocal written
        for outcome in transform.events([RowBatch(rows.COLUMNS, some)]):
            assert type(outcome) is Event, outcome
            batch = batcher.add(outcome)
            if batch is not None:
                written += len(batch.body)

    sample = _laps(count, make)
    assert not transform.warnings, transform.warnings
    return sample | {"bytes": written}


def official_transform(count: int) -> Sample:
    """Create JSON bodies from rows with the official client's models, and hash by hand."""
    from benchmarks import by_hand

    client = by_hand.OfficialClient("http://127.0.0.1/v5", "1")
    return _laps(count, lambda some: by_hand.deliver(client, some, lambda batch: _used(client.body(batch))))


def _laps(count: int, make: Callable[[Sequence[rows.Row]], object]) -> Sample:
    """Pass new rows to a function in laps, as a database cursor does, and measure only the function."""
    laps = []
    begin, cpu = time.perf_counter(), 0.0
    gc.collect()
    gc.freeze()
    for lap in rows.laps(count, CHUNK, now=dt.datetime.now(dt.UTC)):
        started = time.process_time()
        make(lap)
        laps.append((time.process_time() - started) / len(lap))
        cpu += laps[-1] * len(lap)
    undisturbed = sorted(laps)[len(laps) // 10]
    return {"events": count, "seconds": time.perf_counter() - begin, "cpu": cpu, "undisturbed": undisturbed * count}


def stages(count: int) -> Sample:
    """Measure the parts of the transformation: each part is repeated alone."""
    from airflow_provider_pinterest.conversions import batch_transformer, column_parser, object_lists, text_parsers
    from airflow_provider_pinterest.conversions.batches import Batcher
    from airflow_provider_pinterest.conversions.column_batches import ColumnBatch, ParsedColumns
    from airflow_provider_pinterest.conversions.duplicates import SeenEvents, event_key
    from airflow_provider_pinterest.conversions.mapping import ColumnMapping
    from airflow_provider_pinterest.conversions.mapping_compiler import MappingCompiler
    from airflow_provider_pinterest.conversions.outcomes import Event, RowBatch

    transform, batcher, seen = _transform(), Batcher(), SeenEvents()
    compiler = MappingCompiler(ColumnMapping(defaults=rows.DEFAULTS))
    parts = {
        text_parsers.HashedParser: "hashed",
        object_lists.ObjectListParser: "items",
        text_parsers.TextParser: "texts",
        column_parser.ColumnParser: "others",
    }
    spent = dict.fromkeys(
        ("whole", "columns", "remembered", *parts.values(), "joined", "duplicates", "batches", "sha256"), 0.0
    )
    hashes = 0

    @contextmanager
    def lap(part: str) -> Iterator[None]:
        begin = time.process_time()
        yield
        spent[part] += time.process_time() - begin

    gc.collect()
    gc.freeze()
    for some in rows.laps(count, CHUNK, now=dt.datetime.now(dt.UTC)):
        with lap("whole"):
            events = [
                outcome for outcome in transform.events([RowBatch(rows.COLUMNS, some)]) if isinstance(outcome, Event)
            ]
        assert len(events) == len(some)

        with lap("columns"):
            column_batch = ColumnBatch.of(1, RowBatch(rows.COLUMNS, some))
        fields = ParsedColumns(compiler, column_batch)
        for position, path, parser in compiler.compiled(rows.COLUMNS).columns:
            cells = column_batch.columns[position]
            with lap(parts.get(type(parser), "remembered")):
                if path in fields.values or path in fields.shared:
                    parser.parse_and_encode(cells, _not_refused)
                elif parser.depends_on:
                    parser.encode_beside(cells, fields.shared[parser.depends_on], _not_refused)
                else:
                    parser.encode(cells, _not_refused)
        with lap("joined"):
            batch_transformer.bodies(fields)
        with lap("duplicates"):
            for event in events:
                seen.add(event_key(event.name, event.id))
        with lap("batches"):
            for event in events:
                batch = batcher.add(event)
                if batch is not None:
                    _used(batch.body)

        people = [json.loads(event.body)["user_data"] for event in events]
        texts = [value.encode() for person in people for name in _SELDOM_TWICE for value in person.get(name, ())]
        hashes += len(texts)
        with lap("sha256"):
            for text in texts:
                hashlib.sha256(text).hexdigest()
    spent["whole"] += spent["batches"]
    return {"events": count, "hashes": hashes / count, **spent}


def _not_refused(row: int, verdict: Exception) -> None:
    raise AssertionError(f"row {row}: {verdict!r}")


def ceiling(count: int, in_flight: int) -> Sample:
    """Send the same full batch repeatedly: the cost of sending without the cost of rows."""
    from airflow_provider_pinterest.conversions.batches import Batch, Batcher
    from airflow_provider_pinterest.conversions.outcomes import RowBatch
    from airflow_provider_pinterest.delivery.dispatcher import Dispatcher, InFlightBatch
    from airflow_provider_pinterest.delivery.pipeline import Mailbox
    from airflow_provider_pinterest.delivery.sections import SectionCutter
    from airflow_provider_pinterest.delivery.sender import Sender
    from airflow_provider_pinterest.hooks.pinterest import PinterestHook

    some = next(rows.laps(1_000, 1_000, now=dt.datetime.now(dt.UTC)))
    outcomes = _transform().events([RowBatch(rows.COLUMNS, some)])
    [section] = SectionCutter(Batcher()).sections(outcomes)
    mailbox = Mailbox()
    hook = PinterestHook()
    connection = hook.api_connection()
    sender = Sender(connection.events(connections=in_flight), connection.rate_limiter())
    dispatcher = Dispatcher(sender, in_flight, mailbox.wake)
    batch = Batch(section.events, hook.ad_account_id())
    under_way: list[InFlightBatch] = []
    sent = begun = 0
    with timed() as watch:
        while begun < count // 1_000 or under_way:
            while begun < count // 1_000 and len(under_way) < in_flight:
                begun += 1
                under_way.append(InFlightBatch(section, batch))
                dispatcher.dispatch(under_way[-1], len(under_way))
            mailbox.wait(1)
            for flight in [flight for flight in under_way if flight.done]:
                assert flight.error is None, flight.error
                assert flight.failure is None, flight.failure
                sent += flight.outcome.snapshot().delivered.processed
                under_way.remove(flight)
    dispatcher.close()
    return {"events": sent, "rows": count, "seconds": watch.seconds, "cpu": watch.cpu}


def pipeline(count: int, sql: str = "", options: dict[str, Any] | None = None, *, checkpoint: bool = False) -> Sample:
    """Run the operator's ``execute`` with the warehouse and the server of the Pinterest connection.

    :param checkpoint: whether there is a state store, as in Airflow 3.3, so that checkpoints are stored.
    :return: includes the cost of the transform pool; ``elsewhere`` is the sum of its peaks of memory.
    """
    from airflow_provider_pinterest.operators import task_runner
    from airflow_provider_pinterest.operators.send_conversions import SendConversionsOperator

    del task_runner  # loaded before the clock starts
    operator = SendConversionsOperator(
        task_id="send",
        sql=sql or rows.sql(),
        sql_conn_id="warehouse",
        parameters={"rows": count},
        defaults=rows.DEFAULTS,
        **(options or {}),
    )
    store = MemoryStateStore()
    context = {"ti": RecordingTaskInstance()} | ({"task_state_store": store} if checkpoint else {})
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    with timed() as watch, _memory_of_processes() as peaks:
        result = operator.execute(context)  # type: ignore[arg-type]
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert result["rows_read"] == count, result
    return {
        "events": result["events_processed"],
        "rows": count,
        "seconds": watch.seconds,
        "cpu": watch.cpu + ended.ru_utime + ended.ru_stime - children.ru_utime - children.ru_stime,
        "elsewhere": sum(peaks),
        "calls": result["calls"],
        "retries": result["retries"],
        "rejected": result["rows_rejected"],
        "duplicates": result["duplicates_dropped"],
        "checkpoints": store.writes,
    }


def official_pipeline(count: int, warehouse: str, host: str, ad_account_id: str) -> Sample:
    """Run a PythonOperator's ``execute`` that sends the warehouse's rows with the official client."""
    from airflow.providers.standard.operators.python import PythonOperator

    from benchmarks import by_hand

    client = by_hand.OfficialClient(host, ad_account_id)

    def loop() -> int:
        return by_hand.deliver(client, by_hand.warehouse(Path(warehouse), count), client.send)

    send = PythonOperator(task_id="send", python_callable=loop)
    with timed() as watch:
        sent = send.execute({"ti": RecordingTaskInstance(), "outlet_events": {}})
    return {"events": sent, "rows": count, "seconds": watch.seconds, "cpu": watch.cpu}


MEASURES: Final[dict[str, Callable[..., Sample]]] = {
    measure.__name__: measure
    for measure in (
        idle,
        start_up,
        transform,
        stages,
        columns,
        ceiling,
        pipeline,
        official_transform,
        official_pipeline,
    )
}


def _used(body: bytes) -> None:
    assert body


def _transform() -> Any:
    from airflow_provider_pinterest.conversions.mapping import ColumnMapping
    from airflow_provider_pinterest.conversions.transform import Transform

    return Transform(ColumnMapping(defaults=rows.DEFAULTS), now=time.time())


@contextmanager
def _memory_of_processes() -> Iterator[list[int]]:
    """Record the peak memory of each process of the transform pool when it is closed."""
    from airflow_provider_pinterest.conversions import transform_pool

    peaks: list[int] = []
    close = transform_pool.PoolWorker.close

    def noted(worker: transform_pool.PoolWorker) -> None:
        peaks.append(peak(worker.process.pid))
        close(worker)

    with patch.object(transform_pool.PoolWorker, "close", noted):
        yield peaks


def peak(process: int | str = "self") -> int:
    """Return the peak resident bytes of a process; 0 if the system reports them only for this process."""
    status = Path(f"/proc/{process}/status")
    if status.exists():  # Linux's `ru_maxrss` also counts the process that started this one
        found = re.search(r"VmHWM:\s*(\d+) kB", status.read_text(encoding="ascii", errors="replace"))
        if found:
            return int(found[1]) * 1024
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit if process == "self" else 0


def main(name: str, arguments: str, answer: str) -> None:
    """Take one measure and write it to a file."""
    sample = MEASURES[name](**json.loads(arguments))
    Path(answer).write_text(json.dumps(sample | {"peak": peak()}), encoding="ascii")


if __name__ == "__main__":
    main(*sys.argv[1:])
