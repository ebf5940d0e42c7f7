"""Deletion requests without Airflow: rows in, requests and counts out.

- ``deletion_run``: the function :func:`~.deletion_run.request_deletion`.
- ``deletion_options``: the options of a run, and how people are named.
- ``reading``: reads rows and yields people in batches.
- ``targets``: the people of one request, and the form of addresses and click ids.
- ``requester``: gets a request created for each batch.
- ``created_requests``: remembers which requests exist.
- ``account_requests``: lists, shows and cancels the requests of an ad account.
- ``deletion_counts``: the counts, and the sentences about how a run ended.
- ``failures``: the errors for failed calls.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from airflow_provider_pinterest.erasure.deletion_counts import DeletionResult
    from airflow_provider_pinterest.erasure.deletion_options import DeletionOptions
    from airflow_provider_pinterest.erasure.deletion_run import request_deletion

_MODULES: Final = {
    "DeletionOptions": "deletion_options",
    "DeletionResult": "deletion_counts",
    "request_deletion": "deletion_run",
}

__all__ = ["DeletionOptions", "DeletionResult", "request_deletion"]


def __getattr__(name: str) -> Any:
    """Import a name when it is first used, because a DAG file needs only a few of them."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
