"""What a running task does: gather the parts of a run, deliver, publish the result, and say how it ended."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from airflow_provider_pinterest.airflow_versions import (
    ObjectStoragePath,
    state_store,
    wake_up_after,
)
from airflow_provider_pinterest.conversions.batches import ENVELOPE, Batcher
from airflow_provider_pinterest.conversions.builder import EventBuilder
from airflow_provider_pinterest.conversions.events import Chunk, Event
from airflow_provider_pinterest.conversions.exclusions import Exclusions
from airflow_provider_pinterest.conversions.mapping import ColumnMapping
from airflow_provider_pinterest.delivery.checkpoint import VERSION, Checkpoint, Finished, StateStore
from airflow_provider_pinterest.delivery.dispatcher import Dispatcher
from airflow_provider_pinterest.delivery.ending import UNBEGUN, UNBEGUN_AT_FIRST, Ending, all_accepted_before, judge
from airflow_provider_pinterest.delivery.interruptible import Stopped
from airflow_provider_pinterest.delivery.progress import Progress
from airflow_provider_pinterest.delivery.reader import ReadAhead, Reading
from airflow_provider_pinterest.delivery.rejects import Rejects, folder_name, legacy_folder_name
from airflow_provider_pinterest.delivery.result import Result, Tally
from airflow_provider_pinterest.delivery.resuming import Attempt, Start, decide_start, start_over
from airflow_provider_pinterest.delivery.run import Mailbox, Observer, Run
from airflow_provider_pinterest.delivery.sections import (
    Section,
    SectionCutter,
    SourceChangedError,
    needs_verification,
    verify_finished,
)
from airflow_provider_pinterest.delivery.sender import OnDoubt, Sender
from airflow_provider_pinterest.delivery.stop import StopSignal
from airflow_provider_pinterest.exceptions import (
    PinterestError,
    ResendRefusedError,
    ResultError,
    StoppedError,
    UnavailableError,
)
from airflow_provider_pinterest.hooks.pinterest import PinterestHook
from airflow_provider_pinterest.links.conversions import RESULT_KEY
from airflow_provider_pinterest.operators.account import shortened
from airflow_provider_pinterest.operators.advice import advice
from airflow_provider_pinterest.operators.failures import for_airflow, log_error, report
from airflow_provider_pinterest.operators.job import attempt_of, fence, not_orphaned, stored_state, try_number
from airflow_provider_pinterest.operators.options import TaskOptions
from airflow_provider_pinterest.problems import Problems
from airflow_provider_pinterest.sources.cursors import Query
from airflow_provider_pinterest.sources.values import Values

if TYPE_CHECKING:
    from airflow_provider_pinterest.airflow_versions import Context
    from airflow_provider_pinterest.conversions.event_names import UnlistedName
    from airflow_provider_pinterest.operators.send_conversions import SendConversionsOperator

WAIT_WHERE_NOBODY_SAYS = dt.timedelta(minutes=5)
"""How long a deferral lasts where Pinterest does not say when to come again."""


@dataclass(frozen=True)
class Job:
    """What all attempts of one execution share.

    :param folder: of the rejects, if any are written.
    :param legacy_folder: where an earlier version wrote them.
    :param store: where checkpoints are stored, if anywhere.
    """

    mapping: ColumnMapping
    exclusions: Exclusions
    hook: PinterestHook
    account: str
    test: bool
    validate_only: bool
    folder: Any
    legacy_folder: Any
    store: StateStore | None
    attempt: Attempt

    @property
    def sends(self) -> bool:
        """Whether events are sent for good."""
        return not (self.test or self.validate_only)


class Execution:
    """One execution of a task.

    :param task: its parameters, rendered.
    :param context: Airflow's.
    :param stop: ends it.
    """

    def __init__(self, task: SendConversionsOperator, context: Context, stop: StopSignal) -> None:
        self._task = task
        self._context = context
        self._stop = stop
        self._options = TaskOptions()

    def run(self, carried: Mapping[str, Any] | None) -> dict[str, Any]:
        """Deliver, or log why that failed and raise it.

        :param carried: the checkpoint that a deferral brought along.
        """
        self._task.delivered_to = ""
        try:
            self._stop.check()
            return self._deliver(carried)
        except PinterestError as error:
            failure = for_airflow(error)
        except Stopped:
            failure = for_airflow(StoppedError(f"The task was told to stop before it began.\n{self._unbegun()}"))
        report(self._task.log, failure)
        raise failure from None  # here, where no traceback leads through this package

    def _deliver(self, carried: Mapping[str, Any] | None) -> dict[str, Any]:
        with self._followed_by(self._unbegun):
            job = self._job()
            state = stored_state(job.store, carried)
        start = decide_start(state, job.attempt)
        if isinstance(start, Finished):
            return self._ended_before(start)
        try:
            return self._attempt(job, start)
        except SourceChangedError as change:
            # Nothing was sent of rows that have changed.
            return self._attempt(job, start_over(change.checkpoint, job.attempt, "The rows of the source"))

    def _job(self) -> Job:
        """Gather what all attempts share, and check it.

        :raises ParameterError: names every parameter and every field of the connection that cannot work.
        """
        found = Problems()
        read = found.checked(self._task.options, otherwise=None)
        self._options = options = read or TaskOptions.of_what_fits(self._task)
        hook = PinterestHook(options.pinterest_conn_id)
        mapping = found.checked(self._mapping, otherwise=None)
        exclusions = found.checked(self._exclusions, otherwise=None)
        found.checked(lambda: hook.check(options.ad_account_id, sends=not options.validate_only), otherwise=None)
        found.raise_all()
        mapping = mapping or self._mapping()
        test, validate_only = options.test, options.validate_only
        account = hook.ad_account_id(options.ad_account_id)
        sends = not (test or validate_only)
        store = state_store(self._context) if options.resume and sends else None
        return Job(
            mapping=mapping,
            exclusions=exclusions or Exclusions(),
            hook=hook,
            account=account,
            test=test,
            validate_only=validate_only,
            folder=self._rejects_folder(folder_name),
            legacy_folder=self._rejects_folder(legacy_folder_name),
            store=store,
            attempt=attempt_of(
                options,
                self._context,
                account=account,
                host="" if validate_only else hook.host(),
                sends=sends,
                remembers=store is not None,
            ),
        )

    def _mapping(self) -> ColumnMapping:
        options = self._options
        return ColumnMapping(
            field_map=options.field_map,
            identifiers=options.identifiers,
            defaults=options.defaults,
            event_id_from=options.event_id_from,
            timezone=options.timezone,
            key_columns=options.key_columns,
            event_names=options.event_names,
            consent_column=options.consent_column,
            **({} if options.placeholders is None else {"placeholders": options.placeholders}),
        )

    def _exclusions(self) -> Exclusions:
        options = self._options
        return Exclusions.of(
            consent_column=options.consent_column,
            minimum_age=options.minimum_age,
            excluded_categories=options.excluded_categories,
            exclude_bots=options.exclude_bots,
            exclude_networks=options.exclude_networks,
        )

    def _attempt(self, job: Job, start: Start) -> dict[str, Any]:
        """Read the source once and deliver what is not accounted for."""
        task, options, checkpoint = self._task, self._options, start.checkpoint
        if start.notice:
            (task.log.warning if start.warn else task.log.info)("%s", start.notice)
        with self._followed_by(lambda: self._said_at_start(job, start)):
            source = task.source(self._context)
            sender = None if job.validate_only else self._sender(job)
            fence(job.store, checkpoint)
            rejects = self._rejects(job, start)
            self._stop.check()
        if job.store and isinstance(source, Query) and not source.ordered:
            task.log.warning(
                "The SQL has no ORDER BY: a retry continues where this attempt ended only if the rows come in the same "
                "order."
            )
        mailbox = Mailbox()
        reading = _Reading(self, job, start, source, sender)
        progress = Progress(
            checkpoint,
            job.store,
            rejects=rejects,
            every_answers=options.max_in_flight,
            resendable=sender.resendable if sender else lambda _: True,
            ahead=2 * options.max_in_flight * options.batch_size,
            on_doubt=options.on_doubt,
        )
        run = Run(
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
            stop=self._stop,
            observer=Observer(
                first_event=self._show if job.validate_only else lambda _: None,
                not_deduplicable=lambda: self._about_to_send_not_deduplicable(job, checkpoint),
            ),
            mailbox=mailbox,
        )
        unexpected, failed = False, True
        try:
            run.deliver()
            run.tally.check(reading.state.rows)
            failed = False
        except UnavailableError as error:
            try:
                self._fail_or_defer(error, job, run, sender)
            except BaseException as raised:
                failed = isinstance(raised, PinterestError)
                raise
        except SourceChangedError as change:
            failed = False  # another attempt at once
            change.checkpoint = progress.last
            raise
        except Stopped:
            raise _stopped(self._said(job, run, sender)) from None
        except PinterestError as error:
            refused = isinstance(error, ResendRefusedError)
            raise error.followed_by(self._said(job, run, sender, refused=refused)) from None
        except BaseException:
            unexpected = True
            raise
        finally:
            reading.close()
            if sender is not None:
                sender.close()
            unlisted = reading.unlisted_names()
            result = Result.of(
                run.tally,
                ad_account_id=job.account,
                test=job.test,
                seconds=run.seconds,
                warnings=reading.warnings,
                coverage=reading.coverage,
                rejects_path=str(job.folder) if rejects is not None and rejects.parts else None,
                resumed_from=checkpoint.rows or None,
                unlisted={one.name: one.events for one in unlisted},
            )
            task.delivered_to = job.account
            self._log_result(run, result, () if failed else advice(result.values, unlisted))
            if failed:
                self._push(result.values)
            if unexpected:
                log_error(task.log, self._said(job, run, sender))
        return self._ended(job, run, result, progress)

    def _ended(self, job: Job, run: Run, result: Result, progress: Progress) -> dict[str, Any]:
        """Judge a run that came to its end, and store that it did."""
        task, options, tally = self._task, self._options, run.tally
        remembers = progress.durable
        finished = progress.finished(identity=job.attempt.identity, result=dict(result.values), problem=None)
        problem = judge(
            tally,
            max_rejected=options.max_rejected,
            min_events=options.min_events,
            max_duplicates=options.max_duplicates,
            remembers=remembers,
            recorded=job.sends,
            offline=finished.offline and not job.attempt.resends_all,
            listed=result.values["rejects_path"],
        )
        progress.finish(replace(finished, problem=problem))
        self._push(result.values)
        if problem:
            raise ResultError(problem)
        earlier = progress.last.earlier
        if earlier is not None and not tally.events_sent and tally.delivered.already_sent:
            when = dt.datetime.fromtimestamp(earlier.written, dt.UTC).strftime("%Y-%m-%d %H:%M UTC")
            task.log.warning("%s", all_accepted_before(tally, when))
        return dict(result.values)

    def _ended_before(self, finished: Finished) -> dict[str, Any]:
        """End as the earlier attempt did, whose worker died before Airflow knew."""
        task = self._task
        task.log.info("An earlier attempt of this run came to its end before its worker died: nothing is sent again.")
        result = {"rows_excluded": 0, "unlisted_event_names": {}, **finished.result}  # an earlier version had neither
        task.delivered_to = str(result.get("ad_account_id") or "")
        self._push(result)
        if finished.problem:
            raise ResultError(finished.problem)
        return result

    def _fail_or_defer(self, error: UnavailableError, job: Job, run: Run, sender: Sender | None) -> None:
        """Defer until Pinterest can be asked again, or fail.

        :raises UnavailableError: the task is not deferrable.
        :raises StoppedError: it was told to stop meanwhile.
        """
        task = self._task
        if not self._options.deferrable:
            raise error.followed_by(self._said(job, run, sender)) from None
        if self._stop.is_set():
            raise _stopped(self._said(job, run, sender)) from None
        wait = error.retry_after or WAIT_WHERE_NOBODY_SAYS.total_seconds()
        rows = run.progress.last.rows
        happened = str(error).partition("\n")[0]
        task.log.info("%s Deferring for %.0f seconds; the task then continues at row %d.", happened, wait, rows + 1)
        task.defer(
            trigger=wake_up_after(wait),
            method_name="resume_delivery",
            kwargs={"checkpoint": run.progress.last.as_json()},
        )

    def _said(self, job: Job, run: Run, sender: Sender | None, *, refused: bool = False) -> str:
        """Return what an attempt that ended early has delivered, and what Clear or a retry will do."""
        progress, attempt = run.progress, job.attempt
        last = progress.last
        doubt = progress.in_doubt
        return Ending(
            run.tally,
            prefix=last.rows,
            doubtful=doubt.again if progress.saved else 0,
            will_be_held=doubt.held,
            remembers=progress.durable,
            recorded=job.sends,
            offline=last.offline,
            waited=sender.waited if sender else 0.0,
            earlier=last.accepted if progress.accounted.rows < last.rows else 0,
            recognised=doubt.recognised,
            accepts_copies=attempt.resends_all,
            repeats=last.unknown_before is not None or not progress.saved,
            forced=attempt.send_again,
            refused=refused,
        ).sentence()

    def _said_at_start(self, job: Job, start: Start) -> str:
        """Return the same of an attempt that ends before it has read a row."""
        checkpoint, attempt = start.checkpoint, job.attempt
        return Ending(
            Tally(),
            prefix=checkpoint.rows,
            remembers=job.store is not None,
            recorded=job.sends,
            offline=checkpoint.offline,
            earlier=checkpoint.accepted,
            accepts_copies=attempt.resends_all,
            repeats=checkpoint.unknown_before is not None,
            forced=attempt.send_again,
        ).sentence()

    def _unbegun(self) -> str:
        """Return the same of an attempt that ends before it knows where to begin."""
        remembers = self._task.resume is not False and state_store(self._context) is not None
        if remembers and try_number(self._context) == 1:
            return UNBEGUN_AT_FIRST
        return UNBEGUN if remembers else Ending(Tally(), remembers=False).sentence()

    @contextmanager
    def _followed_by(self, sentence: Callable[[], str]) -> Iterator[None]:
        """Add a sentence to an error, or log it where the error is not ours."""
        try:
            yield
        except PinterestError as error:
            raise error.followed_by(sentence()) from None
        except Stopped:
            raise _stopped(sentence()) from None
        except BaseException:
            log_error(self._task.log, sentence())
            raise

    def _sender(self, job: Job) -> Sender:
        options = self._options
        max_wait = min(options.max_wait, options.defer_after) if options.deferrable else options.max_wait
        sender = job.hook.sender(
            job.account,
            test=job.test,
            connections=options.max_in_flight,
            on_doubt=OnDoubt(options.on_doubt) if options.on_doubt else None,
            max_wait=max_wait.total_seconds(),
            guard=not_orphaned(),
        )
        self._stop.on_set(sender.abort)
        return sender

    def _rejects(self, job: Job, start: Start) -> Rejects | None:
        """Open the folder of the rejects, and prove that it can be written to.

        :raises RejectsError: it cannot.
        """
        if job.folder is None:
            return None
        checkpoint = start.checkpoint
        rejects = Rejects(
            job.folder,
            attempt=try_number(self._context),
            keep=checkpoint.keeps if start.resume else None,
            known=checkpoint.parts,
            earlier=(job.legacy_folder,) if checkpoint.version < VERSION else (),
        )
        rejects.probe()
        return rejects

    def _about_to_send_not_deduplicable(self, job: Job, checkpoint: Checkpoint) -> None:
        """Refuse to send events a second time that Pinterest cannot recognise.

        :raises ResendRefusedError: an earlier attempt may have sent them.
        """
        task = self._task
        if job.folder is None:
            task.log.warning(
                "There are events that Pinterest cannot deduplicate, and no rejects_path: if an outcome stays unknown, "
                "only the count of such events will be known."
            )
        if checkpoint.unknown_before is not None:
            raise ResendRefusedError(
                f"This is attempt {job.attempt.number}, it is not known what an earlier one sent, and among the rows "
                "are events that Pinterest cannot deduplicate (action_source offline): they could be counted twice, so "
                "they were not sent.",
                advice="If no earlier attempt sent any, or counting twice is acceptable, set "
                "send_everything_again=True. Airflow 3.3 or later remembers how far an attempt came, with resume=True.",
            )

    def _rejects_folder(self, name: Any) -> Any:
        """Return the folder of this run's rejects, the same for every attempt."""
        folder = self._options.rejects_path
        if not folder:
            return None
        ti = self._context["ti"]
        index = getattr(ti, "map_index", -1)
        parts = (getattr(ti, name, None) for name in ("dag_id", "run_id", "task_id"))
        return ObjectStoragePath(folder) / name(*parts, index if index not in (-1, None) else "")

    def _show(self, event: Event) -> None:
        """Log one event as it would go out, its identifiers shortened."""
        task = self._task
        task.log.info("One event as it would be sent, identifiers shortened:\n%s", shortened(event.body))

    def _push(self, values: Mapping[str, Any]) -> None:
        """Push the result to XCom, before the task can fail."""
        if self._task.pushes_result:
            self._context["ti"].xcom_push(key=RESULT_KEY, value=dict(values))

    def _log_result(self, run: Run, result: Result, remarks: Iterable[str]) -> None:
        """Write the result into the log, and some of the rejected rows."""
        task = self._task
        if run.tally.rows_read or run.finished:
            task.log.info("%s", result.table())
        for rejection in run.progress.examples:
            for code, field, message in rejection.reasons:
                task.log.warning("Row %d, %s: %s %s", rejection.row, code, field or "the event", message)
        for line in remarks:
            task.log.warning("%s", line)


def _stopped(sentence: str) -> StoppedError:
    return StoppedError(f"The task was told to stop.\n{sentence}")


class _Reading:
    """The source of one attempt, from its rows to sections."""

    def __init__(self, execution: Execution, job: Job, start: Start, source: Any, sender: Sender | None) -> None:
        task, options, checkpoint = execution._task, execution._options, start.checkpoint  # noqa: SLF001
        self.state = Reading()
        self._options = options
        self._job = job
        self._clock = checkpoint.clock
        self._source = source
        self._earlier = checkpoint.earlier if start.resume else None
        self._resends_held = bool(sender and sender.resends_all)
        self._verifies = self._earlier is not None and needs_verification(
            self._earlier, resends_held=self._resends_held
        )
        once = isinstance(source, Values) and source.once
        self._first_source = task.source(execution._context) if self._verifies and once else source  # noqa: SLF001
        self._builder = self._new_builder(options.processes)
        self.cutter = SectionCutter(
            Batcher(options.batch_size, options.max_batch_bytes),
            checkpoint if start.resume else None,
            resends_held=self._resends_held,
            unknown_before=checkpoint.unknown_before,
            lines=job.folder is not None,
        )

    def sections(self) -> Iterator[Section]:
        """Yield the sections of the source."""
        earlier = self._earlier
        if earlier is not None and self._verifies:
            builder = self._new_builder(0)
            with closing(self._first_source.chunks()) as chunks:
                outcomes = builder.events(self.state.unlocked(chunks))
                self.cutter.expect(verify_finished(outcomes, earlier, resends_held=self._resends_held))
        with closing(self._source.chunks()) as chunks:
            yield from self.cutter.sections(self._builder.events(self._counted(chunks)))

    @property
    def warnings(self) -> Mapping[str, int]:
        """Warning code → events."""
        return self._builder.warnings

    @property
    def coverage(self) -> Mapping[str, int]:
        """Field → events that carry it."""
        return self._builder.coverage

    def unlisted_names(self) -> Sequence[UnlistedName]:
        """Return the most frequent names of events that Pinterest does not list."""
        return self._builder.unlisted_names()

    def close(self) -> None:
        """End the processes, if there are any."""
        self._builder.close()

    def _new_builder(self, processes: int) -> EventBuilder:
        return EventBuilder(
            self._job.mapping,
            now=self._clock,
            max_event_age=self._options.max_event_age,
            max_event_bytes=self._options.max_batch_bytes - ENVELOPE,
            exclusions=self._job.exclusions,
            processes=processes,
        )

    def _counted(self, chunks: Iterable[Chunk]) -> Iterator[Chunk]:
        """Count the rows of the source, and check the columns of the first chunk.

        :raises MappingError: they cannot be mapped.
        """
        complete = isinstance(self._source, Query)
        for position, chunk in enumerate(self.state.unlocked(chunks)):
            if position == 0:
                self._job.mapping.check(chunk.columns, complete=complete)
            self.state.rows += len(chunk.rows)
            yield chunk
