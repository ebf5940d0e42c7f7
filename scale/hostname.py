"""The host name of a worker. All workers of the example run on one machine, and Airflow asks each for its name."""

from __future__ import annotations

import os
import socket


def hostname() -> str:
    """Return the worker's name, or the machine's."""
    return os.environ.get("SCALE_WORKER") or socket.gethostname()
