"""One attempt to deliver all rows of a source: create the parts, deliver, store the end, and report the result."""

from __future__ import annotations

import datetime as dt
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from airflow_provider_pinterest.api.connection import PinterestConnection
from airflow_provider_pinterest.api.interruptible import Stopped
from airflow_provider_pinterest.conversions.outcomes import Event
from airflow_provider_pinterest.delivery import account_counts
from airflow_provider_pinterest.delivery.checkpoint import Checkpoint, Finished
from airflow_provider_pinterest.delivery.dispatcher import Dispatcher
from airflow_provider_pinterest.delivery.outcome_log import Status
from airflow_provider_pinterest.delivery.pipeline import Mailbox, PipelineObserver, PipelineRun
from airflow_provider_pinterest.delivery.progress import Progress
from airflow_provider_pinterest.delivery.reader import ReadAhead
from airflow_provider_pinterest.delivery.result import Result, RunCounters
from airflow_provider_pinterest.delivery.resuming import Start, decide_start, no_account_accepted, start_over
from airflow_provider_pinterest.delivery.sections import SourceChangedError
from airflow_provider_pinterest.delivery.sender import Sender
from airflow_provider_pinterest.delivery.stop import StopSignal
from airflow_provider_pinterest.exceptions import (
    PinterestError,
    ResendRefusedError,
    ResultError,
    StoppedError,
    UnavailableError,
)
from airflow_provider_pinterest.logs import log_lines
from airflow_provider_pinterest.outcomes.table import OutcomeTable
from airflow_provider_pinterest.problems import raise_all
from airflow_provider_pinterest.state_store import StateStore
from airflow_provider_pinterest.sync.advice import advice
from airflow_provider_pinterest.sync.attempt import AttemptInfo, stored_state
from airflow_provider_pinterest.sync.call import Call, Parts, wrong_arguments
from airflow_provider_pinterest.sync.observer import SyncObserver
from airflow_provider_pinterest.sync.opened import Opened, open_attempt
from airflow_provider_pinterest.sync.options import SyncOptions
from airflow_provider_pinterest.sync.preview import shortened
from airflow_provider_pinterest.sync.source_rows import SourceRows
from airflow_provider_pinterest.sync.verdict import (
    Ending,
    all_accepted_before,
    all_sent_by_others,
    failure_reason,
    not_begun,
)

if TYPE_CHECKING:
    from airflow_provider_pinterest.sources.protocol import Source

log = logging.getLogger(__name__)

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
    raise_all(wrong_arguments(source, options, connection, state, outcomes))
    call = Call(
        source,
        options or SyncOptions(),
        connection,
        state,
        attempt or AttemptInfo(),
        observer or SyncObserver(),
        stop or StopSignal(),
        outcomes,
    )
    return _Sync(call).run()


@dataclass(frozen=True)
class _Sync:
    """One call of :func:`sync`: one attempt, or two if the rows of the source have changed."""

    call: Call

    def run(self) -> RunResult:
        """Deliver; if the rows of the source have changed, start over at once."""
        with self._followed_by(self._not_begun):
            if self.call.stop.is_set():
                raise StoppedError(f"{self.call.info.vocabulary.name} was told to stop before it began.")
            parts = self.call.parts()
            state = stored_state(parts.store, self.call.info.carried)
        start = decide_start(state, parts.attempt)
        if isinstance(start, Finished):
            return self._ended_before(start)
        try:
            return self._attempt(parts, start)
        except SourceChangedError as change:
            # None of the changed rows was sent.
            return self._attempt(parts, start_over(change.checkpoint, parts.attempt, "The rows of the source"))

    def _attempt(self, parts: Parts, start: Start) -> RunResult:
        """Read the source once and deliver the rows that are not accounted for."""
        if start.notice:
            (log.warning if start.warn else log.info)("%s", start.notice)
        with ExitStack() as resources:
            with self._followed_by(lambda: self._said_at_start(parts, start)):
                opened = open_attempt(self.call, parts, start, resources)
            if parts.store and not opened.source.ordered:
                log.warning(
                    "The SQL has no ORDER BY. A later attempt can continue where this one ended only if the rows come "
                    "in the same order."
                )
            rows = SourceRows(self.call, parts, start, opened)
            resources.callback(rows.close)
            run = self._pipeline(parts, start, opened, rows)
            error = self._deliver(parts, run, rows, opened.sender)
        result = self._result(parts, run, rows, opened, start.checkpoint)
        changed = isinstance(error, SourceChangedError)
        _log_result(run, result, advice(result.values, rows.unlisted_names()) if error is None or changed else ())
        if error is None:
            return self._ended(parts, run, result)
        if not changed:
            self.call.observer.ended(dict(result.values), error)
        if isinstance(error, PinterestError):
            raise error from None
        log_lines(log, self._said(parts, run, opened.sender))
        raise error

    def _pipeline(self, parts: Parts, start: Start, opened: Opened, rows: SourceRows) -> PipelineRun:
        """Connect the parts of an attempt."""
        options, checkpoint, sender = self.call.options, start.checkpoint, opened.sender
        mailbox = Mailbox()
        progress = Progress(
            checkpoint,
            parts.store,
            rejects=opened.rejects,
            outcomes=opened.table,
            every_answers=options.max_in_flight,
            may_resend=sender.may_resend if sender else lambda _: True,
            ahead=2 * options.max_in_flight * options.batch_size,
            on_unknown_outcome=options.on_unknown_outcome,
        )
        return PipelineRun(
            ReadAhead(
                rows.sections,
                rows.reading,
                rest=rows.cutter.rest,
                wake=mailbox.wake,
                cancel=opened.source.cancel,
            ),
            rows.cutter.batcher,
            progress,
            None if sender is None else Dispatcher(sender, options.max_in_flight, mailbox.wake),
            resume=checkpoint if start.resume else None,
            stop=self.call.stop,
            observer=PipelineObserver(
                first_event=_show if options.validate_only else lambda _: None,
                not_deduplicable=lambda: self._about_to_send_not_deduplicable(parts, checkpoint),
            ),
            mailbox=mailbox,
        )

    def _deliver(self, parts: Parts, run: PipelineRun, rows: SourceRows, sender: Sender | None) -> BaseException | None:
        """Deliver; return the error that ends the attempt, with a sentence about what was delivered."""
        try:
            run.deliver()
            run.counters.check(rows.reading.rows)
        except SourceChangedError as change:
            change.checkpoint = run.progress.last
            return change
        except Stopped:
            return self._stopped(self._said(parts, run, sender))
        except PinterestError as raised:
            refused = isinstance(raised, ResendRefusedError)
            error = raised.followed_by(self._said(parts, run, sender, refused=refused))
            if isinstance(error, UnavailableError):
                error.state, error.rows_done = run.progress.last.as_json(), run.progress.last.rows
            return error
        except BaseException as raised:  # noqa: BLE001 - raised again by the caller
            return raised
        return None

    def _result(
        self, parts: Parts, run: PipelineRun, rows: SourceRows, opened: Opened, checkpoint: Checkpoint
    ) -> Result:
        rejects, selection = opened.rejects, opened.selection
        return Result.of(
            run.counters,
            ad_account_id=parts.account,
            test=self.call.options.test,
            seconds=run.seconds,
            warnings=rows.warnings,
            coverage=rows.coverage,
            rejects_path=str(parts.folder) if rejects is not None and rejects.parts else None,
            resumed_from=checkpoint.rows or None,
            unlisted={one.name: one.events for one in rows.unlisted_names()},
            left_out=selection.events_left_out if selection else 0,
            selection=selection.summary(run.counters, finished=run.finished) if selection else None,
        )

    def _ended(self, parts: Parts, run: PipelineRun, result: Result) -> RunResult:
        """Decide whether a complete run succeeds, and store its end."""
        options, counters, progress = self.call.options, run.counters, run.progress
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
            counted=self.call.info.number is not None,
            vocabulary=self.call.info.vocabulary,
            resends_held=options.only == Status.HELD,
        )
        progress.finish(replace(finished, problem=problem))
        error = ResultError(problem) if problem else None
        self.call.observer.ended(dict(result.values), error)
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
        self.call.observer.ended(result, error)
        if error is not None:
            raise error
        return result

    def _said(self, parts: Parts, run: PipelineRun, sender: Sender | None, *, refused: bool = False) -> str:
        """Return what an attempt that ended early has delivered, and what the next attempt will do."""
        progress, attempt = run.progress, parts.attempt
        last = progress.last
        unknown = progress.outcome_unknown
        return Ending(
            run.counters,
            prefix=0 if no_account_accepted(last) else last.rows,
            unknown=unknown.again if progress.saved else 0,
            will_be_held=unknown.held,
            remembers=progress.durable,
            recorded=self.call.options.sends,
            offline=last.offline,
            waited=sender.waited if sender else 0.0,
            earlier=last.accepted if progress.accounted.rows < last.rows else 0,
            deduplicable=unknown.deduplicable,
            accepts_copies=attempt.may_resend_any,
            repeats=last.unknown_before is not None or not progress.saved,
            forced=attempt.send_again,
            refused=refused,
            counted=self.call.info.number is not None,
            selects=attempt.selects,
            vocabulary=self.call.info.vocabulary,
        ).sentence()

    def _said_at_start(self, parts: Parts, start: Start) -> str:
        """Return the sentence for an attempt that ends before it has read a row."""
        checkpoint, attempt = start.checkpoint, parts.attempt
        return Ending(
            RunCounters(),
            prefix=checkpoint.rows,
            remembers=parts.store is not None,
            recorded=self.call.options.sends,
            offline=checkpoint.offline,
            earlier=checkpoint.accepted,
            accepts_copies=attempt.may_resend_any,
            repeats=checkpoint.unknown_before is not None,
            forced=attempt.send_again,
            counted=self.call.info.number is not None,
            selects=attempt.selects,
            vocabulary=self.call.info.vocabulary,
        ).sentence()

    def _not_begun(self) -> str:
        """Return the same for an attempt that ends before it knows where to begin."""
        return not_begun(
            remembers=self.call.state is not None,
            first=self.call.info.number == 1,
            counted=self.call.info.number is not None,
            vocabulary=self.call.info.vocabulary,
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
        return StoppedError(f"{self.call.info.vocabulary.name} was told to stop.").followed_by(sentence)

    def _about_to_send_not_deduplicable(self, parts: Parts, checkpoint: Checkpoint) -> None:
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
                f"send_everything_again=True. {self.call.info.vocabulary.remembers}",
            )


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
            subject = field or ("the row" if code == "bad_row" else "the event")
            log.warning("Row %d, %s: %s %s", rejection.row, code, subject, message)
    for line in remarks:
        log.warning("%s", line)
