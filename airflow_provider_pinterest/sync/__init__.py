"""A complete run without Airflow: rows in, a result out.

- ``run``: the function :func:`~.run.sync`, which sends the rows of a source and returns the counts.
- ``call``: the arguments of a call, and the parts that are made from them.
- ``opened``: what an attempt opens before it delivers.
- ``source_rows``: the rows of a source, from row batches to sections.
- ``options``: the options of a run and the values that each may have.
- ``attempt``: what an orchestrator knows about an attempt, and the state that earlier attempts left.
- ``state``: state stores, in a file or in a database table.
- ``observer``: the callback that receives the result.
- ``verdict``: the sentences about how a run ended and what the next attempt will do.
- ``preview``: one event as text, without personal data.
- ``advice``: remarks about the data of a run, for the log.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from airflow_provider_pinterest.api.connection import PinterestConnection
    from airflow_provider_pinterest.api.interruptible import Stopped
    from airflow_provider_pinterest.conversions.outcomes import RowBatch
    from airflow_provider_pinterest.delivery.stop import StopSignal
    from airflow_provider_pinterest.outcomes.table import OutcomeTable
    from airflow_provider_pinterest.sources.files import FileSource
    from airflow_provider_pinterest.sources.iterables import IterableSource
    from airflow_provider_pinterest.sources.protocol import OpenSource, Source
    from airflow_provider_pinterest.sources.sql import Database, SqlSource
    from airflow_provider_pinterest.sync.attempt import AttemptInfo
    from airflow_provider_pinterest.sync.observer import SyncObserver
    from airflow_provider_pinterest.sync.options import SyncOptions
    from airflow_provider_pinterest.sync.run import RunResult, sync
    from airflow_provider_pinterest.sync.state import FileStateStore, SqlStateStore, StateStore

_MODULES: Final = {
    "AttemptInfo": "sync.attempt",
    "Database": "sources.sql",
    "FileSource": "sources.files",
    "FileStateStore": "sync.state",
    "IterableSource": "sources.iterables",
    "OpenSource": "sources.protocol",
    "OutcomeTable": "outcomes.table",
    "PinterestConnection": "api.connection",
    "RowBatch": "conversions.outcomes",
    "RunResult": "sync.run",
    "Source": "sources.protocol",
    "SqlSource": "sources.sql",
    "SqlStateStore": "sync.state",
    "StateStore": "sync.state",
    "StopSignal": "delivery.stop",
    "Stopped": "api.interruptible",
    "SyncObserver": "sync.observer",
    "SyncOptions": "sync.options",
    "sync": "sync.run",
}

__all__ = [
    "AttemptInfo",
    "Database",
    "FileSource",
    "FileStateStore",
    "IterableSource",
    "OpenSource",
    "OutcomeTable",
    "PinterestConnection",
    "RowBatch",
    "RunResult",
    "Source",
    "SqlSource",
    "SqlStateStore",
    "StateStore",
    "StopSignal",
    "Stopped",
    "SyncObserver",
    "SyncOptions",
    "sync",
]


def __getattr__(name: str) -> Any:
    """Import a name when it is first used, because a DAG file needs only a few of them."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"airflow_provider_pinterest.{_MODULES[name]}"), name)
