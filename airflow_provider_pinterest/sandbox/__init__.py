"""A local Pinterest: a real HTTP server to develop, test and demonstrate against.

Pinterest offers no sandbox for the conversions endpoint. This one is written from Pinterest's OpenAPI
description alone and shares no code with the rest of the package, so that it can judge what that sends.

From a test::

    with Sandbox() as pinterest:
        send_to(pinterest.url, pinterest.token)
        assert pinterest.copies() == {"order-1": 1}

From a shell: ``python -m airflow_provider_pinterest.sandbox``. Both need the extra ``sandbox``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_provider_pinterest.sandbox.harness import Sandbox

__all__ = ["Sandbox"]

INSTALL_HINT = "The local Pinterest needs more packages: install airflow-provider-pinterest with the extra 'sandbox'"

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
