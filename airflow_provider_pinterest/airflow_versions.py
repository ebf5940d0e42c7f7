"""The differences between versions of Airflow, in one place.

Airflow 3 has its public names in ``airflow.sdk``. Airflow 2.11 and some minor versions of 3 have them in other modules.
Each name is imported from the first module in its list that has it.
"""

from __future__ import annotations

import datetime as dt
import inspect
from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from airflow.configuration import conf
    from airflow.sdk import (
        BaseHook,
        BaseOperator,
        BaseOperatorLink,
        BaseSensorOperator,
        Connection,
        Context,
        ObjectStoragePath,
        XComArg,
    )
    from airflow.sdk.bases.decorator import DecoratedOperator, TaskDecorator, determine_kwargs, task_decorator_factory
    from airflow.sdk.definitions.context import context_merge
    from airflow.sdk.exceptions import (
        AirflowException,
        AirflowFailException,
        AirflowNotFoundException,
        AirflowSensorTimeout,
        AirflowSkipException,
    )
    from airflow.sdk.execution_time.xcom import XCom
    from airflow.sdk.log import mask_secret

    from airflow_provider_pinterest.state_store import StateStore
else:
    _DECORATORS = ("airflow.sdk.bases.decorator", "airflow.decorators.base")
    _EXCEPTIONS = ("airflow.sdk.exceptions", "airflow.exceptions")
    _NAMES = {
        "AirflowException": _EXCEPTIONS,
        "AirflowFailException": _EXCEPTIONS,
        "AirflowNotFoundException": _EXCEPTIONS,
        "AirflowSensorTimeout": _EXCEPTIONS,
        "AirflowSkipException": _EXCEPTIONS,
        "BaseHook": ("airflow.sdk", "airflow.hooks.base"),
        "BaseOperator": ("airflow.sdk", "airflow.models"),
        "BaseOperatorLink": ("airflow.sdk", "airflow.models"),
        "BaseSensorOperator": ("airflow.sdk", "airflow.sensors.base"),
        "Connection": ("airflow.sdk", "airflow.models"),
        "DecoratedOperator": _DECORATORS,
        "ObjectStoragePath": ("airflow.sdk", "airflow.io.path"),
        "XCom": ("airflow.sdk.execution_time.xcom", "airflow.models"),
        "XComArg": ("airflow.sdk", "airflow.models.xcom_arg"),
        "conf": ("airflow.sdk.configuration", "airflow.configuration"),
        "context_merge": ("airflow.sdk.definitions.context", "airflow.utils.context"),
        "determine_kwargs": ("airflow.sdk.bases.decorator", "airflow.utils.operator_helpers"),
        "mask_secret": ("airflow.sdk.log", "airflow.utils.log.secrets_masker"),
        "task_decorator_factory": _DECORATORS,
    }

    def __getattr__(name: str) -> Any:
        """Import a name when it is first used, so that a DAG file pays only for what it needs."""
        for module in _NAMES.get(name, ()):
            try:
                found = getattr(import_module(module), name)
            except (ImportError, AttributeError):
                continue
            globals()[name] = found
            return found
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = [
    "AirflowException",
    "AirflowFailException",
    "AirflowNotFoundException",
    "AirflowSensorTimeout",
    "AirflowSkipException",
    "BaseHook",
    "BaseOperator",
    "BaseOperatorLink",
    "BaseSensorOperator",
    "Connection",
    "Context",
    "DecoratedOperator",
    "ObjectStoragePath",
    "TaskDecorator",
    "XCom",
    "XComArg",
    "conf",
    "context_merge",
    "determine_kwargs",
    "in_any_thread",
    "mask_secret",
    "may_be_forgotten",
    "state_store",
    "task_decorator_factory",
]

RETENTION: Final = dt.timedelta(days=90)
"""How long Airflow keeps the state of a task."""

CLOCKS: Final = dt.timedelta(days=1)
"""How much clocks may differ."""


def state_store(context: Any) -> StateStore | None:
    """Return the task's state store; ``None`` before Airflow 3.3."""
    try:
        store = context["task_state_store"]
    except KeyError:
        return None
    return None if store is None else _Retaining(store)


class _Retaining:
    """A task's state store that keeps its values for :data:`RETENTION`."""

    def __init__(self, store: Any) -> None:
        self._store = store
        known = inspect.signature(store.set).parameters
        self._options = {"retention": RETENTION} if "retention" in known else {}

    def get(self, key: str, default: Any = None) -> Any:
        return self._store.get(key, default)

    def set(self, key: str, value: Any) -> None:
        self._store.set(key, value, **self._options)


def in_any_thread(rows: Any) -> Any:
    """Return the value of an XCom in a form that another thread can read.

    Airflow 2 reads the outputs of a mapped task one by one, with a database session of the task's main thread.
    """
    if (
        find_spec("airflow.sdk") is None
        and isinstance(rows, Sequence)
        and not isinstance(rows, (list, tuple, str, bytes))
    ):
        return list(rows)
    return rows


def may_be_forgotten(context: Any) -> bool:
    """Return whether the state of an earlier attempt may be gone from the task's state store.

    Airflow may remove it after :data:`RETENTION`, and removes it when the task succeeds if it is configured to.
    """
    started = getattr(context.get("dag_run"), "start_date", None)
    if isinstance(started, dt.datetime) and started.tzinfo and dt.datetime.now(dt.UTC) - started > RETENTION - CLOCKS:
        return True
    from airflow_provider_pinterest.airflow_versions import conf

    return bool(conf.getboolean("state_store", "clear_on_success", fallback=False))
