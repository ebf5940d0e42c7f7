"""Reads rows and yields the people to delete, in batches. Personal data stays in this module's thread."""

from __future__ import annotations

import contextvars
import hashlib
import queue
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from airflow_provider_pinterest.api.interruptible import NoThreadError, Stopped, start_thread
from airflow_provider_pinterest.conversions.names import folded
from airflow_provider_pinterest.conversions.outcomes import UNREADABLE
from airflow_provider_pinterest.conversions.placeholders import PLACEHOLDERS
from airflow_provider_pinterest.conversions.placeholders import folded as folded_words
from airflow_provider_pinterest.conversions.values import texts
from airflow_provider_pinterest.delivery.stop import StopSignal
from airflow_provider_pinterest.erasure.deletion_counts import REFUSED, PersonRowCounts
from airflow_provider_pinterest.erasure.deletion_options import IdentifierKind
from airflow_provider_pinterest.erasure.targets import IDENTIFIERS, Targets, is_hash
from airflow_provider_pinterest.exceptions import ParameterError, PinterestError, SourceError
from airflow_provider_pinterest.redaction import clean
from airflow_provider_pinterest.sources.protocol import OpenSource

CHECK_EVERY: Final = 0.1
"""Seconds between two checks for a stop."""

PATIENCE: Final = 1.0
"""Seconds to wait for the thread at the end."""

REASONS: Final[Mapping[str, str]] = {
    "bad_row": "The source cannot read the row.",
    "missing": "The row has neither an e-mail address nor a click id.",
    "bad_email": "The cell is not an e-mail address.",
    "hashed_email": "The cell is a hash. Pinterest needs the plain address.",
    "bad_click_id": "The cell is not a click id.",
    REFUSED: "Pinterest refuses this address or click id.",
}
"""Code → meaning."""

_EMPTY: Final = folded_words(PLACEHOLDERS)
_BAD: Final = {IdentifierKind.EMAIL: "bad_email", IdentifierKind.CLICK_ID: "bad_click_id"}


def batches(
    source: OpenSource, columns: Mapping[IdentifierKind, str], size: int, counts: PersonRowCounts
) -> Iterator[Targets]:
    """Yield the people of a source, each once.

    :param columns: kind → the column that has it.
    :param size: identifiers in a batch.
    :param counts: counts the rows.
    :raises ParameterError: a column does not exist.
    :raises SourceError: the rows cannot be read to their end.
    """
    known: set[bytes] = set()
    open_batches: dict[IdentifierKind, tuple[list[str], list[int]]] = {kind: ([], []) for kind in columns}
    seen: dict[str, None] = {}
    found_columns = False
    for row_batch in source.row_batches():
        if row_batch.columns == UNREADABLE:
            for _ in row_batch.rows:
                counts.rows_read += 1
                counts.reject("bad_row", partly=False)
            continue
        seen |= dict.fromkeys(row_batch.columns)
        places = _places(row_batch.columns, columns)
        if source.columns_complete and len(places) < len(columns):
            raise _missing_columns([name for kind, name in columns.items() if kind not in places], seen)
        found_columns |= bool(places)
        for cells in row_batch.rows:
            counts.rows_read += 1
            for kind, value in _identifiers(cells, places, counts):
                counts.identifiers += 1
                digest = hashlib.blake2b(value.encode(), digest_size=16, person=kind.value.encode()).digest()
                if digest in known:
                    counts.duplicates += 1
                    continue
                known.add(digest)
                values, rows = open_batches[kind]
                values.append(value)
                rows.append(counts.rows_read)
                if len(values) == size:
                    open_batches[kind] = ([], [])
                    yield Targets(kind, values, rows)
    if counts.rows_read and not found_columns:
        raise _missing_columns(columns.values(), seen)
    for kind, (values, rows) in open_batches.items():
        if values:
            yield Targets(kind, values, rows)


def _places(found: Sequence[str], columns: Mapping[IdentifierKind, str]) -> dict[IdentifierKind, int]:
    """Return where the columns are that exist."""
    by_name = {folded(name): place for place, name in reversed(list(enumerate(found)))}
    exact = {name: place for place, name in enumerate(found)}
    places = {kind: exact.get(name, by_name.get(folded(name))) for kind, name in columns.items()}
    return {kind: place for kind, place in places.items() if place is not None}


def _missing_columns(wanted: Iterable[str], found: Iterable[str]) -> ParameterError:
    """Return the error for columns that do not exist."""
    which = " or ".join(map(repr, wanted))
    names = ", ".join(clean(one) for one in list(found)[:20])
    return ParameterError(f"The rows have no column {which}. Their columns: {names}.")


def _identifiers(
    cells: Sequence[Any], places: Mapping[IdentifierKind, int], counts: PersonRowCounts
) -> list[tuple[IdentifierKind, str]]:
    """Return the valid identifiers of a row. Never raises, because its locals are personal."""
    found: list[tuple[IdentifierKind, str]] = []
    problems: list[str] = []
    for kind, place in places.items():
        for value, problem in _read(cells[place], kind):
            if problem:
                problems.append(problem)
            else:
                found.append((kind, value))
    if problems or not found:
        counts.reject(*(problems or ["missing"]), partly=bool(found))
    return found


def _read(cell: Any, kind: IdentifierKind) -> list[tuple[str, str]]:
    """Return the identifiers of a cell, each with the code of its problem, which is empty if there is none."""
    found = []
    try:
        for part in texts(cell) or ():
            if part.lower() in _EMPTY:
                continue
            values = IDENTIFIERS[kind](part)
            hashed = not values and kind is IdentifierKind.EMAIL and is_hash(part)
            found += [(value, "") for value in values] or [("", "hashed_email" if hashed else _BAD[kind])]
    except Exception:  # noqa: BLE001 - cells may be of any type
        found.append(("", _BAD[kind]))
    return found


class ReadAheadTargets:
    """Reads batches in a thread, one batch ahead.

    :param generate: returns the batches, and counts the rows; called in the thread.
    :param stop: ends the reading.
    :raises PinterestError: no thread can be started.
    """

    def __init__(self, generate: Callable[[PersonRowCounts], Iterator[Targets]], stop: StopSignal) -> None:
        self.counts = PersonRowCounts()
        """The rows up to the last batch that was returned; all rows at the end."""
        self._counting = PersonRowCounts()
        self._generate = generate
        self._stop = stop
        self._queue: queue.Queue[tuple[Targets | PinterestError | None, PersonRowCounts]] = queue.Queue(maxsize=1)
        self._ended = False
        context = contextvars.copy_context()
        try:
            self._thread = start_thread(lambda: context.run(self._run), "pinterest-source")
        except NoThreadError as error:
            raise PinterestError(f"A thread to read the source could not be started: {error}") from None

    def __iter__(self) -> Iterator[Targets]:
        """Yield the batches.

        :raises PinterestError: the rows cannot be read to their end.
        :raises Stopped: ``stop`` was set.
        """
        while True:
            self._stop.check()
            try:
                found, self.counts = self._queue.get(timeout=CHECK_EVERY)
            except queue.Empty:
                continue
            if found is None:
                return
            if isinstance(found, PinterestError):
                raise found
            yield found

    def close(self) -> None:
        """Let the thread end, and wait for it unless it is blocked."""
        self._ended = True
        self._thread.join(PATIENCE)

    def _run(self) -> None:
        end: PinterestError | None = None
        try:
            for found in self._generate(self._counting):
                self._put(found)
        except Stopped:
            return
        except PinterestError as error:
            end = error
        except BaseException as error:  # noqa: BLE001 - its text may be personal
            end = SourceError(f"The rows could not be read to their end ({type(error).__name__}).")
        if end is not None:  # no frame of this thread, and no error of a driver, leaves it
            end.__context__ = end.__cause__ = None
            end = end.with_traceback(None)
        try:
            self._put(end)
        except Stopped:
            return

    def _put(self, found: Targets | PinterestError | None) -> None:
        item = found, self._counting.copy()
        while True:
            if self._ended or self._stop.is_set():
                raise Stopped
            try:
                self._queue.put(item, timeout=CHECK_EVERY)
            except queue.Full:
                continue
            return
