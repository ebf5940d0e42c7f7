"""An Airflow connection of type ``pinterest`` → a client of one ad account.

https://developers.pinterest.com/docs/api-features/conversion-overview/
"""

from __future__ import annotations

import difflib
import hashlib
import logging
import re
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import cached_property
from typing import Any, ClassVar

import orjson

from airflow_provider_pinterest.airflow_versions import BaseHook, Connection, mask_secret
from airflow_provider_pinterest.delivery.answers import Busy, Denied, Doubt, Listed, Misconfigured
from airflow_provider_pinterest.delivery.client import Client, account_id, base_url
from airflow_provider_pinterest.delivery.credentials import Credential, Tokens, is_token
from airflow_provider_pinterest.delivery.decide import denied, misconfigured, unavailable
from airflow_provider_pinterest.delivery.pace import CALLS_PER_MINUTE, MEMORY, Pace, storage
from airflow_provider_pinterest.delivery.sender import MAX_WAIT, OnDoubt, Sender
from airflow_provider_pinterest.exceptions import ParameterError, PinterestError
from airflow_provider_pinterest.hooks.lookup import find_connection
from airflow_provider_pinterest.problems import Problems
from airflow_provider_pinterest.redaction import Secret, clean

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
        """Return labels for the connection form of Airflow before 3.2, which does not read them in the metadata."""
        from airflow_provider_pinterest.get_provider_info import get_provider_info

        behaviour: dict[str, Any] = get_provider_info()["connection-types"][0]["ui-field-behaviour"]
        return {name.replace("-", "_"): value for name, value in behaviour.items()}

    @cached_property
    def connection(self) -> Connection:
        """The Airflow connection; never log it.

        :raises MissingConnectionError: there is none.
        """
        found = find_connection(self.pinterest_conn_id, "pinterest_conn_id")
        for problem in self._unknown_extras(found):
            log.warning("%s", problem)
        return found

    def _unknown_extras(self, connection: Connection) -> list[str]:
        """Return a sentence for each extra that is not known, with the known one that is most like it."""
        found = []
        for name in sorted(map(str, connection.extra_dejson)):
            if name not in self.EXTRAS:
                like = _most_like(name, self.EXTRAS)
                advice = f"Did you mean {like!r}?" if like else f"Known extras: {', '.join(self.EXTRAS)}."
                found.append(
                    f"Connection {self.pinterest_conn_id!r} has an unknown extra {clean(name)!r}, which is ignored. "
                    f"{advice}"
                )
        return found

    def _with_unknown_extras(self, message: str) -> str:
        return " ".join((message, *self._unknown_extras(self.connection)))

    def ad_account_id(self, wanted: str | int | None = None) -> str:
        """Return the ad account to send to, checked.

        :param wanted: the task's own; ``None``: the connection's.
        :raises ParameterError: there is none, or it is not one to 18 digits.
        """
        found = self._extra("ad_account_id") if wanted is None else wanted
        if found in (None, ""):
            raise ParameterError(
                self._with_unknown_extras(
                    f"No ad account: pass ad_account_id, or set it in connection {self.pinterest_conn_id!r}."
                )
            )
        return account_id(found)

    def check(self, ad_account_id: str | int | None = None, *, sends: bool = True) -> None:
        """Check all fields of the connection that are needed.

        :param ad_account_id: the task's own; ``None``: the connection's.
        :param sends: whether calls are made. Without them only the ad account is needed.
        :raises ParameterError: names every field that cannot work.
        """
        found = Problems()
        found.checked(self.ad_account_id, ad_account_id, otherwise="")
        if sends:
            found.checked(self.host, otherwise="")
            found.checked(self._tokens, otherwise=None)
            found.checked(self._calls_per_minute, otherwise=0)
            found.checked(storage, self._secret("rate_limit_storage") or MEMORY, otherwise=None)
        found.raise_all()

    def get_conn(self) -> Client:
        """Return a client of the connection's own ad account.

        :raises ParameterError: the connection lacks something; the message says what.
        """
        return self.client()

    def host(self) -> str:
        """Return the API's base URL, checked.

        :raises ParameterError: the connection's host is not https, and not http to this machine.
        """
        return base_url(self.connection.host)

    def client(self, ad_account_id: str | None = None, *, test: bool = False, connections: int = 1) -> Client:
        """Return a client of an ad account.

        :param ad_account_id: ``None``: the connection's.
        :param test: validate without recording.
        :param connections: how many calls may be under way at once.
        :raises ParameterError: the connection lacks something; the message says what.
        """
        credential = Credential(
            self._tokens(), reread=self._tokens_now, on_new_token=lambda issued: mask_secret(issued.reveal())
        )
        return Client(self.host(), self.ad_account_id(ad_account_id), credential, test=test, connections=connections)

    def sender(
        self,
        ad_account_id: str | None = None,
        *,
        test: bool = False,
        connections: int = 1,
        on_doubt: OnDoubt | None = None,
        max_wait: float = MAX_WAIT,
        guard: Callable[[], None] = lambda: None,
    ) -> Sender:
        """Return a sender of batches to an ad account, at the connection's rate.

        :param ad_account_id: ``None``: the connection's.
        :param test: validate without recording.
        :param connections: how many calls may be under way at once.
        :param on_doubt: what to do with events whose outcome is unknown.
        :param max_wait: seconds that a batch may wait after its first failure.
        :param guard: called before each call; raises ``Stopped`` when this process must not send any more.
        :raises ParameterError: the connection lacks something; the message says what.
        """
        client = self.client(ad_account_id, test=test, connections=connections)
        pace = Pace(
            self.host() if test else f"{self.host()}/{client.ad_account_id}",  # test calls count per app
            calls_per_minute=self._calls_per_minute(),
            uri=self._secret("rate_limit_storage") or MEMORY,
            test=test,
        )
        return Sender(client, pace, on_doubt=on_doubt, max_wait=max_wait, guard=guard)

    def test_connection(self) -> tuple[bool, str]:
        """Send one invented event in test mode, which is validated and not recorded; say in words what is wrong."""
        takes, message = self._test_connection()
        known = [problem for problem in self._unknown_extras(self.connection) if problem not in message]
        return takes, " ".join((message, *known))

    def _test_connection(self) -> tuple[bool, str]:
        try:
            with closing(self.client(test=True)) as client:
                answer = client.post(_test_body(), 1)
                if isinstance(answer, Denied) and answer.trace.status == 401 and client.credential.renewable:
                    answer = client.renew(client.credential.token, answer) or client.post(_test_body(), 1)
        except PinterestError as error:
            return False, str(error)
        match answer:
            case Listed(failed=failed, unknown=unknown) if not failed and not unknown:
                return True, f"Ad account {client.ad_account_id} takes events with this token."
            case Listed(failed=failed):
                return (
                    False,
                    f"Pinterest answered, and did not take a test event: {next(iter(failed.values()), '')}",
                )
            case Denied(trace):
                return False, str(denied(trace))
            case Misconfigured(trace):
                return False, str(misconfigured(trace))
            case Busy() | Doubt():
                return False, str(unavailable(answer))
            case _:
                return False, f"Pinterest refused a test event ({answer.trace})."

    def _calls_per_minute(self) -> int:
        value = self._extra("calls_per_minute")
        try:
            calls = int(str(value)) if value not in (None, "") else CALLS_PER_MINUTE
        except (TypeError, ValueError):
            calls = 0
        if calls < 1:
            raise ParameterError(
                f"calls_per_minute in connection {self.pinterest_conn_id!r} must be a whole number of 1 or more."
            )
        return calls

    def _tokens(self) -> Tokens:
        """Return the tokens of the connection, masked from logs.

        :raises ParameterError: there is none, or it holds characters that no token has.
        """
        token = Secret((self.connection.password or "").strip())
        if not token:
            raise ParameterError(
                f"Connection {self.pinterest_conn_id!r} has no access token: put one into its password "
                "(Ads Manager → Conversions → Conversions API → Generate token)."
            )
        if not is_token(token):
            raise ParameterError(
                f"The access token in connection {self.pinterest_conn_id!r} holds characters that no token has: "
                "paste it again."
            )
        found = Tokens(token, self._secret("refresh_token"), self._text("app_id"), self._secret("app_secret"))
        for secret in (found.access, found.refresh, found.app_secret):
            if secret:
                mask_secret(secret.reveal())
        return found

    def _tokens_now(self) -> Tokens:
        """Read the connection again, for tokens that were replaced there while the task runs."""
        return type(self)(self.pinterest_conn_id)._tokens()  # noqa: SLF001

    def _secret(self, name: str) -> Secret | None:
        found = Secret(str(self._extra(name) or "").strip())
        return found or None

    def _text(self, name: str) -> str | None:
        return str(self._extra(name) or "").strip() or None

    def _extra(self, name: str) -> Any:
        return self.connection.extra_dejson.get(name)


def _most_like(name: str, known: Sequence[str]) -> str | None:
    """Return the known name that a name may be meant for."""
    plain = {"".join(one.split("_")): one for one in known}
    letters = re.sub(r"[^a-z0-9]", "", name.rpartition("__")[2].lower())
    return next((plain[found] for found in difflib.get_close_matches(letters, plain, n=1, cutoff=0.7)), None)


def _test_body() -> bytes:
    """Return the body of one event about nobody."""
    nobody = hashlib.sha256(b"connection-test@example.com").hexdigest()
    event = {
        "event_name": "page_visit",
        "action_source": "web",
        "event_time": int(time.time()),
        "event_id": "airflow-connection-test",
        "user_data": {"em": [nobody]},
    }
    return orjson.dumps({"data": [event]})
