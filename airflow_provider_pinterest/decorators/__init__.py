"""The TaskFlow decorator.

- ``pinterest_conversions``: ``@task.pinterest_conversions``.
"""

from __future__ import annotations
