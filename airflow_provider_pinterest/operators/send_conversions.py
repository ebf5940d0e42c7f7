"""Sends the rows of a warehouse query or of another task to Pinterest, and accounts for every row.

DAG files import this module. Modules that only a running task needs are imported when it runs.
"""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_pinterest.airflow_versions import BaseOperator, XComArg, conf
from airflow_provider_pinterest.conversions.batches import MAX_EVENTS
from airflow_provider_pinterest.exceptions import problems
from airflow_provider_pinterest.links.conversions import RESULT_KEY, AdsManagerConversionsLink
from airflow_provider_pinterest.operators.errors import WrongParameterError
from airflow_provider_pinterest.operators.task_options import (
    KINDS,
    TaskOptions,
    problems_of_constants,
)
from airflow_provider_pinterest.operators.templates import LostValues, RedactsRows
from airflow_provider_pinterest.problems import SEVERAL, raise_all

if TYPE_CHECKING:
    from airflow_provider_pinterest.airflow_versions import Context
    from airflow_provider_pinterest.delivery.stop import StopSignal
    from airflow_provider_pinterest.sources.protocol import OpenSource

__all__ = ["SendConversionsOperator"]


class SendConversionsOperator(RedactsRows, BaseOperator):
    """Send conversion events to Pinterest: read, map, hash, validate, batch, deliver, and account for every row.

    The rows come from one source: ``sql``, ``events`` or ``path``. A column that is named like a field of the API, or
    like one of its aliases, needs no mapping. Rows that are not valid events are rejected with coded reasons; all other
    rows are sent. ``execute`` returns the result of the run. The result is also pushed to XCom as ``pinterest_result``,
    before the task can fail.

    All parameters except ``events`` are templated. Constants are checked when the DAG file is parsed, templates when
    the task runs.

    https://developers.pinterest.com/docs/api/v5/events-create/

    :param sql: a statement that returns one row per event, or the path of a ``.sql`` file.
    :param sql_conn_id: the connection of the warehouse; its hook must be a ``DbApiHook``.
    :param hook_params: passed to the hook of the warehouse.
    :param parameters: values that the driver binds to the statement.
    :param events: a list of rows or complete events, or the ``.output`` of an upstream task. Never stored in the
        rendered fields of the task.
    :param path: files with the rows, Parquet, CSV or NDJSON: a path or a URL, a folder, a pattern, or a list of them. A
        URL may name a connection, such as ``s3://aws_default@bucket/events/{{ ds }}/*.parquet``.
    :param field_map: column → field path or alias; ``None`` ignores the column.
    :param identifiers: switches per identifier, such as ``{"ph": {"country": "DE"}}``.
    :param defaults: field path or alias → value for rows that lack it.
    :param event_id_from: columns from which an ``event_id`` is computed for rows that have none.
    :param event_names: event name in the source, in any spelling → the name to send.
    :param placeholders: words in identifiers and ids that mean "no value"; ``None``: the usual ones, such as ``N/A``.
    :param timezone: the zone of times without one, such as ``Europe/Berlin``.
    :param consent_column: the column that says whether a row may be sent; rows whose cell is not true are excluded.
    :param minimum_age: exclude people who were younger at the time of the event, if their date of birth is known.
    :param excluded_categories: exclude events with one of these categories.
    :param exclude_bots: exclude events whose user agent is a crawler.
    :param exclude_networks: exclude events from these networks, such as ``203.0.113.0/24``.
    :param pinterest_conn_id: the Pinterest connection.
    :param ad_account_id: the ad account, digits only; ``None``: that of the connection.
    :param ad_account_id_column: the column that names the ad account of each row, for rows of several accounts. Rows
        whose cell is empty are sent to ``ad_account_id`` if it is set here, and are rejected if not.
    :param test: send with ``?test=true``: Pinterest validates the events and does not record them.
    :param validate_only: do everything except the calls, and log one event as it would be sent.
    :param max_rejected: how many rows may be rejected or fail: an int counts rows, a float is a share of the rows read.
        Above it the task fails without retry, after all other rows were sent.
    :param max_duplicates: how many rows may have the ``event_name`` and ``event_id`` of an earlier row, counted like
        ``max_rejected``. Above it the task fails without retry, after all other rows were sent.
    :param min_events: the task fails without retry if fewer events are processed.
    :param max_event_age: reject older rows.
    :param batch_size: events per request, 1 to 1,000.
    :param max_batch_bytes: largest body of a request, in bytes.
    :param on_unknown_outcome: what to do with events that were sent and whose outcome is unknown: ``"resend"`` or
        ``"hold"``; ``None``: resend events that Pinterest deduplicates, and hold offline events, which it does not.
    :param max_in_flight: batches in flight at the same time.
    :param processes: additional processes that convert rows to events; with 0, the task's own process converts them.
        On a worker with two or more cores, 1 or 2 make the task faster by a third to a half.
    :param max_wait: the longest time that a batch waits for Pinterest to be available before the task fails or defers.
    :param deferrable: defer until Pinterest may be available again, instead of failing; ``None``:
        ``[operators] default_deferrable``.
    :param rejects_path: folder for rejected, failed and held rows as NDJSON: a local path, or the URL of an object
        store that ``ObjectStoragePath`` can open.
    :param key_columns: columns that are copied into the rejects, so that a person can find the row.
    :param resume: let a retry continue where an earlier attempt ended, and let Clear send only events that were not
        accepted. Needs Airflow 3.3 or later, or ``outcomes_conn_id``.
    :param outcomes_conn_id: the connection of a database where a table gets one row for each event; its hook must be a
        ``DbApiHook``. Before Airflow 3.3, the same database keeps the state of the task, so that ``resume`` works.
    :param outcomes_table: the name of that table. It is created if it does not exist.
    :param skip_already_sent: do not send events that are processed in that table, whichever run sent them. They are
        counted as ``already_sent``. Needs ``outcomes_conn_id``.
    :param only: ``"rejected"``, ``"failed"`` or ``"held"``: send only the rows of the source that have this status in
        that table. ``"held"`` sends events again that may have arrived, so they may be counted twice. Needs
        ``outcomes_conn_id``.
    :param defer_after: with ``deferrable``, the longest time that the task waits in the worker before it defers.
    :param send_everything_again: send every row, even if an earlier attempt sent it. Events that Pinterest does not
        deduplicate are counted twice. A retry of such a run continues where it ended.
    :raises ParameterError: a parameter, a column or the connection is wrong.
    :raises SourceError: the source could not be read to its end.
    :raises DeliveryError: Pinterest does not accept the events; events that were not sent are counted.
    :raises AirflowFailException: everything was delivered, and too many rows were rejected, too few events were
        processed, or some events are held.
    """

    template_fields: Sequence[str] = ("sql", "events", *(name for name in KINDS if name != "sql"))
    template_ext: Sequence[str] = (".sql",)
    template_fields_renderers: ClassVar[dict[str, str]] = {
        "sql": "sql",
        **dict.fromkeys(("parameters", "defaults", "field_map", "identifiers", "hook_params", "event_names"), "json"),
    }
    rows_parameter = "events"
    operator_extra_links = (AdsManagerConversionsLink(),)
    ui_color = "#fde0e4"

    delivered_to: str | None = None
    """The ad account of the run, for the extra link; empty before there is a result, ``None`` before the task runs."""

    pushes_result: bool = True
    """Whether the result goes to XCom. ``do_xcom_push`` is off, because Airflow would store the result twice."""

    def __init__(
        self,
        *,
        sql: str | None = None,
        sql_conn_id: str | None = None,
        hook_params: dict[str, Any] | str | None = None,
        parameters: Mapping[str, Any] | Sequence[Any] | str | None = None,
        events: Iterable[Mapping[str, Any]] | XComArg | None = None,
        path: str | os.PathLike[str] | Sequence[str | os.PathLike[str]] | XComArg | None = None,
        field_map: Mapping[str, str | None] | str | None = None,
        identifiers: Mapping[str, Mapping[str, Any]] | str | None = None,
        defaults: Mapping[str, Any] | str | None = None,
        event_id_from: Sequence[str] | str = (),
        event_names: Mapping[str, str] | str | None = None,
        placeholders: Sequence[str] | str | None = None,
        timezone: str = "UTC",
        consent_column: str | None = None,
        minimum_age: int | str | None = None,
        excluded_categories: Sequence[str] | str = (),
        exclude_bots: bool | str = False,
        exclude_networks: Sequence[str] | str = (),
        pinterest_conn_id: str = "pinterest_default",
        ad_account_id: str | int | None = None,
        ad_account_id_column: str | None = None,
        test: bool | str = False,
        validate_only: bool | str = False,
        max_rejected: float | str = 0.01,
        max_duplicates: float | str = 0.5,
        min_events: int | str = 0,
        max_event_age: dt.timedelta | str | None = None,
        batch_size: int | str = MAX_EVENTS,
        max_batch_bytes: int | str = 2_000_000,
        on_unknown_outcome: str | None = None,
        max_in_flight: int | str = 8,
        processes: int | str = 0,
        max_wait: dt.timedelta | str = dt.timedelta(minutes=10),
        deferrable: bool | str | None = None,
        rejects_path: str | os.PathLike[str] | None = None,
        key_columns: Sequence[str] | str = (),
        resume: bool | str = True,
        outcomes_conn_id: str | None = None,
        outcomes_table: str = "pinterest_outcomes",
        skip_already_sent: bool | str = False,
        only: str | None = None,
        defer_after: dt.timedelta | str = dt.timedelta(minutes=1),
        send_everything_again: bool | str = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.pushes_result, self.do_xcom_push = self.do_xcom_push, False
        self.sql = sql
        self.sql_conn_id = sql_conn_id
        self.hook_params = hook_params
        self.parameters = parameters
        self.events = events
        self.path = path
        self.field_map = field_map
        self.identifiers = identifiers
        self.defaults = defaults
        self.event_id_from = event_id_from
        self.event_names = event_names
        self.placeholders = placeholders
        self.timezone = timezone
        self.consent_column = consent_column
        self.minimum_age = minimum_age
        self.excluded_categories = excluded_categories
        self.exclude_bots = exclude_bots
        self.exclude_networks = exclude_networks
        self.pinterest_conn_id = pinterest_conn_id
        self.ad_account_id = ad_account_id
        self.ad_account_id_column = ad_account_id_column
        self.test = test
        self.validate_only = validate_only
        self.max_rejected = max_rejected
        self.max_duplicates = max_duplicates
        self.min_events = min_events
        self.max_event_age = max_event_age
        self.batch_size = batch_size
        self.max_batch_bytes = max_batch_bytes
        self.on_unknown_outcome = on_unknown_outcome
        self.max_in_flight = max_in_flight
        self.processes = processes
        self.max_wait = max_wait
        self.deferrable = deferrable
        if deferrable is None:
            self.deferrable = conf.getboolean("operators", "default_deferrable", fallback=False)
        self.rejects_path = rejects_path
        self.key_columns = key_columns
        self.resume = resume
        self.outcomes_conn_id = outcomes_conn_id
        self.outcomes_table = outcomes_table
        self.skip_already_sent = skip_already_sent
        self.only = only
        self.defer_after = defer_after
        self.send_everything_again = send_everything_again
        self._killed = False
        self._stop: StopSignal | None = None
        self._lost = LostValues()
        self._check_constants()
        self._redact_rows()

    @property
    def output(self) -> XComArg:
        """The result of a run, for a downstream task."""
        return XComArg(self, key=RESULT_KEY)

    def execute(self, context: Context) -> dict[str, Any]:
        """Deliver the rows and return the result of the run."""
        return self._run(context, None)

    def resume_delivery(
        self,
        context: Context,
        event: Any = None,  # noqa: ARG002
        checkpoint: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Continue after a deferral.

        ``dag.test()`` and ``airflow dags test`` lose the checkpoint. Without it, and without a state store, events that
        Pinterest cannot deduplicate are refused.
        """
        return self._run(context, checkpoint or {})

    def on_kill(self) -> None:
        """Stop sending, and abort the calls in flight. Airflow calls this in a signal handler."""
        self._killed = True
        if self._stop is not None:
            self._stop.set()

    def options(self) -> TaskOptions:
        """Return the rendered and checked parameters.

        :raises ParameterError: some values are not allowed; the message names all of them.
        """
        self._lost.check()
        return TaskOptions.of(self)

    def _check_constants(self) -> None:
        """Check everything that is known before the templates are rendered.

        :raises ParameterError: the message names every problem.
        """
        found = [*self._problems_of_source(), *problems_of_constants(self)]
        if found:
            intro = f"Task {self.task_id!r}: "
            raise WrongParameterError(intro + problems(SEVERAL[0].lower() + SEVERAL[1:], found))

    def _problems_of_source(self) -> list[str]:
        """Return the problems with the choice of a source."""
        if type(self).source is not SendConversionsOperator.source:
            return []
        given = [name for name in ("sql", "events", "path") if getattr(self, name) is not None]
        if len(given) != 1:
            return [f"Pass one source of rows, sql, events or path; got {' and '.join(given) or 'none'}."]
        if self.path is not None:
            return []
        if self.sql is not None:
            needed = self.sql_conn_id is None
            return ["sql needs sql_conn_id, the connection of the warehouse."] if needed else []
        problem = self._problem_of_rows()
        return [] if problem is None else [problem]

    def _run(self, context: Context, checkpoint: dict[str, Any] | None) -> dict[str, Any]:
        from airflow_provider_pinterest.delivery.stop import StopSignal
        from airflow_provider_pinterest.operators.task_runner import TaskRunner

        self._stop = StopSignal()
        if self._killed:
            self._stop.set()
        try:
            return TaskRunner(self, context, self._stop).run(checkpoint)
        finally:
            self._stop, self._killed = None, False

    def source(self, context: Context) -> OpenSource:
        """Return the source of the rows.

        :raises ParameterError: there is none, or more than one, or it cannot be read.
        """
        from airflow_provider_pinterest.hooks.lookup import find_database
        from airflow_provider_pinterest.sources.iterables import IterableSource
        from airflow_provider_pinterest.sources.sql import SqlSource

        raise_all(self._problems_of_source())
        if self.path is not None:
            from airflow_provider_pinterest.operators.task_files import open_files

            return open_files(TaskOptions.of(self).path)
        if self.sql is None:
            return IterableSource(self._rows(context))
        options = TaskOptions.of(self)
        hook = find_database(
            options.sql_conn_id or "",
            "sql_conn_id",
            hook_params=options.hook_params,
            otherwise=", or pass the rows as events",
        )
        return SqlSource(hook, options.sql or "", options.parameters)
