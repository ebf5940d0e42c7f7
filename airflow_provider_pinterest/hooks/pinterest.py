"""The hook for Airflow connections of type ``pinterest``.

https://developers.pinterest.com/docs/api-features/conversion-overview/
"""

from __future__ import annotations

import difflib
import hashlib
import logging
import re
import time
from collections.abc import Sequence
from contextlib import closing
from functools import cached_property
from typing import Any, ClassVar

import orjson

from airflow_provider_pinterest.airflow_versions import BaseHook, Connection, mask_secret
from airflow_provider_pinterest.api.ad_account import account_id
from airflow_provider_pinterest.api.client import Client
from airflow_provider_pinterest.api.connection import PinterestConnection
from airflow_provider_pinterest.api.events_endpoint import PerEventResults
from airflow_provider_pinterest.api.responses import AccessDenied, Misconfigured, OutcomeUnknown, Unavailable
from airflow_provider_pinterest.delivery.decide import denied, misconfigured, unavailable
from airflow_provider_pinterest.erasure.account_requests import AccountRequests
from airflow_provider_pinterest.exceptions import ParameterError, PinterestError
from airflow_provider_pinterest.hooks.lookup import find_connection
from airflow_provider_pinterest.problems import Problems
from airflow_provider_pinterest.redaction import Secret, clean

__all__ = ["PinterestHook"]

log = logging.getLogger(__name__)


class PinterestHook(BaseHook):
    """Connect to the Pinterest Conversions API.

    The connection's password is the access token: a conversion token, or one of OAuth. Its host is the base URL
    of the API, by default Pinterest's. Its extras, each read by name, are ``ad_account_id``, ``calls_per_minute``,
    ``rate_limit_storage`` and, to refresh an OAuth token, ``app_id``, ``app_secret`` and ``refresh_token``.

    :param pinterest_conn_id: the connection.
    """

    conn_name_attr = "pinterest_conn_id"
    default_conn_name = "pinterest_default"
    conn_type = "pinterest"
    hook_name = "Pinterest"

    EXTRAS: ClassVar[tuple[str, ...]] = (
        "ad_account_id",
        "app_id",
        "app_secret",
        "refresh_token",
        "calls_per_minute",
        "rate_limit_storage",
    )

    def __init__(self, pinterest_conn_id: str = default_conn_name, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.pinterest_conn_id = pinterest_conn_id

    @classmethod
    def get_ui_field_behaviour(cls) -> dict[str, Any]:
        """Return the labels of the connection form, for Airflow before 3.2, which does not read the metadata."""
        from airflow_provider_pinterest.get_provider_info import get_provider_info

        behaviour: dict[str, Any] = get_provider_info()["connection-types"][0]["ui-field-behaviour"]
        return {name.replace("-", "_"): value for name, value in behaviour.items()}

    @cached_property
    def connection(self) -> Connection:
        """The Airflow connection; never log it.

        :raises MissingConnectionError: there is no such connection.
        """
        found = find_connection(self.pinterest_conn_id, "pinterest_conn_id")
        for problem in self._unknown_extras(found):
            log.warning("%s", problem)
        return found

    def _unknown_extras(self, connection: Connection) -> list[str]:
        """Return a message for each unknown extra, with the known extra that is most similar."""
        found = []
        for name in sorted(map(str, connection.extra_dejson)):
            if name not in self.EXTRAS:
                like = _most_like(name, self.EXTRAS)
                advice = f"Did you mean {like!r}?" if like else f"Known extras: {', '.join(self.EXTRAS)}."
                found.append(
                    f"Connection {self.pinterest_conn_id!r} has an unknown extra, {clean(name)!r}. It is ignored. "
                    f"{advice}"
                )
        return found

    def _with_unknown_extras(self, message: str) -> str:
        return " ".join((message, *self._unknown_extras(self.connection)))

    def ad_account_id(self, wanted: str | int | None = None) -> str:
        """Return the ad account to send to, checked.

        :param wanted: the account of the task; ``None``: that of the connection.
        :raises ParameterError: there is none, or it does not have 1 to 18 digits.
        """
        found = self.connection.extra_dejson.get("ad_account_id") if wanted is None else wanted
        if found in (None, ""):
            raise ParameterError(
                self._with_unknown_extras(
                    f"No ad account is set. Pass ad_account_id, or set it in connection {self.pinterest_conn_id!r}."
                )
            )
        return account_id(found)

    def check(self, ad_account_id: str | int | None = None, *, sends: bool = True) -> None:
        """Check the required fields of the connection.

        :param ad_account_id: the account of the task; ``None``: that of the connection.
        :param sends: whether calls are made. If not, only the ad account is required.
        :raises ParameterError: the message names every field that is wrong.
        """
        found = Problems()
        found.checked(self.ad_account_id, ad_account_id, otherwise="")
        if sends:
            found.checked(self.api_connection().check, otherwise=None)
        found.raise_all()

    def api_connection(self) -> PinterestConnection:
        """Return the connection in a form that does not need Airflow."""
        extra = self.connection.extra_dejson

        def text(name: str) -> str | None:
            return str(extra.get(name) or "").strip() or None

        return PinterestConnection(
            access_token=Secret((self.connection.password or "").strip()),
            ad_account_id=extra.get("ad_account_id"),
            host=self.connection.host,
            app_id=text("app_id"),
            app_secret=text("app_secret"),
            refresh_token=text("refresh_token"),
            calls_per_minute=extra.get("calls_per_minute"),
            rate_limit_storage=text("rate_limit_storage"),
            name=f"Connection {self.pinterest_conn_id!r}",
            token_field="password",  # noqa: S106  # nosec B106 - the name of a field
            read_again=lambda: type(self)(self.pinterest_conn_id).api_connection(),
            on_secret=mask_secret,
        )

    def get_conn(self) -> Client:
        """Return a client that calls Pinterest with the connection's token.

        :raises ParameterError: a required field is missing or wrong; the message names it.
        """
        return self.api_connection().client()

    def list_deletion_requests(self, ad_account_id: str | int | None = None) -> list[dict[str, str | None]]:
        """Return all deletion requests of an ad account as Pinterest shows them, the newest first.

        Each has ``request_id``, ``status``, ``created_time`` and ``processed_time``. Needs an OAuth token.

        :param ad_account_id: the account; ``None``: that of the connection.
        :raises DeliveryError: Pinterest does not list them.
        """
        with self._deletion_requests(ad_account_id) as account:
            return [one.as_json() for one in account.listed()]

    def get_deletion_request(
        self, request_id: str | int, ad_account_id: str | int | None = None
    ) -> dict[str, str | None]:
        """Return one deletion request, see :meth:`list_deletion_requests`.

        :raises DeliveryError: there is no such request, or Pinterest does not show it.
        """
        with self._deletion_requests(ad_account_id) as account:
            return account.get(str(request_id)).as_json()

    def cancel_deletion_request(self, request_id: str | int, ad_account_id: str | int | None = None) -> None:
        """Cancel a deletion request that is pending, up to 72 hours after its creation. Needs an OAuth token.

        :raises RefusedError: it is no longer pending.
        :raises DeliveryError: there is no such request, or Pinterest does not answer.
        """
        with self._deletion_requests(ad_account_id) as account:
            account.cancel(str(request_id))

    def _deletion_requests(self, ad_account_id: str | int | None) -> AccountRequests:
        self.check(ad_account_id)
        return AccountRequests(self.api_connection(), self.ad_account_id(ad_account_id))

    def test_connection(self) -> tuple[bool, str]:
        """Send one invented event in test mode, which Pinterest validates and does not record; return the result."""
        takes, message = self._test_connection()
        known = [problem for problem in self._unknown_extras(self.connection) if problem not in message]
        return takes, " ".join((message, *known))

    def _test_connection(self) -> tuple[bool, str]:
        try:
            account = self.ad_account_id()
            events = self.api_connection().events(test=True)
            with closing(events.client) as client:
                answer = events.send(account, _test_body(), 1)
                if isinstance(answer, AccessDenied) and answer.trace.status == 401 and client.credential.renewable:
                    answer = client.renew(client.credential.token, answer) or events.send(account, _test_body(), 1)
        except PinterestError as error:
            return False, str(error)
        match answer:
            case PerEventResults(failed=failed, unknown=unknown) if not failed and not unknown:
                return True, f"Ad account {account} accepts events with this token."
            case PerEventResults(failed=failed):
                return (
                    False,
                    f"Pinterest did not accept a test event: {next(iter(failed.values()), 'it gave no result')}",
                )
            case AccessDenied(trace):
                return False, str(denied(trace))
            case Misconfigured(trace):
                return False, str(misconfigured(trace))
            case Unavailable() | OutcomeUnknown():
                return False, str(unavailable(answer))
            case _:
                return False, f"Pinterest rejected the request with a test event ({answer.trace})."


def _most_like(name: str, known: Sequence[str]) -> str | None:
    """Return the known name that is most similar; ``None`` if none is."""
    plain = {"".join(one.split("_")): one for one in known}
    letters = re.sub(r"[^a-z0-9]", "", name.rpartition("__")[2].lower())
    return next((plain[found] for found in difflib.get_close_matches(letters, plain, n=1, cutoff=0.7)), None)


def _test_body() -> bytes:
    """Return a body with one event of an invented person."""
    nobody = hashlib.sha256(b"connection-test@example.com").hexdigest()
    event = {
        "event_name": "page_visit",
        "action_source": "web",
        "event_time": int(time.time()),
        "event_id": "airflow-connection-test",
        "user_data": {"em": [nobody]},
    }
    return orjson.dumps({"data": [event]})
