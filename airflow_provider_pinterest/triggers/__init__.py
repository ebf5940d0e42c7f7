"""Triggers of deferred tasks.

- ``wait``: fires at a given time.
"""

from __future__ import annotations
