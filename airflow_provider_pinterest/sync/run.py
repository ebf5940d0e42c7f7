"""One attempt to deliver all rows of a source: create the parts, deliver, store the end, and report the result."""

from __future__ import annotations

import datetime as dt
import logging
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from airflow_provider_pinterest.api.connection import PinterestConnection
from airflow_provider_pinterest.api.interruptible import Stopped
from airflow_provider_pinterest.conversions.batches import ENVELOPE, Batcher
from airflow_provider_pinterest.conversions.exclusions import Exclusions
from airflow_provider_pinterest.conversions.mapping import ColumnMapping
from airflow_provider_pinterest.conversions.outcomes import Event, Outcome, RowBatch
from airflow_provider_pinterest.conversions.transform import Transform
from airflow_provider_pinterest.delivery import account_counts
from airflow_provider_pinterest.delivery.checkpoint import VERSION, Checkpoint, Finished
from airflow_provider_pinterest.delivery.dispatcher import Dispatcher
from airflow_provider_pinterest.delivery.ledger import Claims, without_sent
from airflow_provider_pinterest.delivery.outcome_log import Status
from airflow_provider_pinterest.delivery.pipeline import Mailbox, PipelineObserver, PipelineRun
from airflow_provider_pinterest.delivery.progress import Progress
from airflow_provider_pinterest.delivery.reader import ReadAhead, Reading
from airflow_provider_pinterest.delivery.rejects import Rejects
from airflow_provider_pinterest.delivery.result import Result, RunCounters
from airflow_provider_pinterest.delivery.resuming import Attempt, Start, decide_start, start_over
from airflow_provider_pinterest.delivery.sections import (
    Row,
    Section,
    SectionCutter,
    SourceChangedError,
    needs_verification,
    verify_finished,
)
from airflow_provider_pinterest.delivery.selection import Selection
from airflow_provider_pinterest.delivery.sender import OnUnknownOutcome, Sender
from airflow_provider_pinterest.delivery.standings import AccountStandings
from airflow_provider_pinterest.delivery.stop import StopSignal
from airflow_provider_pinterest.exceptions import (
    ParameterError,
    PinterestError,
    ResendRefusedError,
    ResultError,
    StoppedError,
    UnavailableError,
)
from airflow_provider_pinterest.logs import log_lines
from airflow_provider_pinterest.outcomes.table import OpenOutcomeTable, OutcomeTable
from airflow_provider_pinterest.problems import Problems, raise_all
from airflow_provider_pinterest.sources.protocol import SelectiveSource
from airflow_provider_pinterest.state_store import StateStore
from airflow_provider_pinterest.sync.advice import advice
from airflow_provider_pinterest.sync.attempt import AttemptInfo, ReadOnce, attempt_of, fence, stored_state
from airflow_provider_pinterest.sync.observer import SyncObserver
from airflow_provider_pinterest.sync.options import SyncOptions
from airflow_provider_pinterest.sync.preview import shortened
from airflow_provider_pinterest.sync.verdict import (
    Ending,
    all_accepted_before,
    all_sent_by_others,
    failure_reason,
    not_begun,
)

if TYPE_CHECKING:
    from airflow_provider_pinterest.conversions.event_names import UnlistedName
    from airflow_provider_pinterest.sources.protocol import OpenSource, Source

log = logging.getLogger(__name__)

MOST_RETURNS: Final = 20
"""How often an ad account may come again after another one before a warning advises to sort the rows."""

RunResult = dict[str, Any]
"""The counts of a run by name, see the page "The result"."""


def sync(
    source: Source,
    options: SyncOptions | None = None,
    *,
    connection: PinterestConnection | None = None,
    state: StateStore | None = None,
    attempt: AttemptInfo | None = None,
    observer: SyncObserver | None = None,
    stop: StopSignal | None = None,
    outcomes: OutcomeTable | None = None,
) -> RunResult:
    """Send the rows of a source to Pinterest, account for every row, and return the counts.

    With a state store, the next call with the same store continues where this one ended, and sends only events that
    were not accepted. Progress, warnings and the result are logged.

    :param source: the rows.
    :param options: the mapping of columns, tolerances and how to send; ``None``: the defaults.
    :param connection: how to reach Pinterest; ``None`` only with ``validate_only``.
    :param state: where this run stores its checkpoints; ``None``: nowhere, so a second call sends everything again.
    :param attempt: what an orchestrator knows about this attempt.
    :param observer: receives the result, even if the run fails.
    :param stop: ends the run from another thread or from a signal handler.
    :param outcomes: a table that gets a row for each event; needed for ``skip_already_sent``.
    :return: the counts by name.
    :raises ParameterError: an option, a column or the connection is wrong.
    :raises SourceError: the source could not be read to its end.
    :raises DeliveryError: Pinterest does not accept the events; events that were not sent are counted.
    :raises ResendRefusedError: sending again could count events twice.
    :raises ResultError: everything was delivered, and the options do not allow the result.
    :raises StoppedError: ``stop`` was set.
    :raises StateConflictError: another process has continued the run.
    :raises OutcomesError: the outcome table cannot be used.
    """
    raise_all(_wrong_arguments(source, options, connection, state, outcomes))
    return _Sync(
        source,
        options or SyncOptions(),
        connection,
        state,
        attempt or AttemptInfo(),
        observer or SyncObserver(),
        stop or StopSignal(),
        outcomes,
    ).run()


@dataclass(frozen=True)
class _Parts:
    """The parts that all attempts of a call share.

    :param folder: the folder of the rejects; ``None`` if they are not written.
    :param store: the state store; ``None`` if there is none.
    """

    mapping: ColumnMapping
    exclusions: Exclusions
    account: str
    folder: Any
    store: StateStore | None
    attempt: Attempt


@dataclass(frozen=True)
class _Sync:
    """One call of :func:`sync`."""

    source: Source
    options: SyncOptions
    connection: PinterestConnection | None
    state: StateStore | None
    info: AttemptInfo
    observer: SyncObserver
    stop: StopSignal
    outcomes: OutcomeTable | None = None

    def run(self) -> RunResult:
        """Deliver; if the rows of the source have changed, start over at once."""
        with self._followed_by(self._not_begun):
            if self.stop.is_set():
                raise StoppedError(f"{self.info.vocabulary.name} was told to stop before it began.")
            parts = self._parts()
            state = stored_state(parts.store, self.info.carried)
        start = decide_start(state, parts.attempt)
        if isinstance(start, Finished):
            return self._ended_before(start)
        try:
            return self._attempt(parts, start)
        except SourceChangedError as change:
            # None of the changed rows was sent.
            return self._attempt(parts, start_over(change.checkpoint, parts.attempt, "The rows of the source"))

    def _parts(self) -> _Parts:
        """Create and check the parts that all attempts share.

        :raises ParameterError: the message names every problem.
        """
        options, connection = self.options, self.connection
        found = Problems()
        mapping = found.checked(options.mapping, otherwise=None)
        exclusions = found.checked(options.exclusions, otherwise=None)
        account = found.checked(self._account, otherwise="")
        folder = found.checked(_folder, options.rejects_path, otherwise=None)
        if connection is not None and not options.validate_only:
            found.checked(connection.check, otherwise=None)
        found.raise_all()
        store = ReadOnce(self.state) if self.state is not None and options.sends else None
        return _Parts(
            mapping=mapping or options.mapping(),
            exclusions=exclusions or Exclusions(),
            account=account,
            folder=folder,
            store=store,
            attempt=attempt_of(
                self.info,
                options,
                self.source.fingerprint,
                account=account,
                host=connection.url() if connection is not None and not options.validate_only else "",
                remembers=store is not None,
                ledger=self._ledger(),
            ),
        )

    def _ledger(self) -> str:
        """Return the name of the ledger; empty if events are sent without one."""
        options = self.options
        wanted = options.skip_already_sent or options.only is not None
        if self.outcomes is None or not wanted or not options.sends or options.send_everything_again:
            return ""
        return self.outcomes.identity

    def _open_outcomes(self) -> OpenOutcomeTable | None:
        """Open the outcome table, if there is one and events are sent."""
        if self.outcomes is None or self.options.validate_only:
            return None
        again = self.info.number != 1 and self.options.only is None
        return self.outcomes.open(test=self.options.test, again=again, stopped=self.stop.is_set)

    def _account(self) -> str:
        """Return the ad account; with ``ad_account_id_column``, that of rows that name none, which may be empty.

        :raises ParameterError: there is none, or a connection is needed and missing.
        """
        options = self.options
        if self.connection is None and not options.validate_only:
            raise ParameterError("A connection is needed, unless validate_only=True is set.")
        if self.connection is None or options.ad_account_id_column:
            return str(options.ad_account_id or "").strip()
        return self.connection.account(options.ad_account_id)

    def _attempt(self, parts: _Parts, start: Start) -> RunResult:
        """Read the source once and deliver the rows that are not accounted for."""
        options, checkpoint = self.options, start.checkpoint
        if start.notice:
            (log.warning if start.warn else log.info)("%s", start.notice)
        with self._followed_by(lambda: self._said_at_start(parts, start)):
            source = self.source.open()
            table = self._open_outcomes()
            ledger = table if parts.attempt.ledger else None
            selection = self._selection(table, parts, checkpoint)
            sender = self._sender(ledger, start)
            fence(parts.store, checkpoint)
            rejects = self._rejects(parts, start)
            self.stop.check()
        if parts.store and not source.ordered:
            log.warning(
                "The SQL has no ORDER BY. A later attempt can continue where this one ended only if the rows come in "
                "the same order."
            )
        mailbox = Mailbox()
        reading = _Rows(
            options, parts, start, (source, self.source.open), sender, table=table, ledger=ledger, selection=selection
        )
        progress = Progress(
            checkpoint,
            parts.store,
            rejects=rejects,
            outcomes=table,
            every_answers=options.max_in_flight,
            may_resend=sender.may_resend if sender else lambda _: True,
            ahead=2 * options.max_in_flight * options.batch_size,
            on_unknown_outcome=options.on_unknown_outcome,
        )
        run = PipelineRun(
            ReadAhead(
                reading.sections,
                reading.state,
                rest=reading.cutter.rest,
                wake=mailbox.wake,
                cancel=source.cancel,
            ),
            reading.cutter.batcher,
            progress,
            None if sender is None else Dispatcher(sender, options.max_in_flight, mailbox.wake),
            resume=checkpoint if start.resume else None,
            stop=self.stop,
            observer=PipelineObserver(
                first_event=_show if options.validate_only else lambda _: None,
                not_deduplicable=lambda: self._about_to_send_not_deduplicable(parts, checkpoint),
            ),
            mailbox=mailbox,
        )
        error: BaseException | None = None
        try:
            run.deliver()
            run.counters.check(reading.state.rows)
        except SourceChangedError as change:
            change.checkpoint = progress.last
            error = change
        except Stopped:
            error = self._stopped(self._said(parts, run, sender))
        except PinterestError as raised:
            refused = isinstance(raised, ResendRefusedError)
            error = raised.followed_by(self._said(parts, run, sender, refused=refused))
            if isinstance(error, UnavailableError):
                error.state, error.rows_done = progress.last.as_json(), progress.last.rows
        except BaseException as raised:  # noqa: BLE001 - raised again below
            error = raised
        finally:
            reading.close()
            if sender is not None:
                sender.close()
            if table is not None:
                table.close()
        result = self._result(parts, run, reading, rejects, checkpoint)
        changed = isinstance(error, SourceChangedError)
        unexpected = not changed and error is not None and not isinstance(error, PinterestError)
        _log_result(run, result, advice(result.values, reading.unlisted_names()) if error is None or changed else ())
        if error is None:
            return self._ended(parts, run, result, progress)
        if not changed:
            self.observer.ended(dict(result.values), error)
        if unexpected:
            log_lines(log, self._said(parts, run, sender))
            raise error
        raise error from None

    def _result(
        self, parts: _Parts, run: PipelineRun, reading: _Rows, rejects: Rejects | None, checkpoint: Checkpoint
    ) -> Result:
        return Result.of(
            run.counters,
            ad_account_id=parts.account,
            test=self.options.test,
            seconds=run.seconds,
            warnings=reading.warnings,
            coverage=reading.coverage,
            rejects_path=str(parts.folder) if rejects is not None and rejects.parts else None,
            resumed_from=checkpoint.rows or None,
            unlisted={one.name: one.events for one in reading.unlisted_names()},
            left_out=selection.events_left_out if (selection := reading.selection) else 0,
            selection=selection.summary(run.counters, finished=run.finished) if selection else None,
        )

    def _selection(self, table: OpenOutcomeTable | None, parts: _Parts, checkpoint: Checkpoint) -> Selection | None:
        """Return which rows are sent again; ``None``: all rows are sent."""
        options = self.options
        if table is None or options.only is None:
            return None
        wanted = Status(options.only)
        table.decide(checkpoint.clock, resends_held=wanted is Status.HELD)
        if wanted is Status.HELD:
            log.warning(
                "Events that are held are sent again, because of only='held'. They may have arrived before, and "
                "Pinterest then counts them twice, offline events always."
            )
        return Selection(
            table,
            wanted,
            parts.account,
            several_accounts=bool(options.ad_account_id_column),
            has_key_columns=bool(options.key_columns),
        )

    def _ended(self, parts: _Parts, run: PipelineRun, result: Result, progress: Progress) -> RunResult:
        """Decide whether a complete run succeeds, and store its end."""
        options, counters = self.options, run.counters
        finished = progress.finished(identity=parts.attempt.identity, result=dict(result.values), problem=None)
        problem = failure_reason(
            counters,
            max_rejected=options.max_rejected,
            min_events=options.min_events if options.only is None else 0,
            max_duplicates=options.max_duplicates,
            remembers=progress.durable,
            recorded=options.sends,
            offline=finished.offline and not parts.attempt.may_resend_any,
            listed=result.values["rejects_path"],
            counted=self.info.number is not None,
            vocabulary=self.info.vocabulary,
            resends_held=options.only == Status.HELD,
        )
        progress.finish(replace(finished, problem=problem))
        error = ResultError(problem) if problem else None
        self.observer.ended(dict(result.values), error)
        if error is not None:
            raise error
        earlier = progress.last.earlier
        if earlier is None and options.only is None and not counters.events_sent and counters.delivered.already_sent:
            log.warning("%s", all_sent_by_others(counters))
        if earlier is not None and not counters.events_sent and counters.delivered.already_sent:
            when = dt.datetime.fromtimestamp(earlier.written, dt.UTC).strftime("%Y-%m-%d %H:%M UTC")
            log.warning("%s", all_accepted_before(counters, when))
        return dict(result.values)

    def _ended_before(self, finished: Finished) -> RunResult:
        """End as the earlier attempt did, whose worker died before its orchestrator knew."""
        log.info("An earlier attempt of this run had already completed, so nothing is sent again.")
        newer = {"rows_excluded": 0, "unlisted_event_names": {}, "selection": {}, **account_counts.result(Counter())}
        result = {**newer, **finished.result}  # an earlier version did not have all keys
        error = ResultError(finished.problem) if finished.problem else None
        self.observer.ended(result, error)
        if error is not None:
            raise error
        return result

    def _said(self, parts: _Parts, run: PipelineRun, sender: Sender | None, *, refused: bool = False) -> str:
        """Return what an attempt that ended early has delivered, and what the next attempt will do."""
        progress, attempt = run.progress, parts.attempt
        last = progress.last
        unknown = progress.outcome_unknown
        return Ending(
            run.counters,
            prefix=last.rows,
            unknown=unknown.again if progress.saved else 0,
            will_be_held=unknown.held,
            remembers=progress.durable,
            recorded=self.options.sends,
            offline=last.offline,
            waited=sender.waited if sender else 0.0,
            earlier=last.accepted if progress.accounted.rows < last.rows else 0,
            deduplicable=unknown.deduplicable,
            accepts_copies=attempt.may_resend_any,
            repeats=last.unknown_before is not None or not progress.saved,
            forced=attempt.send_again,
            refused=refused,
            counted=self.info.number is not None,
            selects=attempt.selects,
            vocabulary=self.info.vocabulary,
        ).sentence()

    def _said_at_start(self, parts: _Parts, start: Start) -> str:
        """Return the sentence for an attempt that ends before it has read a row."""
        checkpoint, attempt = start.checkpoint, parts.attempt
        return Ending(
            RunCounters(),
            prefix=checkpoint.rows,
            remembers=parts.store is not None,
            recorded=self.options.sends,
            offline=checkpoint.offline,
            earlier=checkpoint.accepted,
            accepts_copies=attempt.may_resend_any,
            repeats=checkpoint.unknown_before is not None,
            forced=attempt.send_again,
            counted=self.info.number is not None,
            selects=attempt.selects,
            vocabulary=self.info.vocabulary,
        ).sentence()

    def _not_begun(self) -> str:
        """Return the same for an attempt that ends before it knows where to begin."""
        return not_begun(
            remembers=self.state is not None,
            first=self.info.number == 1,
            counted=self.info.number is not None,
            vocabulary=self.info.vocabulary,
        )

    @contextmanager
    def _followed_by(self, sentence: Callable[[], str]) -> Iterator[None]:
        """Add a sentence to an error of this package; log it before any other exception."""
        try:
            yield
        except PinterestError as error:
            raise error.followed_by(sentence()) from None
        except Stopped:
            raise self._stopped(sentence()) from None
        except BaseException:
            log_lines(log, sentence())
            raise

    def _stopped(self, sentence: str) -> StoppedError:
        return StoppedError(f"{self.info.vocabulary.name} was told to stop.").followed_by(sentence)

    def _sender(self, ledger: OpenOutcomeTable | None, start: Start) -> Sender | None:
        """Return the sender; ``None`` to validate only."""
        options, connection = self.options, self.connection
        if options.validate_only or connection is None:
            return None
        rate_limiter = connection.rate_limiter(test=options.test)
        counts_own = start.resume or options.only is not None
        claims = None if ledger is None else Claims(ledger, counts_own=counts_own, sleep=rate_limiter.sleep)
        sender = Sender(
            connection.events(test=options.test, connections=options.max_in_flight),
            rate_limiter,
            claims=claims,
            marks=claims is None or not start.checkpoint.ledger,
            on_unknown_outcome=OnUnknownOutcome(options.on_unknown_outcome) if options.on_unknown_outcome else None,
            max_wait=options.max_wait.total_seconds(),
            guard=self.info.guard,
            standings=AccountStandings() if options.ad_account_id_column else None,
        )
        self.stop.on_set(sender.abort)
        return sender

    def _rejects(self, parts: _Parts, start: Start) -> Rejects | None:
        """Open the folder of the rejects, and check that it can be written to.

        :raises RejectsError: it cannot be written to.
        """
        if parts.folder is None:
            return None
        checkpoint = start.checkpoint
        rejects = Rejects(
            parts.folder,
            attempt=self.info.number or 1,
            keep=checkpoint.keeps if start.resume else None,
            known=checkpoint.parts,
            earlier=self.info.earlier_rejects if checkpoint.version < VERSION else (),
        )
        rejects.probe()
        return rejects

    def _about_to_send_not_deduplicable(self, parts: _Parts, checkpoint: Checkpoint) -> None:
        """Refuse to send events that Pinterest cannot deduplicate a second time.

        :raises ResendRefusedError: an earlier attempt may have sent them.
        """
        if parts.folder is None:
            log.warning(
                "Some events are offline events, which Pinterest cannot deduplicate, and rejects_path is not set. If "
                "the outcome of such an event stays unknown, only the count shows it."
            )
        if checkpoint.unknown_before is not None:
            raise ResendRefusedError(
                f"This is attempt {parts.attempt.number}, and it is not known what an earlier one sent. Some rows are "
                "offline events, which Pinterest cannot deduplicate. Sending them again could count them twice, so "
                "they were not sent.",
                advice="If no earlier attempt sent offline events, or if counting them twice is acceptable, set "
                f"send_everything_again=True. {self.info.vocabulary.remembers}",
            )


def _wrong_arguments(source: object, options: object, connection: object, state: object, outcomes: object) -> list[str]:
    """Return the problems with the types of arguments."""
    found = []
    if not (hasattr(source, "open") and hasattr(source, "fingerprint")):
        found.append(
            "source must be an SqlSource, a FileSource, an IterableSource or an object with fingerprint and open, got "
            f"{type(source).__name__}{_source_hint(source)}."
        )
    if not isinstance(options, SyncOptions | None):
        found.append(f"options must be SyncOptions, got {type(options).__name__}.")
    if not isinstance(connection, PinterestConnection | None):
        found.append(f"connection must be a PinterestConnection, got {type(connection).__name__}.")
    if state is not None and not (hasattr(state, "get") and hasattr(state, "set")):
        found.append(f"state must be a state store with get and set, got {type(state).__name__}.")
    if not isinstance(outcomes, OutcomeTable | None):
        found.append(f"outcomes must be an OutcomeTable, got {type(outcomes).__name__}.")
    if outcomes is None and isinstance(options, SyncOptions) and options.skip_already_sent:
        found.append("skip_already_sent=True needs an outcome table, which tells what was sent.")
    if outcomes is None and isinstance(options, SyncOptions) and options.only is not None:
        found.append("only needs an outcome table, which tells what became of each event.")
    return found


def _source_hint(source: object) -> str:
    """Return what to pass instead of a value that is not a source."""
    if isinstance(source, str | os.PathLike):
        return "; pass FileSource(path)"
    return "; pass IterableSource(rows)" if isinstance(source, Iterable) else ""


def _folder(path: Any) -> Any:
    """Return the path object of a folder.

    :raises ParameterError: it is the text of a URL: as a path, it would be a local folder of that name.
    """
    if isinstance(path, str) and "://" in path:
        raise ParameterError("rejects_path must be a local path, or a path object that opens the URL, such as a UPath.")
    return Path(path) if isinstance(path, str) else path or None


def _show(event: Event) -> None:
    """Log one event as it would be sent, with shortened identifiers."""
    log.info("One event as it would be sent, with shortened identifiers:\n%s", shortened(event.body))


def _log_result(run: PipelineRun, result: Result, remarks: Iterable[str]) -> None:
    """Log the result, and some of the rejected rows."""
    if run.counters.rows_read or run.finished:
        log.info("%s", result.table())
        for line in account_counts.lines(run.counters.accounts):
            log.info("%s", line)
    for rejection in run.progress.examples:
        for code, field, message in rejection.reasons:
            log.warning("Row %d, %s: %s %s", rejection.row, code, field or "the event", message)
    for line in remarks:
        log.warning("%s", line)


class _Rows:
    """The source of one attempt, from its rows to sections."""

    def __init__(
        self,
        options: SyncOptions,
        parts: _Parts,
        start: Start,
        source: tuple[OpenSource, Callable[[], OpenSource]],
        sender: Sender | None,
        *,
        table: OpenOutcomeTable | None,
        ledger: OpenOutcomeTable | None,
        selection: Selection | None,
    ) -> None:
        opened, opens = source
        checkpoint = start.checkpoint
        self.state = Reading()
        self._options = options
        self._parts = parts
        self._ledger = ledger
        self.selection = selection
        self._start = start
        self._clock = checkpoint.clock
        self._source = opened
        self._earlier = checkpoint.earlier if start.resume else None
        self._interleaved = False
        self._resends_held = bool(sender and sender.may_resend_any)
        self._verifies = self._earlier is not None and needs_verification(
            self._earlier, resends_held=self._resends_held
        )
        self._first_source = opens() if self._verifies and opened.once else opened
        for one in {self._source, self._first_source}:
            if isinstance(one, SelectiveSource):
                one.select_columns(parts.mapping.reads)
        self._transform = self._new_transform(options.processes)
        self.cutter = SectionCutter(
            Batcher(
                options.batch_size,
                options.max_batch_bytes,
                ad_account_id=parts.account,
                several_accounts=bool(options.ad_account_id_column),
            ),
            checkpoint if start.resume else None,
            resends_held=self._resends_held,
            unknown_before=checkpoint.unknown_before,
            lines=parts.folder is not None,
            records=table is not None,
        )

    def sections(self) -> Iterator[Section]:
        """Yield the sections of the source."""
        earlier = self._earlier
        if earlier is not None and self._verifies:
            transform = self._new_transform(0)
            with closing(self._first_source.row_batches()) as row_batches:
                outcomes = transform.events(self.state.unlocked(row_batches))
                self.cutter.expect(verify_finished(outcomes, earlier, resends_held=self._resends_held))
        with closing(self._source.row_batches()) as row_batches:
            yield from self.cutter.sections(self._unsent(self._transform.events(self._counted(row_batches))))

    def _unsent(self, outcomes: Iterator[Outcome]) -> Iterator[Row]:
        """Yield outcomes, without the events that earlier runs sent, if there is a ledger."""
        if self.selection is not None:
            return self.selection.rows(outcomes)
        if self._ledger is None:
            return outcomes
        start, account = self._start, self._parts.account
        return without_sent(
            outcomes,
            self._ledger,
            lambda event: event.ad_account_id or account,
            covered=start.checkpoint.covers if start.resume else lambda _: False,
            counts_own=start.resume,
        )

    @property
    def warnings(self) -> Mapping[str, int]:
        """Warning code → events."""
        return self._transform.warnings

    @property
    def coverage(self) -> Mapping[str, int]:
        """Field → events that carry it."""
        return self._transform.coverage

    def unlisted_names(self) -> Sequence[UnlistedName]:
        """Return the most frequent names of events that Pinterest does not list."""
        return self._transform.unlisted_names()

    def close(self) -> None:
        """End the processes, if there are any."""
        self._transform.close()

    def _new_transform(self, processes: int) -> Transform:
        return Transform(
            self._parts.mapping,
            now=self._clock,
            max_event_age=self._options.max_event_age,
            max_event_bytes=self._options.max_batch_bytes - ENVELOPE,
            exclusions=self._parts.exclusions,
            processes=processes,
        )

    def _counted(self, row_batches: Iterable[RowBatch]) -> Iterator[RowBatch]:
        """Count the rows of the source, and check the columns of the first row batch.

        :raises MappingError: the columns cannot be mapped.
        """
        for position, row_batch in enumerate(self.state.unlocked(row_batches)):
            if position == 0:
                self._parts.mapping.check(row_batch.columns, complete=self._source.columns_complete)
            self.state.rows += len(row_batch.rows)
            yield row_batch
            self._notice_interleaved_accounts()

    def _notice_interleaved_accounts(self) -> None:
        """Warn once if batches are small because the rows of the accounts come in turns."""
        if self._interleaved or self.cutter.batcher.returns < MOST_RETURNS:
            return
        self._interleaved = True
        column = self._options.ad_account_id_column
        log.warning(
            "The rows of the ad accounts come in turns. A request holds events of one account, so batches are small "
            "and the run is slow. Sort the rows by account: ORDER BY %s, then the columns of the present order.",
            column,
        )
