"""The text that the command prints when the server is ready: the URL, and commands that create a connection."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_pinterest.sandbox.tokens import Token

EXAMPLE_ACCOUNT = "549755885175"

_EVERY_ADDRESS = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104  # nosec B104


def base_url(host: str, port: int) -> str:
    """Return the URL of the API for a client on this machine.

    :param host: the address that the server listens on. Clients cannot connect to ``0.0.0.0`` or ``::``.
    """
    reachable = _EVERY_ADDRESS.get(host) or (f"[{host.replace('%', '%25')}]" if ":" in host else host)
    return f"http://{reachable}:{port}/v5"


def example_connection(url: str, token: str, ad_account_id: str = EXAMPLE_ACCOUNT) -> dict[str, object]:
    """Return an Airflow connection to the sandbox, as in ``AIRFLOW_CONN_PINTEREST_DEFAULT``."""
    return {
        "conn_type": "pinterest",
        "host": url,
        "password": token,
        "extra": {"ad_account_id": ad_account_id},
    }


def usable_account(token: Token, existing: Sequence[str] | None) -> str:
    """Return an ad account that a token may use, if possible one that exists."""
    if token.ad_account_ids is None:
        return existing[0] if existing else EXAMPLE_ACCOUNT
    allowed = sorted(token.ad_account_ids)
    return next((account for account in allowed if existing is None or account in existing), allowed[0])


def greeting(url: str, connection: dict[str, object]) -> str:
    """Return the lines that the command prints when the server is ready."""
    text = shlex.quote(json.dumps(connection))
    return (
        f"Local Pinterest at {url}\n"
        "Paste one of these lines into a shell to connect Airflow to it:\n"
        f"export AIRFLOW_CONN_PINTEREST_DEFAULT={text}\n"
        f"airflow connections add pinterest_default --conn-json {text}"
    )
