"""A model of what outlives a worker (Pinterest, the state store, the rejects folder) and of a fault that ends it.

Everything is seeded and nothing waits: the clock moves only when somebody sleeps.
"""

from __future__ import annotations

import io
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import orjson

from airflow_provider_pinterest.api.events_endpoint import Answer, PerEventResults, Refused
from airflow_provider_pinterest.api.rate_limit import Stopped
from airflow_provider_pinterest.api.responses import AccessDenied, OutcomeUnknown, TooLarge, Trace, Unavailable
from airflow_provider_pinterest.conversions.batches import Batch, Batcher
from airflow_provider_pinterest.conversions.mapping import ColumnMapping
from airflow_provider_pinterest.conversions.outcomes import Event, RowBatch
from airflow_provider_pinterest.conversions.transform import Transform
from airflow_provider_pinterest.delivery.batch_outcome import BatchOutcome
from airflow_provider_pinterest.delivery.checkpoint import KEY, Checkpoint
from airflow_provider_pinterest.delivery.dispatcher import Dispatcher, InFlightBatch
from airflow_provider_pinterest.delivery.pipeline import Mailbox, PipelineObserver, PipelineRun
from airflow_provider_pinterest.delivery.progress import Progress
from airflow_provider_pinterest.delivery.reader import ReadAhead, Reading
from airflow_provider_pinterest.delivery.rejects import Rejects
from airflow_provider_pinterest.delivery.resuming import Start
from airflow_provider_pinterest.delivery.sections import Section, SectionCutter
from airflow_provider_pinterest.delivery.sender import OnUnknownOutcome, Sender
from airflow_provider_pinterest.delivery.stop import StopSignal
from airflow_provider_pinterest.delivery.stored_state import read_state
from harness.task import MemoryStateStore

NOW = 1_790_000_000.0
DAY = 86_400.0
COLUMNS = ("event_id", "event_name", "action_source", "event_time", "email", "order")
PROCESSED = {"status": "processed", "error_message": "", "warning_message": ""}


class KilledError(BaseException):
    """The worker is dead: whatever it tries after this fails too."""


class InterruptedTask(BaseException):
    """Airflow's time-out, or a Ctrl+C: raised once, and the worker may still tidy up."""


def event(row: int, *, offline: bool = False, age: int = 60, size: int = 0, **changes: Any) -> Event:
    """Return a valid event; ``size`` makes its body longer."""
    body = {"event_id": f"e-{row}", "action_source": "offline" if offline else "web", "pad": "x" * size}
    good = Event(row, "checkout", f"e-{row}", int(NOW) - age, offline, orjson.dumps(body), {"order": row})
    return good._replace(**changes)


def batch(count: int, first: int = 1, **changes: Any) -> Batch:
    return Batch([event(row, **changes) for row in range(first, first + count)])


def once(count: int) -> dict[str, int]:
    """Return what ``Sandbox.copies`` answers when so many events of :func:`row_batches` arrived once each."""
    return {f"e-{row}": 1 for row in range(1, count + 1)}


def ids_of(body: bytes) -> list[str]:
    return [one["event_id"] for one in orjson.loads(body)["data"]]


def listed(count: int, failed: Sequence[int] = (), unknown: Sequence[int] = ()) -> PerEventResults:
    return PerEventResults(Trace(200), dict.fromkeys(failed, "not today"), frozenset(unknown), 0)


def row(kind: str, number: int) -> tuple[Any, ...]:
    """Return a source's row that becomes what its kind says."""
    source = "offline" if kind == "offline" else "web"
    email = "no address" if kind == "invalid" else f"p{number}@example.com"
    return (f"e-{number}", "checkout", source, int(NOW) - 60, email, number)


def row_batches(kinds: Sequence[str], size: int = 7, fault_point: FaultPoint | None = None) -> Iterator[RowBatch]:
    """Yield rows numbered from 1; a ``duplicate`` is the last valid row before it once more."""
    rows: list[tuple[Any, ...]] = []
    last = row("web", 1)
    for number, kind in enumerate(kinds, 1):
        if fault_point is not None:
            fault_point.step(main=True)
        found = last if kind == "duplicate" else row(kind, number)
        if kind in ("web", "offline"):
            last = found
        rows.append(found)
        if len(rows) == size:
            yield RowBatch(COLUMNS, rows)
            rows = []
    if rows:
        yield RowBatch(COLUMNS, rows)


class FaultPoint:
    """Ends the worker at one of its steps.

    :param kill: steps until it is killed; ``None``: it is not.
    :param interrupt: steps of the main thread until it is interrupted.
    :param raises: what an interruption is.
    """

    def __init__(
        self, kill: int | None = None, interrupt: int | None = None, raises: type[BaseException] = InterruptedTask
    ) -> None:
        self.kill = kill
        self.interrupt = interrupt
        self.raises = raises
        self.dead = False
        self.interrupted = False
        self.steps = 0
        self._lock = threading.Lock()

    def step(self, *, main: bool = False) -> None:
        with self._lock:
            if self.dead:
                raise KilledError
            self.steps += 1
            if self.kill is not None and self.steps > self.kill:
                self.dead = True
                raise KilledError
            if main and self.interrupt is not None and self.steps > self.interrupt and not self.interrupted:
                self.interrupted = True
                raise self.raises


class FailingStateStore(MemoryStateStore):
    """Airflow's task state store, where every write is a step of the worker."""

    def __init__(self) -> None:
        super().__init__()
        self.fault_point = FaultPoint()

    def set(self, key: str, value: Any, **_: Any) -> None:
        self.fault_point.step(main=True)
        super().set(key, value)
        self.fault_point.step(main=True)

    def delete(self, key: str) -> None:
        self.fault_point.step(main=True)
        super().delete(key)


class MemoryFolder:
    """An object store: a file is there when it is closed, and not before."""

    protocol = "memory"

    def __init__(self, name: str = "run", files: dict[str, bytes] | None = None) -> None:
        self.name = name
        self.files: dict[str, bytes] = {} if files is None else files
        self.fault_point = FaultPoint()

    def __truediv__(self, name: str) -> MemoryFolder:
        found = MemoryFolder(name, self.files)
        found.fault_point = self.fault_point
        return found

    def open(self, mode: str) -> Any:
        return io.BytesIO(self.files[self.name]) if mode == "rb" else self._writing()

    @contextmanager
    def _writing(self) -> Iterator[io.BytesIO]:
        self.fault_point.step(main=True)
        content = io.BytesIO()
        yield content
        self.files[self.name] = content.getvalue()
        self.fault_point.step(main=True)

    def mkdir(self, *, parents: bool, exist_ok: bool) -> None: ...

    def iterdir(self) -> list[MemoryFolder]:
        return [self / name for name in self.files]

    def unlink(self) -> None:
        self.fault_point.step(main=True)
        del self.files[self.name]

    def lines(self) -> list[dict[str, Any]]:
        return [orjson.loads(line) for name in sorted(self.files) for line in self.files[name].splitlines()]


class ModelPinterest:
    """Accepts events and counts their copies; which condition a call meets is up to the chances.

    :param chances: word → probability of it for a call.
    """

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.copies: Counter[str] = Counter()
        self.now = NOW
        self.posted: set[str] = set()
        """Ids that stood in a request, whatever became of it."""
        self.received: dict[str, float] = {}
        """Id → when its first copy came."""
        self.not_deduplicable_count: Counter[str] = Counter()
        """Second copies that came when the first was forgotten."""
        self.unknown: Counter[str] = Counter()
        """Copies whose acceptance the answer did not tell."""
        self.poison: set[str] = set()
        self.failing: set[str] = set()
        self.largest = 10**9
        self.chances: dict[str, float] = {}
        self.calls = 0
        self._lock = threading.Lock()

    def answer(self, body: bytes) -> Answer:
        with self._lock:
            self.calls += 1
            self.posted.update(ids_of(body))
            drawn = self.chance.random()
            for word, probability in self.chances.items():
                drawn -= probability
                if drawn < 0:
                    return self._respond_in(word, body)
            return self._judge(body)

    def _judge(self, body: bytes) -> Answer:
        ids = ids_of(body)
        if len(ids) > self.largest:
            return TooLarge(Trace(413))
        if self.poison.intersection(ids):
            return Refused(Trace(400, message="'x' was unexpected"), partly=False)
        self._accept(ids)
        return listed(len(ids), [position for position, one in enumerate(ids) if one in self.failing])

    def _accept(self, ids: Sequence[str]) -> None:
        for one in ids:
            if one not in self.failing:
                self.copies[one] += 1
                self.not_deduplicable_count[one] += self.now - self.received.setdefault(one, self.now) > DAY

    def _respond_in(self, word: str, body: bytes) -> Answer:
        ids = ids_of(body)
        accepted = not self.poison.intersection(ids) and len(ids) <= self.largest
        match word:
            case "busy":
                return Unavailable(Trace(503))
            case "limited":
                return Unavailable(Trace(429), retry_after=2.0, for_all=True)
            case "away":
                return Unavailable(Trace(429), retry_after=86_400.0, for_all=True)
            case "denied":
                return AccessDenied(Trace(403))
            case "lost":
                return OutcomeUnknown(Trace(504))
            case "unknown" if accepted:
                self._accept(ids)
                self.unknown.update(ids)
                return OutcomeUnknown(Trace(500))
            case "partly" if accepted and len(ids) > 1:
                self._accept(ids[::2])
                self.unknown.update(ids[::2])
                return Refused(Trace(422, message="Not all events were successfully processed."), partly=True)
            case _:
                return self._judge(body)


class FakeClient:
    """Calls a :class:`ModelPinterest` without a wire."""

    test = False

    def __init__(self, pinterest: ModelPinterest, fault_point: FaultPoint | None = None) -> None:
        self.pinterest = pinterest
        self.fault_point = fault_point or FaultPoint()
        self.credential = SimpleNamespace(expired=False, renewable=False, token="t")
        self.aborted = False

    @property
    def client(self) -> FakeClient:
        return self

    def send(self, _: str, body: bytes, events: int, *, begin: Callable[[], None], **options: Any) -> Answer:
        assert events == len(ids_of(body))
        self.fault_point.step()
        begin()
        answer = self.pinterest.answer(body)
        self.fault_point.step()
        return answer

    def renew(self, used: Any, refused: AccessDenied | None = None) -> None: ...

    def abort(self) -> None:
        self.aborted = True


class FakePace:
    """A rate limit that never limits, on a clock that moves when somebody sleeps."""

    def __init__(self) -> None:
        self.stop = threading.Event()
        self.now = 1_000.0
        self.waited: list[float] = []
        self.paused: list[float] = []

    def clock(self) -> float:
        return self.now

    def wait(self, ad_account_id: str = "") -> None:
        self.sleep(0.0)

    def pause(self, seconds: float, ad_account_id: str = "") -> None:
        self.paused.append(seconds)

    def sleep(self, seconds: float) -> None:
        if self.stop.is_set():
            raise Stopped
        if seconds:
            self.waited.append(seconds)
            self.now += seconds


def sender(client: Any, pace: Any = None, **options: Any) -> Sender:
    """Return a sender on a virtual clock."""
    pace = pace or FakePace()
    return Sender(client, pace, clock=pace.clock, jitter=lambda: 0.5, **{"wall": lambda: NOW, **options})


class BatchDelivery:
    """What became of one batch, sent by itself.

    :param unsent: events that are open.
    :param unknown: rows of those that may have arrived.
    """

    def __init__(self, sender: Sender, batch: Batch) -> None:
        outcome = BatchOutcome(batch.events)
        self.announced: list[list[int]] = []
        self.error = sender.deliver(batch, outcome, self._announce)
        found = outcome.snapshot()
        self.delivered = found.delivered
        self.rejections = list(found.rejections)
        self.unsent = [event for event in batch.events if event.row in found.unsettled]
        self.unknown = set(found.outcome_unknown)

    def _announce(self, events: Sequence[Event]) -> None:
        self.announced.append([event.row for event in events])


class InlineSections:
    """Reads a source when the run asks for a section, in the run's own thread."""

    def __init__(self, sections: Iterator[Section], rest: Callable[[], Section | None] = lambda: None) -> None:
        self._sections = sections
        self._rest = rest
        self.ended = False
        self.error: BaseException | None = None

    def start(self) -> None: ...

    def take(self) -> Section | None:
        if self.ended:
            return None
        try:
            return next(self._sections)
        except StopIteration:
            self.ended = True
        except Exception as error:  # noqa: BLE001 - raised again by the run
            self.ended, self.error = True, error
        return None

    def stop(self) -> Sequence[Section]:
        if self.ended and self.error is None:
            return []
        return [section for section in [self._rest()] if section is not None]


def transform() -> Transform:
    """Return what makes events of the rows of :func:`row_batches`."""
    return Transform(ColumnMapping(key_columns=("order",)), now=NOW)


def read_ahead(cutter: SectionCutter, source: Iterator[RowBatch], mailbox: Mailbox) -> ReadAhead:
    """Read a source in a thread."""
    reading, made = Reading(), transform()
    return ReadAhead(
        lambda: cutter.sections(made.events(reading.unlocked(source))), reading, rest=cutter.rest, wake=mailbox.wake
    )


class ScriptedDispatcher(Dispatcher):
    """Sends without threads: each batch when it is dispatched, or as late as it can be.

    :param chance: decides which.
    """

    def __init__(self, sender: Sender, size: int, chance: random.Random) -> None:
        super().__init__(sender, size)
        self._chance = chance
        self._late: list[InFlightBatch] = []
        self.run: PipelineRun | None = None

    def dispatch(self, flight: InFlightBatch, under_way: int) -> None:
        if not flight.batch.events:
            flight.done = True
            return
        flight.dispatched = True
        if self._chance.random() < 0.5:
            self.deliver(flight)
        else:
            self._late.append(flight)

    def deliver(self, flight: InFlightBatch) -> None:
        try:
            flight.error = self.sender.deliver(
                flight.batch, flight.outcome, lambda events: self._announce(flight, events)
            )
        except BaseException as failure:
            flight.failure = failure
            raise
        finally:
            flight.done = True

    def deliver_one(self) -> None:
        """Send a batch that waits."""
        if self._late:
            self.deliver(self._late.pop(self._chance.randrange(len(self._late))))

    def _announce(self, flight: InFlightBatch, events: Sequence[Event]) -> None:
        flight.outcome.announce(events)
        flight.wants_to_send = threading.Event()
        assert self.run is not None
        if self.sender.stopped:
            raise Stopped
        self.run._let_send()


class ScriptedMailbox(Mailbox):
    """Lets a batch be sent when the run waits."""

    def __init__(self, dispatcher: ScriptedDispatcher, fault_point: FaultPoint) -> None:
        super().__init__()
        self._dispatcher = dispatcher
        self._fault_point = fault_point

    def wait(self, seconds: float) -> None:
        self._fault_point.step(main=True)
        self._dispatcher.deliver_one()


class Scenario:
    """One run over several tries, each in a worker of its own.

    :param kinds: what the source's rows become, in order.
    """

    def __init__(self, kinds: Sequence[str], chance: random.Random, **options: Any) -> None:
        self.kinds = kinds
        self.chance = chance
        self.store = FailingStateStore() if options.get("remembers", True) else None
        self.folder = MemoryFolder()
        self.pinterest = ModelPinterest(chance)
        self.on_unknown_outcome: OnUnknownOutcome | None = options.get("on_unknown_outcome")
        self.batch_size: int = options.get("batch_size", 3)
        self.in_flight: int = options.get("in_flight", 3)
        self.threads: bool = options.get("threads", False)
        self.unknown: set[str] = set()
        """Ids that a try has written down before it sent them."""
        self.stop = StopSignal()
        self.attempts = 1
        self.broken = 0
        """Tries that were killed or interrupted."""

    @property
    def events(self) -> dict[str, str]:
        """Id → kind of the valid events."""
        return {f"e-{n}": kind for n, kind in enumerate(self.kinds, 1) if kind in ("web", "offline")}

    @property
    def rows(self) -> range:
        """Numbers of the rows."""
        return range(1, len(self.kinds) + 1)

    def begin(self) -> Start:
        """Return how an attempt begins."""
        written = self.store.get(KEY) if self.store else None
        if not written:
            return Start(Checkpoint({"f": "1"}, self.pinterest.now))
        state = read_state(written)
        assert isinstance(state, Checkpoint)
        return Start(state, resume=True)

    def read(self, fault_point: FaultPoint | None = None) -> Iterator[RowBatch]:
        """Yield the source's rows."""
        return row_batches(self.kinds, self.chance.randint(1, 9), fault_point)

    def verify(self, cutter: SectionCutter, resume: Checkpoint | None, fault_point: FaultPoint) -> None:
        """Read the source before anything is sent, if that is needed."""

    def about_to_send(self, checkpoint: Checkpoint) -> None:
        """Refuse to send what cannot be deduplicated, if it must be refused."""

    def end(self, run: PipelineRun) -> None:
        """Leave what a run leaves that has come to its end."""
        if self.store is not None:
            self.store.delete(KEY)

    @contextmanager
    def sending(self, fault_point: FaultPoint) -> Iterator[Sender]:
        """Make the sender of an attempt."""
        yield sender(
            FakeClient(self.pinterest, fault_point),
            on_unknown_outcome=self.on_unknown_outcome,
            wall=lambda: self.pinterest.now,
        )

    def every_answers(self) -> int:
        """Return how many answers come between two checkpoints."""
        return self.chance.randint(1, 3)

    def run_attempt(
        self, fault_point: FaultPoint | None = None, source: Iterator[RowBatch] | None = None
    ) -> PipelineRun:
        """Make one try; raises what ended it, with its run as ``ended``."""
        fault_point = fault_point or FaultPoint()
        self.folder.fault_point = fault_point
        if self.store is not None:
            self.store.fault_point = fault_point
        with self.sending(fault_point) as made:
            try:
                self._deliver(made, self.begin(), fault_point, source)
                self.end(self.run)
            except (KilledError, InterruptedTask, OSError):
                self.broken += 1
                raise
        return self.run

    def _deliver(self, made: Sender, start: Start, fault_point: FaultPoint, source: Iterator[RowBatch] | None) -> None:
        resume = start.checkpoint if start.resume else None
        for pending in resume.pending if resume else ():
            self.unknown.update(f"e-{row}" for row in self.rows if row in pending.unknown)
        every_answers = self.every_answers()
        clock = time.monotonic if self.threads else lambda: 0.0
        progress = Progress(
            start.checkpoint,
            self.store,
            rejects=Rejects(self.folder, attempt=self.attempts, keep=resume.keeps if resume else None),
            every_answers=every_answers,
            may_resend=made.may_resend,
            ahead=(self.in_flight + every_answers) * self.batch_size,
            on_unknown_outcome=self.on_unknown_outcome,
            clock=clock,
            wall=lambda: self.pinterest.now,
        )
        self.attempts += 1
        batcher = Batcher(self.batch_size)
        cutter = SectionCutter(
            batcher,
            resume,
            resends_held=made.may_resend_any,
            unknown_before=start.checkpoint.unknown_before,
        )
        self.verify(cutter, resume, fault_point)
        read = source or self.read(fault_point)
        sections: Any
        if self.threads:
            mailbox = Mailbox()
            dispatcher = Dispatcher(made, self.in_flight, mailbox.wake)
            sections = read_ahead(cutter, read, mailbox)
        else:
            dispatcher = ScriptedDispatcher(made, self.in_flight, self.chance)
            mailbox = ScriptedMailbox(dispatcher, fault_point)
            sections = InlineSections(cutter.sections(transform().events(read)), cutter.rest)
        self.run = PipelineRun(
            sections,
            batcher,
            progress,
            dispatcher,
            resume=resume,
            stop=self.stop,
            observer=PipelineObserver(not_deduplicable=lambda: self.about_to_send(start.checkpoint)),
            mailbox=mailbox,
            clock=clock,
            wall=lambda: self.pinterest.now,
        )
        if isinstance(dispatcher, ScriptedDispatcher):
            dispatcher.run = self.run
        self.run.deliver()
