"""A whole run without an orchestrator: rows in, a result out. Imports no Airflow.

:func:`~.run.sync` takes a source, ``options``, a connection, a state store of ``state`` and an observer. ``attempt``
is what an orchestrator tells of an attempt. ``verdict`` says how a run ended and what the next one will do, ``preview``
and ``advice`` what a person should see.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from airflow_provider_pinterest.api.connection import PinterestConnection
    from airflow_provider_pinterest.delivery.stop import StopSignal
    from airflow_provider_pinterest.sources.iterables import IterableSource
    from airflow_provider_pinterest.sources.sql import Database, SqlSource
    from airflow_provider_pinterest.sync.attempt import AttemptInfo
    from airflow_provider_pinterest.sync.observer import SyncObserver
    from airflow_provider_pinterest.sync.options import SyncOptions
    from airflow_provider_pinterest.sync.run import RunResult, sync
    from airflow_provider_pinterest.sync.state import FileStateStore, SqlStateStore, StateStore

_MODULES: Final = {
    "AttemptInfo": "sync.attempt",
    "Database": "sources.sql",
    "FileStateStore": "sync.state",
    "IterableSource": "sources.iterables",
    "PinterestConnection": "api.connection",
    "RunResult": "sync.run",
    "SqlSource": "sources.sql",
    "SqlStateStore": "sync.state",
    "StateStore": "sync.state",
    "StopSignal": "delivery.stop",
    "SyncObserver": "sync.observer",
    "SyncOptions": "sync.options",
    "sync": "sync.run",
}

__all__ = [
    "AttemptInfo",
    "Database",
    "FileStateStore",
    "IterableSource",
    "PinterestConnection",
    "RunResult",
    "SqlSource",
    "SqlStateStore",
    "StateStore",
    "StopSignal",
    "SyncObserver",
    "SyncOptions",
    "sync",
]


def __getattr__(name: str) -> Any:
    """Import a name when it is first used: a DAG file needs only few."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"airflow_provider_pinterest.{_MODULES[name]}"), name)
