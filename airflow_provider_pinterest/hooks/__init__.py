"""From an Airflow connection to a client.

- ``pinterest``: the hook for connections of type ``pinterest``.
- ``lookup``: finds an Airflow connection by name.
"""

from __future__ import annotations
