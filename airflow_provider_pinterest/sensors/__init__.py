"""Airflow's sensors.

- ``deletion_request``: waits for deletion requests.
"""

from __future__ import annotations
