"""Runs one attempt of a task: connection and state store in; XCom, deferral and Airflow's exceptions out."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any, Final, TypeVar

from airflow_provider_pinterest.airflow_versions import state_store
from airflow_provider_pinterest.exceptions import PinterestError, StoppedError, UnavailableError
from airflow_provider_pinterest.hooks.pinterest import PinterestHook
from airflow_provider_pinterest.links.conversions import RESULT_KEY
from airflow_provider_pinterest.logs import log_lines
from airflow_provider_pinterest.operators.error_report import for_airflow, report
from airflow_provider_pinterest.operators.task_attempt import (
    AIRFLOW,
    attempt_info,
    rejects_folder,
    source_parameters,
    try_number,
)
from airflow_provider_pinterest.operators.task_options import TaskOptions
from airflow_provider_pinterest.operators.task_outcomes import outcome_table, store_of
from airflow_provider_pinterest.problems import Problems
from airflow_provider_pinterest.sources.protocol import LazySource
from airflow_provider_pinterest.sync.observer import SyncObserver
from airflow_provider_pinterest.sync.options import SyncOptions
from airflow_provider_pinterest.sync.run import sync
from airflow_provider_pinterest.sync.verdict import not_begun
from airflow_provider_pinterest.triggers.wait import wake_up_after

if TYPE_CHECKING:
    from airflow_provider_pinterest.airflow_versions import Context
    from airflow_provider_pinterest.api.connection import PinterestConnection
    from airflow_provider_pinterest.delivery.stop import StopSignal
    from airflow_provider_pinterest.operators.task import ConversionsTask
    from airflow_provider_pinterest.state_store import StateStore

T = TypeVar("T")

WAIT_WHERE_NOBODY_SAYS: Final = dt.timedelta(minutes=5)
"""How long a deferral lasts if Pinterest does not say how long to wait."""


class TaskRunner:
    """Runs one attempt of a task.

    :param task: the operator, with rendered parameters.
    :param context: Airflow's task context.
    :param stop: ends the run.
    """

    def __init__(self, task: ConversionsTask, context: Context, stop: StopSignal) -> None:
        self._task = task
        self._context = context
        self._stop = stop

    def run(self, carried: Mapping[str, Any] | None) -> dict[str, Any]:
        """Deliver, or log why that failed and raise the error.

        :param carried: the checkpoint of a deferral.
        """
        self._task.delivered_to = ""
        try:
            return self._run(carried)
        except PinterestError as error:
            failure = for_airflow(error)
        report(self._task.log, failure)
        raise failure from None  # here, where no traceback leads through this package

    def _run(self, carried: Mapping[str, Any] | None) -> dict[str, Any]:
        options, connection, account, store = self._begin(self._prepared)
        try:
            return sync(
                LazySource(source_parameters(options), lambda: self._task.source(self._context)),
                self._begin(lambda: self._sync_options(options, account)),
                connection=connection,
                state=store,
                attempt=self._begin(lambda: attempt_info(options, self._context, account=account, carried=carried)),
                observer=_Publisher(self._task, self._context, self._will_defer(options)),
                stop=self._stop,
                outcomes=self._begin(lambda: outcome_table(options, self._context)),
            )
        except UnavailableError as error:
            if not options.deferrable:
                raise
            unavailable = error
        return self._defer(unavailable)

    def _prepared(self) -> tuple[TaskOptions, PinterestConnection | None, str, StateStore | None]:
        """Read the parameters and the connection.

        :raises ParameterError: the message names every wrong parameter and every wrong field of the connection.
        """
        if self._stop.is_set():
            raise StoppedError(f"{AIRFLOW.name} was told to stop before it began.")
        found = Problems()
        read = found.checked(self._task.options, otherwise=None)
        options = read or TaskOptions.of_what_fits(self._task)
        hook = PinterestHook(options.pinterest_conn_id)
        found.checked(options.check, otherwise=None)
        found.checked(lambda: hook.check(options.ad_account_id, sends=not options.validate_only), otherwise=None)
        found.raise_all()
        store = store_of(options, self._context) if options.resume else None
        connection = None if options.validate_only else hook.api_connection()
        return options, connection, hook.ad_account_id(options.ad_account_id), store

    def _sync_options(self, options: TaskOptions, account: str) -> SyncOptions:
        """Return the options of the run."""
        given = {one.name: getattr(options, one.name) for one in fields(SyncOptions)}
        found = SyncOptions(**{**given, "ad_account_id": account})
        if options.deferrable:
            found = replace(found, max_wait=min(options.max_wait, options.defer_after))
        return replace(found, rejects_path=rejects_folder(options, self._context))

    def _begin(self, step: Callable[[], T]) -> T:
        """Run a step before the run starts. An error then says what Clear or a retry will do."""
        try:
            return step()
        except PinterestError as error:
            raise error.followed_by(self._not_begun()) from None
        except BaseException:
            log_lines(self._task.log, self._not_begun())
            raise

    def _not_begun(self) -> str:
        kept = self._task.outcomes_conn_id is not None or state_store(self._context) is not None
        remembers = self._task.resume is not False and kept
        return not_begun(remembers=remembers, first=try_number(self._context) == 1, vocabulary=AIRFLOW)

    def _will_defer(self, options: TaskOptions) -> Callable[[BaseException | None], bool]:
        return lambda error: options.deferrable and isinstance(error, UnavailableError) and not self._stop.is_set()

    def _defer(self, error: UnavailableError) -> dict[str, Any]:
        """Defer until Pinterest may be available again.

        :raises StoppedError: the task was told to stop.
        """
        if self._stop.is_set():
            last = str(error).rpartition("\n")[2]
            raise StoppedError(f"{AIRFLOW.name} was told to stop.").followed_by(last) from None
        wait = error.retry_after or WAIT_WHERE_NOBODY_SAYS.total_seconds()
        happened = str(error).partition("\n")[0]
        self._task.log.info(
            "%s Deferring for %.0f seconds; the task then continues at row %d.", happened, wait, error.rows_done + 1
        )
        self._task.defer(
            trigger=wake_up_after(wait), method_name="resume_delivery", kwargs={"checkpoint": dict(error.state or {})}
        )


class _Publisher(SyncObserver):
    """Pushes the result to XCom before the task can fail.

    :param defers: returns whether an error leads to a deferral, so that the result comes later.
    """

    def __init__(self, task: ConversionsTask, context: Context, defers: Callable[[BaseException | None], bool]) -> None:
        self._task = task
        self._context = context
        self._defers = defers

    def ended(self, result: Mapping[str, Any], error: BaseException | None) -> None:
        """Push the result, and set the account for the link."""
        self._task.delivered_to = str(result.get("ad_account_id") or "")
        if self._task.pushes_result and not self._defers(error):
            self._context["ti"].xcom_push(key=RESULT_KEY, value=dict(result))
