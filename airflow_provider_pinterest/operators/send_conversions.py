"""Rows from a warehouse query or from XCom, delivered to Pinterest and accounted for."""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Final

import orjson
from airflow.providers.common.compat.sdk import (
    AirflowException,
    AirflowFailException,
    BaseHook,
    BaseOperator,
    ObjectStoragePath,
    XComArg,
)
from airflow.providers.common.sql.hooks.sql import DbApiHook

from airflow_provider_pinterest.conversions.batches import ENVELOPE, MAX_EVENTS, Batcher
from airflow_provider_pinterest.conversions.events import Chunk, Event, EventBuilder, Rejection
from airflow_provider_pinterest.conversions.mapping import ColumnMapping
from airflow_provider_pinterest.delivery.pace import Stopped
from airflow_provider_pinterest.delivery.rejects import Rejects, folder_name
from airflow_provider_pinterest.delivery.result import Result, Tally
from airflow_provider_pinterest.delivery.run import Run
from airflow_provider_pinterest.exceptions import ParameterError
from airflow_provider_pinterest.hooks.pinterest import PinterestHook
from airflow_provider_pinterest.links.conversions import RESULT_KEY, AdsManagerConversionsLink
from airflow_provider_pinterest.sources.cursors import Query
from airflow_provider_pinterest.sources.values import Values

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

SMALLEST_BATCH: Final = 10_000
"""Bytes that a batch must be allowed at least: one event of the usual size fits several times."""


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
    :param rejects_path: folder for rejected, failed and held rows as NDJSON: a local path or the URL of an object
        store, as ``ObjectStoragePath`` takes it (templated).
    :param key_columns: columns copied into the rejects, so that a person finds the row.
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
        rejects_path: str | None = None,
        key_columns: Sequence[str] = (),
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
        self.rejects_path = rejects_path
        self.key_columns = key_columns
        self._stop: threading.Event | None = None

    def execute(self, context: Context) -> dict[str, Any]:
        """Deliver the rows and return the account of the run."""
        stop = self._stop = threading.Event()
        self._check_limits()
        test = _boolean("test", self.test)
        validate_only = _boolean("validate_only", self.validate_only)
        mapping = ColumnMapping(
            field_map=self.field_map,
            identifiers=self.identifiers,
            defaults=self.defaults,
            event_id_from=self.event_id_from,
            timezone=self.timezone,
            key_columns=self.key_columns,
        )
        source = self._source(context)
        hook = PinterestHook(self.pinterest_conn_id)
        account = hook.ad_account_id(self.ad_account_id)
        folder = self._rejects_folder(context)
        run = Run(
            EventBuilder(
                mapping,
                now=time.time(),
                max_event_age=self.max_event_age,
                max_event_bytes=self.max_batch_bytes - ENVELOPE,
            ),
            Batcher(self.batch_size, self.max_batch_bytes),
            None if validate_only else hook.sender(account, test=test, stop=stop),
            rejects=None if folder is None else Rejects(folder),
            on_first_event=self._show if validate_only else None,
        )
        try:
            run.feed(_checked(source.chunks(), mapping, complete=isinstance(source, Query)))
        except Stopped:
            raise AirflowException("The task was told to stop; what was sent is in its result.") from None
        finally:
            result = Result.of(
                run.tally,
                ad_account_id=account,
                test=test,
                seconds=run.seconds,
                warnings=run.warnings,
                coverage=run.coverage,
                rejects_path=None if folder is None else str(folder),
            )
            self._publish(context, result, run.examples)
        problem = judge(run.tally, max_rejected=self.max_rejected, min_events=self.min_events)
        if problem:
            raise AirflowFailException(problem)
        return dict(result.values)

    def on_kill(self) -> None:
        """End every wait; nothing more is sent."""
        if self._stop is not None:
            self._stop.set()

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

    def _publish(self, context: Context, result: Result, examples: Sequence[Rejection]) -> None:
        """Push the account to XCom and write it into the log."""
        context["ti"].xcom_push(key=RESULT_KEY, value=dict(result.values))
        self.log.info("%s", result.table())
        for rejection in examples:
            reasons = "; ".join(
                f"{code} {field} {message}".replace("  ", " ") for code, field, message in rejection.reasons
            )
            self.log.warning("Row %d (%s): %s", rejection.row, rejection.stage, reasons)


def judge(tally: Tally, *, max_rejected: float, min_events: int) -> str | None:
    """Return why a run that came to its end fails all the same, or ``None`` when it is good."""
    if tally.events_held:
        return (
            f"{tally.events_held:,} events were sent and their outcome is unknown. A second copy of them could not be "
            "told apart, so none was sent; look for them in Ads Manager before you clear the task (reason "
            "outcome_unknown)."
        )
    allowed = max_rejected * tally.rows_read if isinstance(max_rejected, float) else max_rejected
    if tally.rejected > allowed:
        most = ", ".join(f"{code} {count:,}" for code, count in tally.reasons.most_common(3))
        return (
            f"{tally.rejected:,} of {tally.rows_read:,} rows were rejected or failed ({most}), more than max_rejected "
            f"{max_rejected} allows. All other rows were delivered; clearing the task sends those again."
        )
    arrived = tally.events_processed + tally.validated_only + tally.already_sent
    if arrived < min_events:
        return f"Only {arrived:,} events were processed, fewer than min_events {min_events:,}. Did the source shrink?"
    return None


def shortened(body: bytes) -> str:
    """Return an event as indented JSON in which no identifier can be read."""
    event = orjson.loads(body)
    event["user_data"] = {
        name: [f"{one[:6]}…" for one in value] if isinstance(value, list) else f"{value[:4]}…"
        for name, value in event["user_data"].items()
    }
    return orjson.dumps(event, option=orjson.OPT_INDENT_2).decode()


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
