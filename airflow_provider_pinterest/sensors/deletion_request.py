"""Waits until Pinterest has submitted deletion requests, or has had the time to delete the data.

DAG files import this module. Modules that only a running task needs are imported when it runs.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from airflow_provider_pinterest.airflow_versions import (
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowSkipException,
    BaseSensorOperator,
    XComArg,
    conf,
)
from airflow_provider_pinterest.api.deletion_states import KNOWN_STATUSES, RequestProgress, WaitFor, progress_of
from airflow_provider_pinterest.exceptions import ParameterError, PinterestError, ResultError, UnavailableError
from airflow_provider_pinterest.operators.errors import WrongParameterError
from airflow_provider_pinterest.operators.task_options import is_late
from airflow_provider_pinterest.sync.options import NAMES

if TYPE_CHECKING:
    from airflow_provider_pinterest.airflow_versions import Context

__all__ = ["DeletionRequestSensor"]

POKE_INTERVAL: Final = dt.timedelta(hours=1)
TIMEOUT: Final = dt.timedelta(days=40)
"""72 hours until a request is submitted, 30 days for the deletion, and some spare time."""


class DeletionRequestSensor(BaseSensorOperator):
    """Wait for deletion requests, without occupying a worker: the mode is ``reschedule`` unless another one is set.

    Pinterest submits a request 72 hours after its creation. Then it can no longer be cancelled, and Pinterest deletes
    the data within 30 days. There is no status that says that the data is deleted.

    The connection needs an OAuth access token with the scope ``ads:read``. If Pinterest is not available, the sensor
    checks again later. If a request was cancelled, the task fails without retry.

    https://developers.pinterest.com/docs/api/v5/conversion_deletion_request-get/

    :param request_ids: the ids of the requests, such as the ``request_ids`` of a :class:`.RequestDeletionOperator`.
        (templated)
    :param wait_for: ``"submitted"``, or ``"deleted"``: 30 days after the requests were submitted. (templated)
    :param pinterest_conn_id: the Pinterest connection. (templated)
    :param ad_account_id: the ad account, digits only; ``None``: that of the connection. (templated)
    :param deferrable: wait in the triggerer; ``None``: ``[operators] default_deferrable``.
    :param poke_interval: seconds between two checks, one hour by default.
    :param timeout: the longest time to wait in seconds, 40 days by default.
    :raises ParameterError: a parameter or the connection is wrong.
    :raises DeliveryError: Pinterest does not show a request.
    :raises AirflowFailException: a request was cancelled.
    """

    template_fields: Sequence[str] = ("request_ids", "wait_for", "pinterest_conn_id", "ad_account_id")
    ui_color = "#e0e4fd"

    def __init__(
        self,
        *,
        request_ids: Sequence[str | int] | str | XComArg,
        wait_for: str = WaitFor.SUBMITTED.value,
        pinterest_conn_id: str = "pinterest_default",
        ad_account_id: str | int | None = None,
        deferrable: bool | None = None,
        **kwargs: Any,
    ) -> None:
        kwargs.setdefault("mode", "reschedule")
        kwargs.setdefault("poke_interval", POKE_INTERVAL.total_seconds())
        kwargs.setdefault("timeout", TIMEOUT.total_seconds())
        super().__init__(**kwargs)
        self.request_ids = request_ids
        self.wait_for = wait_for
        self.pinterest_conn_id = pinterest_conn_id
        self.ad_account_id = ad_account_id
        self.deferrable = deferrable
        if deferrable is None:
            self.deferrable = conf.getboolean("operators", "default_deferrable", fallback=False)
        if not is_late(wait_for):
            try:
                self._wanted()
            except ParameterError as error:
                raise WrongParameterError(f"Task {self.task_id!r}: {error}") from None

    def execute(self, context: Context) -> Any:
        """Wait; in the triggerer if the sensor is deferrable."""
        if not self.deferrable:
            return super().execute(context)
        try:
            return self._look_or_defer(context, dt.datetime.now(dt.UTC))
        except AirflowFailException as error:
            if self.soft_fail:
                raise AirflowSkipException(str(error)) from None
            raise

    def look_again(
        self,
        context: Context,
        event: Any = None,  # noqa: ARG002
        started: str | None = None,
    ) -> None:
        """Continue after a deferral."""
        self._look_or_defer(context, dt.datetime.fromisoformat(started) if started else dt.datetime.now(dt.UTC))

    def poke(self, context: Context) -> bool:  # noqa: ARG002
        """Return whether all requests have reached the wanted state."""
        from airflow_provider_pinterest.operators.error_report import for_airflow, report

        try:
            return self._all_done()
        except UnavailableError as error:
            self.log.warning("%s The sensor checks again later.", str(error).partition("\n")[0])
            return False
        except PinterestError as error:
            failure = for_airflow(error)
        report(self.log, failure)
        raise failure from None  # here, where no traceback leads through this package

    def _all_done(self) -> bool:
        from airflow_provider_pinterest.erasure.account_requests import AccountRequests
        from airflow_provider_pinterest.hooks.pinterest import PinterestHook

        ids, wanted = self._ids(), self._wanted()
        hook = PinterestHook(self.pinterest_conn_id)
        hook.check(self.ad_account_id)
        with AccountRequests(hook.api_connection(), hook.ad_account_id(self.ad_account_id)) as account:
            found = account.get_all(ids)
        now = dt.datetime.now(dt.UTC)
        progress = {one.request_id: progress_of(one, wanted, now) for one in found}
        cancelled = [name for name, one in progress.items() if one is RequestProgress.CANCELLED]
        if cancelled:
            raise ResultError(
                f"{len(cancelled)} of {len(ids)} deletion requests were cancelled: {', '.join(cancelled[:20])}.",
                advice="If this was a mistake, clear the task that created the requests, with create_again=True.",
            )
        done = sum(one is RequestProgress.DONE for one in progress.values())
        statuses = sorted({one.status for one in found})
        for status in statuses:
            if status not in KNOWN_STATUSES:
                self.log.warning(
                    "Pinterest shows the status %s, which this version does not know. The sensor keeps waiting.", status
                )
        self.log.info(
            "wait_for=%r: %d of %d deletion requests are done (status: %s).",
            wanted,
            done,
            len(ids),
            ", ".join(statuses),
        )
        return done == len(progress)

    def _ids(self) -> list[str]:
        """Return the ids, each once.

        :raises ParameterError: they are not a list of ids.
        """
        from airflow_provider_pinterest.api.deletion_requests_endpoint import checked_request_id

        found: Any = NAMES.read(self.request_ids) if isinstance(self.request_ids, str) else self.request_ids
        if found is None:
            raise ParameterError(
                "request_ids is None. Pass the request_ids of a RequestDeletionOperator, or output['request_ids'] if "
                "it is mapped. The operator pushes them to XCom unless do_xcom_push is False."
            )
        if isinstance(found, int):
            found = [found]
        if not isinstance(found, Sequence) or isinstance(found, (str, bytes)):
            raise ParameterError(f"request_ids must be a list of ids, got {type(found).__name__}.")
        flat = [one for item in found for one in (item if isinstance(item, (list, tuple)) else (item,))]
        return list(dict.fromkeys(map(checked_request_id, flat)))

    def _wanted(self) -> str:
        if self.wait_for not in tuple(WaitFor):
            raise ParameterError(f"wait_for must be 'submitted' or 'deleted', got {str(self.wait_for)[:40]!r}.")
        return str(self.wait_for)

    def _look_or_defer(self, context: Context, started: dt.datetime) -> None:
        """Check once, and defer if some requests have not reached the wanted state.

        :raises AirflowSensorTimeout: the longest time to wait has passed.
        """
        from airflow_provider_pinterest.triggers.wait import wake_up_after

        if self.poke(context):
            return
        waited = (dt.datetime.now(dt.UTC) - started).total_seconds()
        if waited > self.timeout:
            message = (
                f"After {waited / 3600:.0f} hours, not all deletion requests are done (wait_for={self.wait_for!r}). "
                "Clear the task to keep waiting, or raise timeout."
            )
            raise AirflowSkipException(message) if self.soft_fail else AirflowSensorTimeout(message)
        self.defer(
            trigger=wake_up_after(self.poke_interval),
            method_name="look_again",
            kwargs={"started": started.isoformat()},
        )
