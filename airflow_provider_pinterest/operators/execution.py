"""What a running task does: gather, deliver, account, and say how it ended."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException, ObjectStoragePath

from airflow_provider_pinterest.airflow_versions import state_store, wake_up_after
from airflow_provider_pinterest.conversions.batches import ENVELOPE, Batcher
from airflow_provider_pinterest.conversions.builder import EventBuilder
from airflow_provider_pinterest.conversions.events import Chunk, Event
from airflow_provider_pinterest.conversions.mapping import ColumnMapping
from airflow_provider_pinterest.delivery.checkpoint import Checkpoint, Finished, Keeper, fingerprint
from airflow_provider_pinterest.delivery.pace import Stopped
from airflow_provider_pinterest.delivery.rejects import Rejects, folder_name
from airflow_provider_pinterest.delivery.result import Result
from airflow_provider_pinterest.delivery.resuming import SourceChanged
from airflow_provider_pinterest.delivery.run import Plan, Run
from airflow_provider_pinterest.delivery.sender import OnDoubt
from airflow_provider_pinterest.delivery.window import Window
from airflow_provider_pinterest.exceptions import MappingError, ParameterError, UnavailableError
from airflow_provider_pinterest.hooks.pinterest import PinterestHook
from airflow_provider_pinterest.links.conversions import RESULT_KEY
from airflow_provider_pinterest.operators.account import judge, shortened
from airflow_provider_pinterest.operators.job import DECISIVE, Job, max_tries, not_orphaned, try_number
from airflow_provider_pinterest.operators.limits import boolean, check
from airflow_provider_pinterest.sources.cursors import Query

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_pinterest.operators.send_conversions import SendConversionsOperator


class WrongParameterError(ParameterError, AirflowFailException):
    """A parameter that cannot work: the task fails without retry."""


class WrongMappingError(MappingError, AirflowFailException):
    """Columns that cannot be mapped: the task fails without retry."""


class Execution:
    """One execution of a task.

    :param task: its parameters, rendered.
    :param context: Airflow's.
    """

    def __init__(self, task: SendConversionsOperator, context: Context) -> None:
        self._task = task
        self._context = context

    def run(self, carried: Mapping[str, Any] | None) -> dict[str, Any]:
        """Deliver; wrong parameters and columns fail the task at once, on every version of Airflow.

        :param carried: the checkpoint that a deferral brought along.
        """
        try:
            return self._deliver(None if carried is None else Checkpoint.from_json(carried))
        except MappingError as error:
            raise WrongMappingError(str(error)) from error
        except ParameterError as error:
            raise WrongParameterError(str(error)) from error

    def _deliver(self, carried: Checkpoint | None) -> dict[str, Any]:
        """Deliver the rows, from the first or from where a checkpoint names.

        :param carried: the checkpoint that a deferral brought along.
        """
        task = self._task
        check(task)
        account = PinterestHook(task.pinterest_conn_id).ad_account_id(task.ad_account_id)
        job = self._job(account)
        try:
            found = carried or job.found(self._context, resends_all=task.on_doubt == OnDoubt.RESEND)
            if isinstance(found, Finished):
                return self._ended_before(found)
            return self._attempt(job, found)
        except SourceChanged as change:
            if change.harmful:
                raise AirflowFailException(
                    "The source no longer begins with the rows that an earlier try sent, or the parameters are others, "
                    "and Pinterest would not recognise all of those events: they are offline ones, or were sent almost "
                    "24 hours ago or earlier. Sending again would count them twice. Look at that try's result, leave "
                    "those rows out, and run with resume=False and on_doubt='resend'."
                ) from None
            task.log.warning(
                "The source no longer begins with the rows that an earlier try sent: starting over. Pinterest "
                "deduplicates what it has, by event_name and event_id, for 24 hours."
            )
            return self._attempt(job, None)

    def _job(self, account: str) -> Job:
        """Gather what all attempts of this run share."""
        task = self._task
        test = boolean("test", task.test)
        validate_only = boolean("validate_only", task.validate_only)
        if task.on_doubt == OnDoubt.HOLD and not task.rejects_path:
            raise ParameterError("on_doubt='hold' needs rejects_path: held events are listed there.")
        decisive = {name: getattr(task, name) for name in DECISIVE}
        return Job(
            mapping=ColumnMapping(
                field_map=task.field_map,
                identifiers=task.identifiers,
                defaults=task.defaults,
                event_id_from=task.event_id_from,
                timezone=task.timezone,
                key_columns=task.key_columns,
            ),
            account=account,
            test=test,
            validate_only=validate_only,
            folder=self._rejects_folder(),
            store=state_store(self._context) if task.resume and not test and not validate_only else None,
            fingerprint=fingerprint(account=account, **decisive),
        )

    def _attempt(self, job: Job, resume: Checkpoint | None) -> dict[str, Any]:
        """Read the source once and deliver what is not settled."""
        task = self._task
        clock = resume.clock if resume else time.time()
        source = task.source(self._context)
        keeper = Keeper(resume or Checkpoint(job.fingerprint, clock), job.store, every_answers=task.max_in_flight)
        rejects = None if job.folder is None else Rejects(job.folder, resume.settles if resume else None)
        plan = None if job.validate_only else self._plan(job, keeper, resume)
        # The builder after all that may be refused: it starts processes, which the run ends when it was fed.
        run = Run(
            EventBuilder(
                job.mapping,
                now=clock,
                max_event_age=task.max_event_age,
                max_event_bytes=task.max_batch_bytes - ENVELOPE,
                processes=task.processes,
            ),
            Batcher(task.batch_size, task.max_batch_bytes),
            plan,
            rejects=rejects,
            on_first_event=self._show if job.validate_only else lambda _: None,
            on_once_only=lambda: self._about_to_send_once_only(job, resume),
        )
        if job.store and isinstance(source, Query) and not source.ordered:
            task.log.warning(
                "The SQL has no ORDER BY: a retry goes on where this try ended only if the rows come in the same order"
            )
        if resume:
            task.log.info("Going on from an earlier try, which settled everything up to row %s", f"{resume.rows:,}")
        elif try_number(self._context) > 1 and not (job.store or job.test or job.validate_only):
            task.log.warning(
                "Nothing tells how far an earlier try came: everything is sent again, and Pinterest deduplicates by "
                "event_name and event_id for 24 hours"
            )
        elif try_number(self._context) > 1 and not job.validate_only:
            task.log.info("No earlier try left rows settled: beginning with the first row")
        try:
            with closing(source.chunks()) as chunks:
                run.feed(_checked(chunks, job.mapping, complete=isinstance(source, Query)))
        except UnavailableError as error:
            if not task.deferrable:
                raise
            wait = error.retry_after or task.max_wait.total_seconds()
            task.log.info("Pinterest cannot take events now: deferred for %.0f s", wait)
            task.defer(
                trigger=wake_up_after(wait),
                method_name="resume_delivery",
                kwargs={"checkpoint": keeper.last.as_json()},
            )
        except Stopped:
            raise AirflowException("The task was told to stop; its result says what was sent.") from None
        finally:
            result = Result.of(
                run.tally,
                ad_account_id=job.account,
                test=job.test,
                seconds=run.seconds,
                warnings=run.warnings,
                coverage=run.coverage,
                rejects_path=str(job.folder) if rejects is not None and rejects.parts else None,
                resumed_from=resume.rows if resume else None,
            )
            self._publish(run, result)
        problem = judge(run.tally, max_rejected=task.max_rejected, min_events=task.min_events)
        where = result.values["rejects_path"]
        problem = f"{problem} The rows are listed in {where}." if problem and where else problem
        keeper.finish(Finished(dict(result.values), problem, max_tries(self._context)))
        if problem:
            raise AirflowFailException(problem)
        return dict(result.values)

    def _ended_before(self, finished: Finished) -> dict[str, Any]:
        """End as the earlier try did, whose worker died before Airflow knew."""
        task = self._task
        task.log.info("An earlier try of this run came to its end, and died before Airflow knew: nothing is sent again")
        result = dict(finished.result)
        self._context["ti"].xcom_push(key=RESULT_KEY, value=result)
        if finished.problem:
            raise AirflowFailException(finished.problem)
        return result

    def _plan(self, job: Job, keeper: Keeper, resume: Checkpoint | None) -> Plan:
        """Gather what a run that sends works with."""
        task = self._task
        sender = task.sender = PinterestHook(task.pinterest_conn_id).sender(
            job.account,
            test=job.test,
            connections=task.max_in_flight,
            on_doubt=OnDoubt(task.on_doubt) if task.on_doubt else None,
            max_wait=task.max_wait.total_seconds(),
            guard=not_orphaned(),
        )
        return Plan(sender, Window(sender.deliver, task.max_in_flight), keeper, resume)

    def _about_to_send_once_only(self, job: Job, resume: Checkpoint | None) -> None:
        """Refuse to send events a second time that cannot be told apart, where nothing tells what was sent.

        :raises AirflowFailException: this is not the first try, and nothing is remembered of the earlier ones.
        """
        task = self._task
        if job.folder is None:
            task.log.warning(
                "There are events that Pinterest cannot deduplicate, and no rejects_path: should an outcome stay "
                "unknown, only its count will be known"
            )
        if resume is None and job.store is None and try_number(self._context) > 1:
            raise AirflowFailException(
                "This is not the first try, nothing tells what an earlier one sent, and among the rows are events that "
                "Pinterest cannot deduplicate (action_source offline): they could be counted twice. If no earlier try "
                "sent any, or counting twice is acceptable, set on_doubt='resend'. Airflow 3.3 remembers how far a try "
                "came (with resume=True)."
            )

    def _rejects_folder(self) -> Any:
        """Return the folder of this run's rejects, the same for every try."""
        task = self._task
        if not task.rejects_path:
            return None
        ti = self._context["ti"]
        index = getattr(ti, "map_index", -1)
        parts = (getattr(ti, name, None) for name in ("dag_id", "run_id", "task_id"))
        return ObjectStoragePath(task.rejects_path) / folder_name(*parts, index if index not in (-1, None) else "")

    def _show(self, event: Event) -> None:
        """Log one event as it would go out, its identifiers shortened."""
        task = self._task
        task.log.info("One event as it would be sent, identifiers shortened:\n%s", shortened(event.body))

    def _publish(self, run: Run, result: Result) -> None:
        """Push the account to XCom and write it into the log."""
        task = self._task
        self._context["ti"].xcom_push(key=RESULT_KEY, value=dict(result.values))
        if run.tally.rows_read or run.finished:
            task.log.info("%s", result.table())
        for rejection in run.examples:
            for code, field, message in rejection.reasons:
                task.log.warning("Row %d, %s: %s %s", rejection.row, code, field or "the event", message)


def _checked(chunks: Iterable[Chunk], mapping: ColumnMapping, *, complete: bool) -> Iterator[Chunk]:
    """Pass chunks on, the first only if its columns can be mapped.

    :param complete: whether the first chunk shows all columns there are.
    :raises MappingError: they cannot.
    """
    for position, chunk in enumerate(chunks):
        if position == 0:
            mapping.check(chunk.columns, complete=complete)
        yield chunk
