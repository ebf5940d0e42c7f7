"""A local Pinterest: an HTTP server for development, tests and demonstrations.

Pinterest has no sandbox for the conversions endpoint. This one was written from Pinterest's OpenAPI description alone.
It shares no code with the rest of the package, so that it can check what the package sends.

From a test::

    with Sandbox() as pinterest:
        send_to(pinterest.url, pinterest.token)
        assert pinterest.copies() == {"order-1": 1}

From a shell: ``python -m airflow_provider_pinterest.sandbox``. Both need the extra ``sandbox``.

- ``harness``: the class ``Sandbox``, which runs the server in a thread.
- ``__main__``: the command.
- ``server``: the HTTP server.
- ``api``: Pinterest's endpoints.
- ``control``: the sandbox's own endpoints.
- ``local_pinterest``: the state behind the server.
- ``deletion_requests``: the deletion requests and their checks.
- ``judge``: the checks of a request and of its events.
- ``schema``: the JSON Schema of a request.
- ``answers``: status, headers and body of each answer.
- ``wire``: sends answers, or breaks connections.
- ``faults``: faults that are switched on.
- ``guard``: refuses requests from other origins.
- ``limits``: rate limits.
- ``settings``: the settings and their checks.
- ``store``: the database of received events and calls.
- ``tokens``: the tokens that the sandbox knows.
- ``printed``: the text that the command prints.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_provider_pinterest.sandbox.harness import Sandbox

__all__ = ["Sandbox"]

INSTALL_HINT = "The local Pinterest needs more packages. Install airflow-provider-pinterest with the extra 'sandbox'"

_EXTRA_PACKAGES = frozenset({"aiohttp", "jsonschema_rs", "orjson"})


def __getattr__(name: str) -> object:
    """Import the server on first use, so that the schema can be read without the extra's packages."""
    if name != "Sandbox":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        from airflow_provider_pinterest.sandbox.harness import Sandbox
    except ModuleNotFoundError as missing:
        if missing.name in _EXTRA_PACKAGES:
            raise ModuleNotFoundError(f"{INSTALL_HINT} (missing: {missing.name})", name=missing.name) from None
        raise
    return Sandbox
