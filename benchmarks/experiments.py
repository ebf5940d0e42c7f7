"""The experiments. An experiment takes measures on the stage and returns a section of the report.

To add one: write a function of (:class:`BenchmarkStage`, :class:`Effort`) that returns a
:class:`ReportSection`, or ``None`` where it cannot be done, and add it to :data:`EXPERIMENTS`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Final

from benchmarks import rows
from benchmarks.columns import TYPED
from benchmarks.measures import Sample
from benchmarks.stage import BenchmarkStage, MeasureCall
from harness import airflow
from harness.pinterest import running_pinterest
from harness.postgres import find_programs, running_postgres
from harness.processes import say

MB: Final = 1_000_000
SHORT: Final = 100_000
"""A measure with at most this many rows is short, and is taken more often."""

LONG: Final = 1_000_000
"""A measure with more rows is taken once."""

OURS: Final = "this operator"
THEIRS: Final = "official client in a loop"

LIMIT: Final = 5_000 * 1_000 / 60
"""Events per second at Pinterest's published limit: 5,000 calls per minute with 1,000 events each."""

LATENCIES_MS: Final = (0, 50, 150, 300)
IN_FLIGHT: Final = (1, 2, 4, 8, 16, 32)
SECONDS_EACH: Final = 3
FASTEST: Final = 50_000
"""Expected events per second without latency; determines the number of rows for :data:`SECONDS_EACH`."""


@dataclass(frozen=True, slots=True)
class Effort:
    """The number of rows and of repetitions.

    :param transform: rows transformed without sending.
    :param official: rows given to the official client, which is slow.
    :param pipeline: rows sent, in several sizes.
    :param often: repetitions of short measures.
    :param times: repetitions of long measures.
    """

    transform: int
    official: int
    pipeline: tuple[int, ...]
    often: int
    times: int

    @classmethod
    def full(cls, most: int, repeat: int | None) -> Effort:
        """Return the effort for published numbers, with at most ``most`` rows."""
        sizes = sorted({min(size, most) for size in (10_000, 100_000, 1_000_000, most)})
        return cls(min(most, 100_000), min(most, 20_000), tuple(sizes), repeat or 5, repeat or 3)

    @classmethod
    def quick(cls, most: int, repeat: int | None) -> Effort:
        """Return the effort for a check that takes less than a minute."""
        return cls(min(most, 20_000), min(most, 2_000), (min(most, 20_000),), repeat or 3, repeat or 2)

    def repeat(self, count: int) -> int:
        """Return the number of repetitions with ``count`` rows."""
        if count > LONG:
            return 1
        return self.often if count <= SHORT else self.times


@dataclass(frozen=True, slots=True)
class ReportSection:
    """A table of the report, and the samples behind it.

    :param ratios: ours / theirs in processor seconds, to compare with :data:`LEAST_RATIO`.
    """

    title: str
    note: str
    header: tuple[str, ...]
    lines: Sequence[tuple[str, ...]]
    samples: Mapping[str, Sequence[Sample]]
    ratios: Mapping[str, float] = field(default_factory=dict)


Experiment = Callable[[BenchmarkStage, Effort], ReportSection | None]

LEAST_RATIO: Final = 5.0
"""Below this ratio, the difference to the official client may be noise of a busy machine."""


def side_by_side(stage: BenchmarkStage, effort: Effort) -> ReportSection:
    """Compare with a PythonOperator that loops over the same rows with the official client."""
    size = min(SHORT, effort.pipeline[-1])
    stage.stock(size)
    making = stage.alternate(
        {OURS: MeasureCall("transform", {"count": effort.transform}),
         THEIRS: MeasureCall("official_transform", {"count": effort.official})},
        effort.often,
    )  # fmt: skip
    sending = stage.alternate(
        {
            OURS: MeasureCall("pipeline", {"count": size}),
            THEIRS: MeasureCall("official_pipeline", {"count": effort.official}),
        },
        effort.times,
    )
    speeds = {
        "rows to JSON, events per CPU second": {who: per_second(taken, "cpu") for who, taken in making.items()},
        "the same, undisturbed": {who: per_second(taken, "undisturbed") for who, taken in making.items()},
        "SQLite to HTTP, events per CPU second": {who: per_second(taken, "cpu") for who, taken in sending.items()},
        "SQLite to HTTP, events per second": {who: per_second(taken, "seconds") for who, taken in sending.items()},
    }
    ratios = {what: median(found[OURS]) / median(found[THEIRS]) for what, found in speeds.items()}
    lines = [
        (what, spread(found[OURS]), spread(found[THEIRS]), f"{ratios[what]:.1f}") for what, found in speeds.items()
    ]
    memory = {who: [sample["peak"] / MB for sample in taken] for who, taken in sending.items()}
    lines.append(("peak memory of the process, MB", spread(memory[OURS]), spread(memory[THEIRS]), ""))
    return ReportSection(
        "Beside the official client",
        f"The same rows, the same server, in turn. The operator transforms {effort.transform:,} of them and sends "
        f"{size:,}; the official client, one call at a time, does either with the first {effort.official:,}. "
        "Undisturbed is the speed that one in ten batches of 500 rows exceeds: on a shared machine, it "
        "is closest to what the code needs.",
        ("", OURS, THEIRS, "ratio"),
        lines,
        {
            **{f"transform, {who}": taken for who, taken in making.items()},
            **{f"pipeline, {who}": taken for who, taken in sending.items()},
        },
        {what: ratio for what, ratio in ratios.items() if "CPU" in what},
    )


def stages(stage: BenchmarkStage, effort: Effort) -> ReportSection:
    """Measure the parts of the transformation."""
    taken = stage.alternate({"stages": MeasureCall("stages", {"count": effort.transform})}, effort.often)["stages"]

    def micros(part: str) -> list[float]:
        return [sample[part] / sample["events"] * 1e6 for sample in taken]

    whole = micros("whole")
    parts = {
        "turning rows into columns": micros("columns"),
        "identifiers hashed for every row": micros("hashed"),
        "what repeats, and is looked up": micros("remembered"),
        "two items": micros("items"),
        "texts": micros("texts"),
        "time, amount, address": micros("others"),
        "joining to JSON": micros("joined"),
        "finding duplicates": micros("duplicates"),
        "batches and bodies": micros("batches"),
    }
    rest = [total - sum(found) for total, *found in zip(whole, *parts.values(), strict=True)]
    hashes = median(sample["hashes"] for sample in taken)
    parts |= {
        "checks, coverage, events: the rest": rest,
        "together": whole,
        f"of that, SHA-256 of {hashes:.1f} identifiers": micros("sha256"),
    }
    return ReportSection(
        "Where the transformation's time goes",
        f"{effort.transform:,} rows on one core. Each part is done once more, alone.",
        ("step", "µs an event", "share"),
        [(what, spread(found, 2), f"{median(found) / median(whole):.0%}") for what, found in parts.items()],
        {"stages": taken},
    )


def columns(stage: BenchmarkStage, effort: Effort) -> ReportSection:
    """Measure each column alone, as text and as the types that drivers return."""
    taken = stage.alternate({"columns": MeasureCall("columns", {"count": effort.transform})}, effort.often)["columns"]

    def cost(kind: str, name: str) -> list[float]:
        return [sample[f"{kind}:{name}"] for sample in taken]

    lines = []
    for name in sorted(rows.COLUMNS, key=lambda name: -median(cost("text", name))):
        text = cost("text", name)
        line = (name, spread(text, 2), "", "", "")
        if name in TYPED:
            typed = cost("typed", name)
            line = (*line[:2], TYPED[name][0], spread(typed, 2), f"{median(typed) / median(text):.2f}")
        lines.append(line)
    return ReportSection(
        "Each column by itself",
        f"{effort.transform:,} rows on one core: parsing the cells of one column and writing their JSON, hashed where "
        "the field is. Columns for which drivers return other types are measured with both, in turn.",
        ("column", "as text, µs a cell", "typed as", "typed, µs a cell", "typed / text"),
        lines,
        {"columns": taken},
    )


def pipeline(stage: BenchmarkStage, effort: Effort) -> ReportSection:
    """Run the operator from the warehouse to the server, with more and more rows."""
    stage.stock(effort.pipeline[-1])
    idle = stage.idle()
    calls = {f"{size:,}": MeasureCall("pipeline", {"count": size, "checkpoint": True}) for size in effort.pipeline}
    most = effort.pipeline[-1]
    together = MeasureCall("pipeline", {"count": most, "checkpoint": True, "options": {"processes": 2}})
    calls[f"{most:,}, `processes=2`"] = together
    samples = {
        what: stage.alternate({what: call}, effort.repeat(call.arguments["count"]))[what]
        for what, call in calls.items()
    }
    return ReportSection(
        "From the warehouse to the server",
        "SQLite cursor → operator → HTTP on the loopback interface, duplicates found and a checkpoint kept. Memory "
        f"above idle is what remains of the peak without the {idle['peak'] / MB:.0f} MB of a process that has imported "
        "Airflow and the operator; the processes that make events are counted.",
        ("rows", "events/s", "CPU µs an event", "peak MB", "above idle, MB"),
        [_whole_way(what, taken, idle) for what, taken in samples.items()],
        {**samples, "idle": [without_parameters(idle)]},
    )


def processes(stage: BenchmarkStage, effort: Effort) -> ReportSection:
    """Transform rows in other processes, and compare with a sender whose rows cost nothing."""
    size = min(2 * SHORT, effort.pipeline[-1])
    stage.stock(size)
    calls = {
        "rows cost nothing": MeasureCall("ceiling", {"count": size, "in_flight": 16}, latency_ms=150),
        **{
            f"`processes={count}`": MeasureCall(
                "pipeline", {"count": size, "options": {"processes": count, "max_in_flight": 16}}, latency_ms=150
            )
            for count in (0, 1, 2)
        },
    }
    samples = stage.alternate(calls, effort.often)
    lines = []
    for what, taken in samples.items():
        speeds = per_second(taken, "seconds")
        memory = median(sample["peak"] + sample.get("elsewhere", 0) for sample in taken) - stage.idle()["peak"]
        lines.append(
            (
                what,
                spread(speeds),
                f"{median(speeds) / LIMIT:.2f}",
                spread([sample["cpu"] / sample["events"] * 1e6 for sample in taken]),
                f"{memory / MB:.0f}",
            )
        )
    return ReportSection(
        "More processes",
        f"{size:,} rows from SQLite, 150 ms latency, 16 in flight. CPU and memory are those of all processes of the "
        "task; the server takes its share of the same cores. The first line sends one finished batch again and "
        "again: the ceiling of the sender alone.",
        ("", "events/s", "of the limit", "CPU µs an event", "above idle, MB"),
        lines,
        samples,
    )


def start_up(stage: BenchmarkStage, effort: Effort) -> ReportSection:
    """Measure the import time of the operator in a DAG file, next to that of Airflow."""
    taken = stage.alternate({"imports": MeasureCall("start_up", {})}, effort.often)["imports"]
    heavy = [name.removeprefix("imports_") for name, found in taken[0].items() if name.startswith("imports_") and found]
    lines = [
        (what, spread([sample[part] * 1e3 for sample in taken], 0))
        for what, part in (
            ("Airflow's operator, hook and SQL hook", "airflow"),
            ("the operator, when those are loaded", "operator"),
        )
    ]
    return ReportSection(
        "Imports",
        "CPU milliseconds, in a new process. Of pandas, pyarrow, polars, numpy, redis, sqlalchemy, phonenumbers and "
        f"aiohttp the operator loads {', '.join(heavy) or 'none'}.",
        ("import of", "ms"),
        lines,
        {"imports": taken},
    )


def postgres(stage: BenchmarkStage, effort: Effort) -> ReportSection | None:
    """Run the operator on a PostgreSQL server, whose named cursor leaves the rows there."""
    if find_programs() is None:
        say("PostgreSQL is not installed: left out")
        return None
    size = min(SHORT, effort.pipeline[-1])
    with running_postgres() as server:
        rows.write_postgres(server.dsn, size, now=stage.now)
        call = MeasureCall(
            "pipeline",
            {"count": size, "sql": rows.sql(limit="%(rows)s")},
            environment={"AIRFLOW_CONN_WAREHOUSE": server.connection_json},
        )
        taken = stage.alternate({"PostgreSQL": call}, effort.repeat(size))["PostgreSQL"]
    return ReportSection(
        "From PostgreSQL",
        "A named cursor; times and amounts arrive as `datetime` and `Decimal`. The server shares the processor cores.",
        ("rows", "events/s", "CPU µs an event", "peak MB", "above idle, MB"),
        [_whole_way(f"{size:,}", taken, stage.idle())],
        {"PostgreSQL": taken},
    )


def in_flight(stage: BenchmarkStage, effort: Effort) -> ReportSection | None:
    """Vary the server's latency and the requests in flight."""
    if not stage.operator_has("max_in_flight"):
        say("the operator has no max_in_flight: left out")
        return None
    most = effort.pipeline[-1]
    samples: dict[str, Sequence[Sample]] = {}
    lines = []
    for latency in LATENCIES_MS:
        cells = [f"{latency} ms"]
        for requests in IN_FLIGHT:
            expected = min(FASTEST, requests * 1_000_000 / latency if latency else FASTEST)
            count = min(most, max(4_000, int(expected * SECONDS_EACH) // 1_000 * 1_000))
            stage.stock(count)
            call = MeasureCall(
                "pipeline", {"count": count, "options": {"max_in_flight": requests, "processes": 2}}, latency
            )
            label = f"{latency} ms, {requests} in flight"
            taken = samples[label] = stage.alternate({label: call}, effort.times)[label]
            cells.append(f"{rounded(median(per_second(taken, 'seconds'))):,}")
        lines.append(tuple(cells))
    return ReportSection(
        "Requests in flight",
        "Events a second, from SQLite with `processes=2`, by the server's latency and `max_in_flight`; medians. Of the "
        "first second or so goes to starting the processes.",
        ("latency", *(str(requests) for requests in IN_FLIGHT)),
        lines,
        samples,
    )


def safeties(stage: BenchmarkStage, effort: Effort) -> ReportSection:
    """Measure the cost of each safety: the same rows with and without it."""
    size = min(SHORT, effort.pipeline[-1])
    stage.stock(size)
    rejected = rows.sql(event_id="CASE WHEN row % 100 = 0 THEN NULL ELSE event_id END")
    doubled = rows.sql(event_id="CASE WHEN row % 100 = 0 THEN 'again' ELSE event_id END")
    folder = {"rejects_path": f"file://{stage.folder}/rejects"}
    tolerant = {"max_rejected": 1.0}
    calls = {
        "as it is": MeasureCall("pipeline", {"count": size}),
        "1 % of the rows are duplicates": MeasureCall("pipeline", {"count": size, "sql": doubled}),
        "1 % are rejected": MeasureCall("pipeline", {"count": size, "sql": rejected, "options": tolerant}),
        "1 % are rejected and written to a file": MeasureCall(
            "pipeline", {"count": size, "sql": rejected, "options": tolerant | folder}
        ),
    }
    if stage.operator_has("resume"):
        calls["a checkpoint is kept"] = MeasureCall("pipeline", {"count": size, "checkpoint": True})
    samples = stage.alternate(calls, effort.times)
    micros = {what: [sample["cpu"] / sample["rows"] * 1e6 for sample in taken] for what, taken in samples.items()}
    base = median(micros["as it is"])
    return ReportSection(
        "What the safeties cost",
        f"{size:,} rows from SQLite. The checkpoint's way to Airflow's API server is not part of it. "
        "Differences smaller than the spread mean nothing.",
        ("", "CPU µs a row", "difference"),
        [(what, spread(found), f"{median(found) - base:+.1f}") for what, found in micros.items()],
        samples,
    )


def outcome_table(stage: BenchmarkStage, effort: Effort) -> ReportSection:
    """Measure the cost of the outcome table and of the ledger: the same rows without, with, and with both."""
    size = min(SHORT, effort.pipeline[-1])
    stage.stock(size)
    with contextlib.ExitStack() as stack:
        databases = {"SQLite": airflow.sqlite_connection(stage.folder / "outcomes.db")}
        if find_programs() is None:
            say("PostgreSQL is not installed: left out")
        else:
            databases["PostgreSQL"] = stack.enter_context(running_postgres()).connection_json
        calls = {"without": MeasureCall("pipeline", {"count": size})}
        for name, connection in databases.items():
            for what, options in (("table", {}), ("table and ledger", {"skip_already_sent": True})):
                calls[f"{name}: {what}"] = MeasureCall(
                    "pipeline",
                    {"count": size, "options": {"outcomes_conn_id": "outcomes", **options}},
                    environment={"AIRFLOW_CONN_OUTCOMES": connection},
                )
        samples = stage.alternate(calls, effort.times)
    base = median(sample["seconds"] / sample["rows"] for sample in samples["without"])
    lines = []
    for what, taken in samples.items():
        cpu = [sample["cpu"] / sample["rows"] * 1e6 for sample in taken]
        seconds = [sample["seconds"] / sample["rows"] for sample in taken]
        more = (median(seconds) - base) * 1e6
        lines.append((what, spread(cpu), f"{more:+.0f}", f"{median(seconds) / base:.2f}"))
    return ReportSection(
        "What the outcome table costs",
        f"{size:,} rows from SQLite, answers without delay. CPU is that of the task; the database takes its share of "
        "the same cores, which the seconds include.",
        ("", "CPU µs a row", "seconds per million rows", "times the seconds without"),
        lines,
        samples,
    )


def judged(stage: BenchmarkStage, effort: Effort) -> ReportSection | None:
    """Run once against the package's local Pinterest, which validates and stores every event."""
    size = min(20_000, effort.pipeline[-1])
    stage.stock(size)
    with running_pinterest(stage.folder, stage.environment) as local:
        taken = [stage.take_from(MeasureCall("pipeline", {"count": size}), local.url)]
    return ReportSection(
        "Against the sandbox",
        "Once, for reference: the package's local Pinterest validates and stores every event, and sets the pace.",
        ("rows", "events/s", "CPU µs an event", "peak MB", "above idle, MB"),
        [_whole_way(f"{size:,}", taken, stage.idle())],
        {"sandbox": taken},
    )


EXPERIMENTS: Final[dict[str, Experiment]] = {
    experiment.__name__: experiment
    for experiment in (
        side_by_side,
        stages,
        columns,
        pipeline,
        processes,
        postgres,
        in_flight,
        safeties,
        outcome_table,
        judged,
        start_up,
    )
}
QUICK: Final = ("side_by_side",)
"""The experiments of the short check."""


def _whole_way(size: str, taken: Sequence[Sample], idle: Sample) -> tuple[str, ...]:
    return (
        size,
        spread(per_second(taken, "seconds")),
        spread([sample["cpu"] / sample["events"] * 1e6 for sample in taken]),
        spread([(sample["peak"] + sample["elsewhere"]) / MB for sample in taken]),
        f"{(median(sample['peak'] + sample['elsewhere'] for sample in taken) - idle['peak']) / MB:.0f}",
    )


def per_second(taken: Sequence[Sample], seconds: str) -> list[float]:
    """Return events by wall seconds (``seconds``) or processor seconds (``cpu``)."""
    return [sample["events"] / sample[seconds] for sample in taken]


def rounded(number: float) -> int:
    """Round to three significant digits."""
    return int(float(f"{number:.3g}"))


def spread(numbers: Sequence[float], digits: int | None = None) -> str:
    """Return the median, followed by the minimum and the maximum."""

    def write(number: float) -> str:
        if digits is not None:
            return f"{number:.{digits}f}"
        return f"{number:.1f}" if number < 100 else f"{rounded(number):,}"

    middle = write(median(numbers))
    return middle if len(numbers) == 1 else f"{middle} ({write(min(numbers))} to {write(max(numbers))})"


def without_parameters(idle: Sample) -> Sample:
    """Return only the numbers of :func:`measures.idle`."""
    return {name: value for name, value in idle.items() if not name.startswith("has_")}
