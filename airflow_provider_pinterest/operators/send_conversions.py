"""Rows from a warehouse query or from XCom, delivered to Pinterest and accounted for."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any, ClassVar, Final

from airflow.providers.common.compat.sdk import (
    AirflowException,
    AirflowFailException,
    BaseHook,
    BaseOperator,
    ObjectStoragePath,
    XComArg,
)
from airflow.providers.common.sql.hooks.sql import DbApiHook

from airflow_provider_pinterest.airflow_versions import state_store, wake_up_after
from airflow_provider_pinterest.conversions.batches import ENVELOPE, MAX_EVENTS, Batcher
from airflow_provider_pinterest.conversions.builder import EventBuilder
from airflow_provider_pinterest.conversions.events import Chunk, Event
from airflow_provider_pinterest.conversions.mapping import ColumnMapping
from airflow_provider_pinterest.delivery.checkpoint import Checkpoint, Finished, Keeper, fingerprint
from airflow_provider_pinterest.delivery.pace import Stopped
from airflow_provider_pinterest.delivery.rejects import Rejects, folder_name
from airflow_provider_pinterest.delivery.result import Result
from airflow_provider_pinterest.delivery.run import Plan, Run, SourceChanged
from airflow_provider_pinterest.delivery.sender import OnDoubt, Sender
from airflow_provider_pinterest.delivery.window import Window
from airflow_provider_pinterest.exceptions import MappingError, ParameterError, UnavailableError
from airflow_provider_pinterest.hooks.pinterest import PinterestHook
from airflow_provider_pinterest.links.conversions import RESULT_KEY, AdsManagerConversionsLink
from airflow_provider_pinterest.operators.account import judge, shortened
from airflow_provider_pinterest.operators.job import DECISIVE, Job, max_tries, not_orphaned, try_number
from airflow_provider_pinterest.sources.cursors import Query
from airflow_provider_pinterest.sources.values import Values

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

SMALLEST_BATCH: Final = 10_000
"""Bytes that a batch must be allowed at least: one event of the usual size fits several times."""

MOST_IN_FLIGHT: Final = 64
"""Batches under way at once at most: twice what the published limit needs at 300 ms."""

MOST_PROCESSES: Final = 32
"""Processes at most: the task reads and sends for a few only."""


class WrongParameterError(ParameterError, AirflowFailException):
    """A parameter that cannot work: the task fails without retry."""


class WrongMappingError(MappingError, AirflowFailException):
    """Columns that cannot be mapped: the task fails without retry."""


class Withheld:
    """Rows on their way into ``execute``: Airflow stores and shows what templates rendered to, but not these."""

    def __init__(self, rows: object) -> None:
        self.rows = rows

    def __repr__(self) -> str:
        size = len(self.rows) if isinstance(self.rows, Sequence) and not isinstance(self.rows, str) else "some"
        return f"<{size} rows, not shown>"


class SendConversionsOperator(BaseOperator):
    """Send conversion events to Pinterest: read, map, hash, validate, batch, deliver, and account for every row.

    Rows come from one source: ``sql`` or ``events``. Columns named like fields of the API or their aliases need
    no mapping. Rows that are no valid event are rejected with coded reasons; the rest is delivered. The account
    of the run is pushed to XCom as ``pinterest_result`` before the task can fail, and returned.

    https://developers.pinterest.com/docs/api/v5/events-create/

    :param sql: a statement that returns one row per event, or the path of a ``.sql`` file (templated).
    :param sql_conn_id: the warehouse's connection, of any type whose hook is a ``DbApiHook`` (templated).
    :param hook_params: passed to the warehouse's hook.
    :param parameters: bound to the statement by the driver (templated).
    :param events: a list of rows or ready events, or an upstream task's ``.output``. Not templated, and never
        stored among the task's rendered fields.
    :param field_map: column → field path or alias; ``None`` ignores the column.
    :param identifiers: switches per identifier, such as ``{"ph": {"country": "DE"}}``.
    :param defaults: field path or alias → value for rows that lack it (templated).
    :param event_id_from: columns that make a deterministic ``event_id`` where a row has none.
    :param timezone: the zone of naive times, such as ``Europe/Berlin``.
    :param pinterest_conn_id: the Pinterest connection (templated).
    :param ad_account_id: digits; ``None``: the connection's (templated).
    :param test: send with ``?test=true``: Pinterest validates and does not record (templated).
    :param validate_only: do everything but the calls, and log one event as it would go out (templated).
    :param max_rejected: rows rejected or failed that are tolerated: an int counts rows, a float is a share of
        the rows read. Beyond it the task fails without retry, after delivering the rest.
    :param min_events: fewer events processed than this fail the task without retry.
    :param max_event_age: older rows are rejected.
    :param batch_size: events of a request, 1 to 1,000.
    :param max_batch_bytes: bytes of a request's body.
    :param on_doubt: what to do with events that were sent and whose outcome is unknown: ``"resend"`` or ``"hold"``;
        ``None``: resend those that Pinterest deduplicates, hold those from ``offline``, which it cannot.
    :param max_in_flight: batches under way at once.
    :param processes: processes that make events of rows beside the task's own, which otherwise does it: with two
        cores or more, 1 or 2 nearly double the speed.
    :param max_wait: the longest a batch waits for Pinterest to be available again before the task hands back.
    :param deferrable: hand back by deferring until Pinterest can be asked again, instead of failing.
    :param rejects_path: folder for rejected, failed and held rows as NDJSON: a local path or the URL of an object
        store, as ``ObjectStoragePath`` takes it (templated).
    :param key_columns: columns copied into the rejects, so that a person finds the row.
    :param resume: on Airflow 3.3 and later, let a retry go on where an earlier try ended.
    :raises ParameterError: a parameter or a column cannot work; nothing was sent.
    :raises SourceError: the source could not be read to its end.
    :raises DeliveryError: Pinterest does not take the events; rows not sent are counted as such.
    :raises AirflowFailException: all that could be delivered is, and too many rows were rejected, too few events
        were processed, or some are held.
    """

    template_fields: Sequence[str] = (
        "sql",
        "sql_conn_id",
        "parameters",
        "events",
        "defaults",
        "pinterest_conn_id",
        "ad_account_id",
        "test",
        "validate_only",
        "rejects_path",
    )
    template_ext: Sequence[str] = (".sql",)
    template_fields_renderers: ClassVar[dict[str, str]] = {
        "sql": "sql",
        "parameters": "json",
        "defaults": "json",
    }
    operator_extra_links = (AdsManagerConversionsLink(),)
    ui_color = "#fde0e4"

    def __init__(
        self,
        *,
        sql: str | None = None,
        sql_conn_id: str | None = None,
        hook_params: dict[str, Any] | None = None,
        parameters: Mapping[str, Any] | Sequence[Any] | None = None,
        events: Iterable[Mapping[str, Any]] | XComArg | None = None,
        field_map: Mapping[str, str | None] | None = None,
        identifiers: Mapping[str, Mapping[str, Any]] | None = None,
        defaults: Mapping[str, Any] | None = None,
        event_id_from: Sequence[str] = (),
        timezone: str = "UTC",
        pinterest_conn_id: str = PinterestHook.default_conn_name,
        ad_account_id: str | None = None,
        test: bool | str = False,
        validate_only: bool | str = False,
        max_rejected: float = 0.01,
        min_events: int = 0,
        max_event_age: dt.timedelta | None = None,
        batch_size: int = MAX_EVENTS,
        max_batch_bytes: int = 2_000_000,
        on_doubt: str | None = None,
        max_in_flight: int = 8,
        processes: int = 0,
        max_wait: dt.timedelta = dt.timedelta(minutes=10),
        deferrable: bool = False,
        rejects_path: str | None = None,
        key_columns: Sequence[str] = (),
        resume: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.sql = sql
        self.sql_conn_id = sql_conn_id
        self.hook_params = hook_params
        self.parameters = parameters
        self.events = events
        self.field_map = field_map
        self.identifiers = identifiers
        self.defaults = defaults
        self.event_id_from = event_id_from
        self.timezone = timezone
        self.pinterest_conn_id = pinterest_conn_id
        self.ad_account_id = ad_account_id
        self.test = test
        self.validate_only = validate_only
        self.max_rejected = max_rejected
        self.min_events = min_events
        self.max_event_age = max_event_age
        self.batch_size = batch_size
        self.max_batch_bytes = max_batch_bytes
        self.on_doubt = on_doubt
        self.max_in_flight = max_in_flight
        self.processes = processes
        self.max_wait = max_wait
        self.deferrable = deferrable
        self.rejects_path = rejects_path
        self.key_columns = key_columns
        self.resume = resume
        self._sender: Sender | None = None

    def execute(self, context: Context) -> dict[str, Any]:
        """Deliver the rows and return the account of the run."""
        return self._without_vain_retries(context, None)

    def resume_delivery(self, context: Context, event: Any, checkpoint: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG002
        """Go on after a deferral, where it left off."""
        return self._without_vain_retries(context, Checkpoint.from_json(checkpoint))

    def on_kill(self) -> None:
        """Send nothing more, and cut off what is under way."""
        if self._sender is not None:
            self._sender.abort()

    def _without_vain_retries(self, context: Context, carried: Checkpoint | None) -> dict[str, Any]:
        """Deliver; wrong parameters and columns fail the task at once, on every version of Airflow."""
        try:
            return self._deliver(context, carried)
        except MappingError as error:
            raise WrongMappingError(str(error)) from error
        except ParameterError as error:
            raise WrongParameterError(str(error)) from error

    def _deliver(self, context: Context, carried: Checkpoint | None) -> dict[str, Any]:
        """Deliver the rows, from the first or from where a checkpoint names.

        :param carried: the checkpoint that a deferral brought along.
        """
        self._check_limits()
        account = PinterestHook(self.pinterest_conn_id).ad_account_id(self.ad_account_id)
        job = self._job(context, account)
        try:
            found = carried or job.found(context, resends_all=self.on_doubt == OnDoubt.RESEND)
            if isinstance(found, Finished):
                return self._ended_before(context, found)
            return self._attempt(context, job, found)
        except SourceChanged as change:
            if change.harmful:
                raise AirflowFailException(
                    "The source no longer begins with the rows that an earlier try sent, or the parameters are others, "
                    "and Pinterest would not recognise all of those events: they are offline ones, or were sent almost "
                    "24 hours ago or earlier. Sending again would count them twice. Look at that try's result, leave "
                    "those rows out, and run with resume=False and on_doubt='resend'."
                ) from None
            self.log.warning(
                "The source no longer begins with the rows that an earlier try sent: starting over. Pinterest "
                "deduplicates what it has, by event_name and event_id, for 24 hours."
            )
            return self._attempt(context, job, None)

    def _job(self, context: Context, account: str) -> Job:
        """Gather what all attempts of this run share."""
        test = _boolean("test", self.test)
        validate_only = _boolean("validate_only", self.validate_only)
        if self.on_doubt == OnDoubt.HOLD and not self.rejects_path:
            raise ParameterError("on_doubt='hold' needs rejects_path: held events are listed there.")
        decisive = {name: getattr(self, name) for name in DECISIVE}
        return Job(
            mapping=ColumnMapping(
                field_map=self.field_map,
                identifiers=self.identifiers,
                defaults=self.defaults,
                event_id_from=self.event_id_from,
                timezone=self.timezone,
                key_columns=self.key_columns,
            ),
            account=account,
            test=test,
            validate_only=validate_only,
            folder=self._rejects_folder(context),
            store=state_store(context) if self.resume and not test and not validate_only else None,
            fingerprint=fingerprint(account=account, **decisive),
        )

    def _attempt(self, context: Context, job: Job, resume: Checkpoint | None) -> dict[str, Any]:
        """Read the source once and deliver what is not settled."""
        clock = resume.clock if resume else time.time()
        source = self._source(context)
        keeper = Keeper(resume or Checkpoint(job.fingerprint, clock), job.store, every_answers=self.max_in_flight)
        rejects = None if job.folder is None else Rejects(job.folder, resume.settles if resume else None)
        run = Run(
            EventBuilder(
                job.mapping,
                now=clock,
                max_event_age=self.max_event_age,
                max_event_bytes=self.max_batch_bytes - ENVELOPE,
                processes=self.processes,
            ),
            Batcher(self.batch_size, self.max_batch_bytes),
            None if job.validate_only else self._plan(job, keeper, resume),
            rejects=rejects,
            on_first_event=self._show if job.validate_only else lambda _: None,
            on_once_only=lambda: self._about_to_send_once_only(context, job, resume),
        )
        if job.store and isinstance(source, Query) and not source.ordered:
            self.log.warning(
                "The SQL has no ORDER BY: a retry goes on where this try ended only if the rows come in the same order"
            )
        if resume:
            self.log.info("Going on from an earlier try, which settled everything up to row %s", f"{resume.rows:,}")
        elif try_number(context) > 1 and not (job.store or job.test or job.validate_only):
            self.log.warning(
                "Nothing tells how far an earlier try came: everything is sent again, and Pinterest deduplicates by "
                "event_name and event_id for 24 hours"
            )
        elif try_number(context) > 1 and not job.validate_only:
            self.log.info("No earlier try left rows settled: beginning with the first row")
        try:
            with closing(source.chunks()) as chunks:
                run.feed(_checked(chunks, job.mapping, complete=isinstance(source, Query)))
        except UnavailableError as error:
            if not self.deferrable:
                raise
            wait = error.retry_after or self.max_wait.total_seconds()
            self.log.info("Pinterest cannot take events now: deferred for %.0f s", wait)
            self.defer(
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
            self._publish(context, run, result)
        problem = judge(run.tally, max_rejected=self.max_rejected, min_events=self.min_events)
        where = result.values["rejects_path"]
        problem = f"{problem} The rows are listed in {where}." if problem and where else problem
        keeper.finish(Finished(dict(result.values), problem, max_tries(context)))
        if problem:
            raise AirflowFailException(problem)
        return dict(result.values)

    def _ended_before(self, context: Context, finished: Finished) -> dict[str, Any]:
        """End as the earlier try did, whose worker died before Airflow knew."""
        self.log.info("An earlier try of this run came to its end, and died before Airflow knew: nothing is sent again")
        result = dict(finished.result)
        context["ti"].xcom_push(key=RESULT_KEY, value=result)
        if finished.problem:
            raise AirflowFailException(finished.problem)
        return result

    def _plan(self, job: Job, keeper: Keeper, resume: Checkpoint | None) -> Plan:
        """Gather what a run that sends works with."""
        sender = self._sender = PinterestHook(self.pinterest_conn_id).sender(
            job.account,
            test=job.test,
            connections=self.max_in_flight,
            on_doubt=OnDoubt(self.on_doubt) if self.on_doubt else None,
            max_wait=self.max_wait.total_seconds(),
            guard=not_orphaned(),
        )
        return Plan(sender, Window(sender.deliver, self.max_in_flight), keeper, resume)

    def _about_to_send_once_only(self, context: Context, job: Job, resume: Checkpoint | None) -> None:
        """Refuse to send events a second time that cannot be told apart, where nothing tells what was sent.

        :raises AirflowFailException: this is not the first try, and nothing is remembered of the earlier ones.
        """
        if job.folder is None:
            self.log.warning(
                "There are events that Pinterest cannot deduplicate, and no rejects_path: should an outcome stay "
                "unknown, only its count will be known"
            )
        if resume is None and job.store is None and try_number(context) > 1:
            raise AirflowFailException(
                "This is not the first try, nothing tells what an earlier one sent, and among the rows are events that "
                "Pinterest cannot deduplicate (action_source offline): they could be counted twice. If no earlier try "
                "sent any, or counting twice is acceptable, set on_doubt='resend'. Airflow 3.3 remembers how far a try "
                "came (with resume=True)."
            )

    def _do_render_template_fields(
        self,
        parent: Any,
        template_fields: Iterable[str],
        context: Context,
        jinja_env: Any,
        seen_oids: set[int],
    ) -> None:
        """Render all fields but ``events``, whose rows must not end up among the rendered fields."""
        others = [name for name in template_fields if name != "events"]
        super()._do_render_template_fields(parent, others, context, jinja_env, seen_oids)
        if parent.events is not None and not isinstance(parent.events, (XComArg, Withheld, str)):
            parent.events = Withheld(parent.events)

    def _check_limits(self) -> None:
        """Refuse limits that cannot work.

        :raises ParameterError: says which.
        """
        if not _whole(self.batch_size) or not 1 <= self.batch_size <= MAX_EVENTS:
            raise ParameterError(f"batch_size must be 1 to {MAX_EVENTS}, got {self.batch_size!r}.")
        if not _whole(self.max_batch_bytes) or self.max_batch_bytes < SMALLEST_BATCH:
            raise ParameterError(f"max_batch_bytes must be {SMALLEST_BATCH} or more, got {self.max_batch_bytes!r}.")
        if not _whole(self.min_events) or self.min_events < 0:
            raise ParameterError(f"min_events must be 0 or more, got {self.min_events!r}.")
        share = isinstance(self.max_rejected, float) and 0 <= self.max_rejected <= 1
        if not share and not (_whole(self.max_rejected) and self.max_rejected >= 0):
            raise ParameterError(
                "max_rejected must be a number of rows (int) or a share from 0.0 to 1.0 (float), "
                f"got {self.max_rejected!r}."
            )
        if not _whole(self.max_in_flight) or not 1 <= self.max_in_flight <= MOST_IN_FLIGHT:
            raise ParameterError(f"max_in_flight must be 1 to {MOST_IN_FLIGHT}, got {self.max_in_flight!r}.")
        if not _whole(self.processes) or not 0 <= self.processes <= MOST_PROCESSES:
            raise ParameterError(f"processes must be 0 to {MOST_PROCESSES}, got {self.processes!r}.")
        if not isinstance(self.max_wait, dt.timedelta) or self.max_wait < dt.timedelta():
            raise ParameterError(f"max_wait must be a timedelta of zero or more, got {self.max_wait!r}.")
        if self.on_doubt not in (None, *OnDoubt):
            raise ParameterError(f"on_doubt must be 'resend', 'hold' or None, got {self.on_doubt!r}.")
        if self.max_event_age is not None and not (
            isinstance(self.max_event_age, dt.timedelta) and self.max_event_age > dt.timedelta()
        ):
            raise ParameterError(f"max_event_age must be a positive timedelta, got {self.max_event_age!r}.")

    def _source(self, context: Context) -> Query | Values:
        """Return the rows' source.

        :raises ParameterError: there is none, or more than one, or it cannot be read.
        """
        if (self.sql is None) == (self.events is None):
            which = "neither" if self.sql is None else "both"
            raise ParameterError(f"Pass one source of rows, sql or events; got {which}.")
        if self.sql is None:
            events: object = self.events.rows if isinstance(self.events, Withheld) else self.events
            return Values(events.resolve(context) if isinstance(events, XComArg) else events)
        if not isinstance(self.sql, str) or not self.sql.strip():
            raise ParameterError("sql must be one statement, as text or the path of a .sql file.")
        if not self.sql_conn_id:
            raise ParameterError("sql needs sql_conn_id, the connection of the warehouse.")
        hook = BaseHook.get_connection(self.sql_conn_id).get_hook(hook_params=self.hook_params)  # type: ignore[no-untyped-call]
        if not isinstance(hook, DbApiHook):
            raise ParameterError(
                f"sql_conn_id {self.sql_conn_id!r} is of a type whose hook, {type(hook).__name__}, is no DbApiHook."
            )
        return Query(hook, self.sql, self.parameters)

    def _rejects_folder(self, context: Context) -> Any:
        """Return the folder of this run's rejects, the same for every try."""
        if not self.rejects_path:
            return None
        ti = context["ti"]
        index = getattr(ti, "map_index", -1)
        parts = (getattr(ti, name, None) for name in ("dag_id", "run_id", "task_id"))
        return ObjectStoragePath(self.rejects_path) / folder_name(*parts, index if index not in (-1, None) else "")

    def _show(self, event: Event) -> None:
        """Log one event as it would go out, its identifiers shortened."""
        self.log.info("One event as it would be sent, identifiers shortened:\n%s", shortened(event.body))

    def _publish(self, context: Context, run: Run, result: Result) -> None:
        """Push the account to XCom and write it into the log."""
        context["ti"].xcom_push(key=RESULT_KEY, value=dict(result.values))
        if run.tally.rows_read or run.finished:
            self.log.info("%s", result.table())
        for rejection in run.examples:
            for code, field, message in rejection.reasons:
                self.log.warning("Row %d, %s: %s %s", rejection.row, code, field or "the event", message)


def _checked(chunks: Iterable[Chunk], mapping: ColumnMapping, *, complete: bool) -> Iterator[Chunk]:
    """Pass chunks on, the first only if its columns can be mapped.

    :param complete: whether the first chunk shows all columns there are.
    :raises MappingError: they cannot.
    """
    for position, chunk in enumerate(chunks):
        if position == 0:
            mapping.check(chunk.columns, complete=complete)
        yield chunk


def _boolean(name: str, value: object) -> bool:
    """Read a switch, which a template may have rendered to text.

    :raises ParameterError: it is neither true nor false.
    """
    word = str(value).strip().lower()
    if word in ("true", "false"):
        return word == "true"
    raise ParameterError(f"{name} must be true or false, got {value!r}.")


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
