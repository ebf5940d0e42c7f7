"""What the operator needs of Airflow in one attempt, kept in memory: a task instance and a task state store."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any


@dataclass
class RecordingTaskInstance:
    """A task instance that keeps what is pushed to XCom."""

    dag_id: str = "shop"
    task_id: str = "send"
    run_id: str = "scheduled__2026-11-21T00:00:00+00:00"
    map_index: int = -1
    try_number: int = 1
    max_tries: int | None = None
    pushed: dict[str, Any] = field(default_factory=dict)

    def xcom_push(self, key: str, value: Any, **_: Any) -> None:
        """Keep a value as Airflow would: it must be JSON."""
        self.pushed[key] = json.loads(json.dumps(value))


class MemoryStateStore:
    """A task state store as Airflow has it since 3.3; what is stored is kept as JSON.

    :ivar writes: how often something was stored.
    """

    def __init__(self) -> None:
        self.values: dict[str, str] = {}
        self.writes = 0

    def get(self, key: str, default: Any = None) -> Any:
        """Return what was stored."""
        return json.loads(self.values[key]) if key in self.values else default

    def set(self, key: str, value: Any, **_: Any) -> None:
        """Store a value."""
        self.values[key] = json.dumps(value)
        self.writes += 1

    def delete(self, key: str) -> None:
        """Forget a value."""
        self.values.pop(key, None)
