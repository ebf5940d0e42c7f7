"""A task instance and a task state store in memory, to run an attempt of the operator without Airflow."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any


@dataclass
class RecordingTaskInstance:
    """A task instance that stores the values that are pushed to XCom."""

    dag_id: str = "shop"
    task_id: str = "send"
    run_id: str = "scheduled__2026-11-21T00:00:00+00:00"
    map_index: int = -1
    try_number: int = 1
    max_tries: int | None = None
    pushed: dict[str, Any] = field(default_factory=dict)

    def xcom_push(self, key: str, value: Any, **_: Any) -> None:
        """Store a value, which must be JSON, as in Airflow."""
        self.pushed[key] = json.loads(json.dumps(value))


class MemoryStateStore:
    """A task state store like that of Airflow 3.3. Values are stored as JSON.

    :ivar writes: the number of writes.
    """

    def __init__(self) -> None:
        self.values: dict[str, str] = {}
        self.writes = 0

    def get(self, key: str, default: Any = None) -> Any:
        """Return the stored value."""
        return json.loads(self.values[key]) if key in self.values else default

    def set(self, key: str, value: Any, **_: Any) -> None:
        """Store a value."""
        self.values[key] = json.dumps(value)
        self.writes += 1

    def delete(self, key: str) -> None:
        """Delete a value."""
        self.values.pop(key, None)
