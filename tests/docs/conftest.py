from __future__ import annotations

from tests.running import connect, pinterest, warehouse

__all__ = ["connect", "pinterest", "warehouse"]
