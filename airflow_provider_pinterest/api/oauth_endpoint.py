"""The endpoint that issues access tokens.

https://developers.pinterest.com/docs/api/v5/oauth-token/
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from airflow_provider_pinterest.api.request import Request

if TYPE_CHECKING:
    from airflow_provider_pinterest.api.responses import Misconfigured, OutcomeUnknown, Reply, Unavailable
    from airflow_provider_pinterest.redaction import Secret


def request_token(
    call: Callable[[Request], Reply | Unavailable | OutcomeUnknown | Misconfigured],
    form: Mapping[str, Secret],
    basic: Callable[[], str],
) -> Reply | Unavailable | OutcomeUnknown | Misconfigured:
    """Ask for a token.

    :param call: makes a call, as :meth:`~.client.Client.call` does.
    :param form: names and values to send, some of them secret.
    :param basic: returns the value of the ``Authorization`` header.
    """
    return call(Request("/oauth/token", lambda: _urlencoded(form), "application/x-www-form-urlencoded", basic))


def _urlencoded(form: Mapping[str, Secret]) -> bytes:
    return urlencode({name: value.reveal() for name, value in form.items()}).encode()
