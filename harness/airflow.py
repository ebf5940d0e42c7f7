"""A private Airflow: its environment, its connections, and the health of its API server."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from harness.loopback import get_json
from harness.processes import IMPORTS

SETTINGS: Final = {
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
}
"""The settings of every Airflow here."""

_NOT_INHERITED: Final = ("AIRFLOW_", "REQUESTS_", "CURL_", "CELERY_")


def environment(home: Path, connections: Mapping[str, str], **more: str) -> dict[str, str]:
    """Return the environment of an Airflow that is separate from the user's own Airflow.

    :param home: its AIRFLOW_HOME.
    :param connections: connections by their ids, as JSON.
    """
    inherited = {name: value for name, value in os.environ.items() if not name.upper().startswith(_NOT_INHERITED)}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    local = {"PATH": path, "AIRFLOW_HOME": str(home), "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
    return {
        **inherited,
        **IMPORTS,
        **SETTINGS,
        **local,
        **{f"AIRFLOW_CONN_{name.upper()}": value for name, value in connections.items()},
        **more,
    }


def sqlite_connection(path: Path) -> str:
    """Return the Airflow connection to a SQLite database."""
    return json.dumps({"conn_type": "sqlite", "host": str(path)})


def api_settings(port: int, *, heartbeat: int, missed_after: int, looked_every: int) -> dict[str, str]:
    """Return the settings of an Airflow with an API server on a port that detects dead tasks quickly.

    :param heartbeat: seconds between the heartbeats of a task.
    :param missed_after: seconds without a heartbeat after which it is dead.
    :param looked_every: seconds between two checks of the heartbeats.
    """
    prefix = "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT"
    return {
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
        "AIRFLOW__API__BASE_URL": f"http://127.0.0.1:{port}/",
        f"{prefix}_SEC": str(heartbeat),
        f"{prefix}_TIMEOUT": str(missed_after),
        f"{prefix}_TIMEOUT_DETECTION_INTERVAL": str(looked_every),
    }


def healthy(port: int, *parts: str) -> bool:
    """Return whether the API server answers and reports these parts of Airflow as healthy."""
    try:
        health = get_json(port, "/api/v2/monitor/health")
    except (OSError, ValueError):
        return False
    return all(health.get(part, {}).get("status") == "healthy" for part in parts)


def xcom_document(value: Any) -> dict[str, Any]:
    """Return the dictionary of an XCom. Some databases return it as JSON text."""
    found: dict[str, Any] = json.loads(value) if isinstance(value, str) else value
    return found
