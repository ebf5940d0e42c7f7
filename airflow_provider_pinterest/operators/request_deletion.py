"""Asks Pinterest to delete the conversion data of people.

DAG files import this module. Modules that only a running task needs are imported when it runs.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_pinterest.airflow_versions import BaseOperator, XComArg
from airflow_provider_pinterest.erasure.deletion_options import BATCH_SIZE
from airflow_provider_pinterest.exceptions import PinterestError, problems
from airflow_provider_pinterest.links.conversions import RESULT_KEY
from airflow_provider_pinterest.operators.deletion_task_options import (
    DELETION_KINDS,
    DeletionTaskOptions,
    problems_of_deletion_constants,
)
from airflow_provider_pinterest.operators.errors import WrongParameterError
from airflow_provider_pinterest.operators.task_options import is_late
from airflow_provider_pinterest.operators.templates import LostValues, RedactsRows, without_addresses
from airflow_provider_pinterest.problems import SEVERAL

if TYPE_CHECKING:
    from airflow_provider_pinterest.airflow_versions import Context
    from airflow_provider_pinterest.delivery.stop import StopSignal
    from airflow_provider_pinterest.sources.protocol import Source

__all__ = ["RequestDeletionOperator"]

REQUEST_IDS_KEY = "request_ids"
"""XCom key of the ids of the requests."""


class RequestDeletionOperator(RedactsRows, BaseOperator):
    """Ask Pinterest to delete the conversion data of people, such as those who asked a shop to erase their data.

    The rows come from ``sql`` or ``rows``, one person in each. ``execute`` creates a deletion request for every batch
    of people and returns the counts. They are also pushed to XCom as ``pinterest_result``, and the ids of the requests
    as ``request_ids``, before the task can fail. Addresses are never logged, stored or shown.

    The connection needs an OAuth access token with the scope ``ads:write``. A pending request can be cancelled for 72
    hours, see :meth:`.PinterestHook.cancel_deletion_request`. Pinterest's endpoint is in beta.

    On Airflow 3.3 and later, a retry or Clear does not create the same requests again. On earlier versions it does,
    which does no harm.

    https://developers.pinterest.com/docs/api/v5/conversion_deletion_request-create/

    :param sql: a statement that returns one row per person, or the path of a ``.sql`` file. (templated)
    :param sql_conn_id: the connection of the warehouse; its hook must be a ``DbApiHook``. (templated)
    :param hook_params: passed to the hook of the warehouse. (templated)
    :param parameters: values that the driver binds to the statement. Airflow stores and shows them, without e-mail
        addresses. (templated)
    :param rows: a list of rows, or the ``.output`` of an upstream task. Never stored in the rendered fields.
    :param email_column: the column with plain e-mail addresses. (templated)
    :param click_id_column: the column with click ids, which the Pinterest tag stores in the cookie ``_epik``. At least
        one of the two columns is needed. (templated)
    :param pinterest_conn_id: the Pinterest connection. (templated)
    :param ad_account_id: the ad account, digits only; ``None``: that of the connection. (templated)
    :param batch_size: people in a request. Pinterest does not publish a limit. (templated)
    :param max_rejected: how many rows may be rejected: an int counts rows, a float is a share of the rows read. Above
        it the task fails without retry, after all other people were requested. (templated)
    :param validate_only: do everything except the calls: read the rows and count the people. (templated)
    :param max_wait: the longest time in which a call is made again before the task fails. (templated)
    :param on_unknown_outcome: what to do if it is unknown whether Pinterest created a request: ``"resend"`` creates it
        once more, because two requests for the same people do no harm; ``"hold"`` leaves it, and the task fails without
        retry. (templated)
    :param create_again: create all requests, even those that an earlier attempt created. (templated)
    :raises ParameterError: a parameter, a column or the connection is wrong.
    :raises SourceError: the source could not be read to its end.
    :raises DeliveryError: Pinterest does not accept the requests.
    :raises AirflowFailException: some people are in no request.
    """

    template_fields: Sequence[str] = ("sql", "rows", *(name for name in DELETION_KINDS if name != "sql"))
    template_ext: Sequence[str] = (".sql",)
    template_fields_renderers: ClassVar[dict[str, str]] = {"sql": "sql", "parameters": "json", "hook_params": "json"}
    rows_parameter = "rows"
    ui_color = "#e0e4fd"

    pushes_result: bool = True
    """Whether the result goes to XCom. ``do_xcom_push`` is off, because Airflow would store the result twice."""

    def __init__(
        self,
        *,
        sql: str | None = None,
        sql_conn_id: str | None = None,
        hook_params: dict[str, Any] | str | None = None,
        parameters: Mapping[str, Any] | Sequence[Any] | str | None = None,
        rows: Iterable[Mapping[str, Any]] | XComArg | None = None,
        email_column: str | None = None,
        click_id_column: str | None = None,
        pinterest_conn_id: str = "pinterest_default",
        ad_account_id: str | int | None = None,
        batch_size: int | str = BATCH_SIZE,
        max_rejected: float | str = 0,
        validate_only: bool | str = False,
        max_wait: dt.timedelta | str = dt.timedelta(minutes=10),
        on_unknown_outcome: str = "resend",
        create_again: bool | str = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.pushes_result, self.do_xcom_push = self.do_xcom_push, False
        self.sql = sql
        self.sql_conn_id = sql_conn_id
        self.hook_params = hook_params
        self.parameters = parameters
        self.rows = rows
        self.email_column = email_column
        self.click_id_column = click_id_column
        self.pinterest_conn_id = pinterest_conn_id
        self.ad_account_id = ad_account_id
        self.batch_size = batch_size
        self.max_rejected = max_rejected
        self.validate_only = validate_only
        self.max_wait = max_wait
        self.on_unknown_outcome = on_unknown_outcome
        self.create_again = create_again
        self._killed = False
        self._stop: StopSignal | None = None
        self._lost = LostValues()
        found = [*self._problems_of_source(), *problems_of_deletion_constants(self)]
        if found:
            intro = f"Task {self.task_id!r}: "
            raise WrongParameterError(intro + problems(SEVERAL[0].lower() + SEVERAL[1:], found))
        self._redact_rows()

    @property
    def output(self) -> XComArg:
        """The result of a run, for a downstream task."""
        return XComArg(self, key=RESULT_KEY)

    @property
    def request_ids(self) -> XComArg:
        """The ids of the requests, for a :class:`~.DeletionRequestSensor`."""
        return XComArg(self, key=REQUEST_IDS_KEY)

    def execute(self, context: Context) -> dict[str, Any]:
        """Create the requests and return the counts."""
        from airflow_provider_pinterest.delivery.stop import StopSignal
        from airflow_provider_pinterest.operators.error_report import for_airflow, report

        self._stop = StopSignal()
        if self._killed:
            self._stop.set()
        try:
            return self._run(context, self._stop)
        except PinterestError as error:
            failure = for_airflow(error)
        finally:
            self._stop, self._killed = None, False
        report(self.log, failure)
        raise failure from None  # here, where no traceback leads through this package

    def on_kill(self) -> None:
        """Stop. A call in flight may end. Airflow calls this in a signal handler."""
        self._killed = True
        if self._stop is not None:
            self._stop.set()

    def _run(self, context: Context, stop: StopSignal) -> dict[str, Any]:
        from airflow_provider_pinterest.airflow_versions import state_store
        from airflow_provider_pinterest.erasure.deletion_run import request_deletion
        from airflow_provider_pinterest.hooks.pinterest import PinterestHook
        from airflow_provider_pinterest.operators.task_attempt import AIRFLOW, identity, not_orphaned, try_number
        from airflow_provider_pinterest.sync.attempt import AttemptInfo

        self._lost.check()
        options = DeletionTaskOptions.of(self)
        hook = PinterestHook(options.pinterest_conn_id)
        hook.check(options.ad_account_id, sends=not options.validate_only)
        store = state_store(context)
        if store is None and try_number(context) > 1 and not options.validate_only:
            self.log.warning(
                "Airflow before 3.3 stores nothing between attempts, so all requests are created again. This does no "
                "harm."
            )
        return request_deletion(
            self._source(context, options),
            options.of_run(),
            connection=hook.api_connection(),
            state=store,
            attempt=AttemptInfo(
                number=try_number(context), identity=identity(context), guard=not_orphaned(), vocabulary=AIRFLOW
            ),
            ended=lambda result: self._push(context, result),
            stop=stop,
        )

    def _push(self, context: Context, result: Mapping[str, Any]) -> None:
        if self.pushes_result:
            context["ti"].xcom_push(key=RESULT_KEY, value=dict(result))
            context["ti"].xcom_push(key=REQUEST_IDS_KEY, value=list(result["request_ids"]))

    def _source(self, context: Context, options: DeletionTaskOptions) -> Source:
        """Return the source of the rows.

        :raises ParameterError: it cannot be read.
        """
        from airflow_provider_pinterest.operators.warehouse_query import warehouse_query
        from airflow_provider_pinterest.sources.iterables import IterableSource

        if options.sql is not None:
            return warehouse_query(options.sql, options.sql_conn_id or "", options.hook_params, options.parameters)
        return IterableSource(self._rows(context), name="rows")

    def _problems_of_source(self) -> list[str]:
        """Return the problems with the choice of a source."""
        if (self.sql is None) == (self.rows is None):
            which = "neither" if self.sql is None else "both"
            return [f"Pass one source, sql or rows; got {which}."]
        if self.sql is not None and self.sql_conn_id is None:
            return ["sql needs sql_conn_id, the connection of the warehouse."]
        problem = self._problem_of_rows() or _problem_of_templates(self.rows)
        return [] if problem is None else [problem]

    def _do_render_template_fields(
        self,
        parent: Any,
        template_fields: Iterable[str],
        context: Context,
        jinja_env: Any,
        seen_oids: set[int],
    ) -> None:
        """Render the parameters, and hide those with an address."""
        super()._do_render_template_fields(parent, template_fields, context, jinja_env, seen_oids)
        parent.sql = without_addresses(parent.sql)
        parent.parameters = without_addresses(parent.parameters)


def _problem_of_templates(rows: object) -> str | None:
    """Return why constant rows cannot be read, if a cell is a template."""
    for number, row in enumerate(rows if isinstance(rows, (list, tuple)) else (), 1):
        cells = row.values() if isinstance(row, Mapping) else ()
        if any(isinstance(cell, str) and is_late(cell) for cell in cells):
            return (
                f"rows: row {number} has a template, and rows are not rendered. Use sql, such as SELECT :email AS "
                "email, with the template in parameters."
            )
    return None
