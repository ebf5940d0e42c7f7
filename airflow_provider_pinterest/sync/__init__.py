"""A whole run without an orchestrator: rows in, a result out. Imports no Airflow.

:func:`~.run.sync` takes a source, ``options``, a connection, a state store of ``state`` and an observer. ``attempt``
is what an orchestrator tells of an attempt. ``verdict`` says how a run ended and what the next one will do, ``preview``
and ``advice`` what a person should see.
"""

from __future__ import annotations

from airflow_provider_pinterest.api.connection import PinterestConnection
from airflow_provider_pinterest.delivery.stop import StopSignal
from airflow_provider_pinterest.sources.iterables import IterableSource
from airflow_provider_pinterest.sources.sql import Database, SqlSource
from airflow_provider_pinterest.sync.attempt import AttemptInfo
from airflow_provider_pinterest.sync.observer import SyncObserver
from airflow_provider_pinterest.sync.options import SyncOptions
from airflow_provider_pinterest.sync.run import RunResult, sync
from airflow_provider_pinterest.sync.state import FileStateStore, SqlStateStore, StateStore

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
