from __future__ import annotations

from tests.running import connect, pinterest, postgres_warehouse, warehouse

__all__ = ["connect", "pinterest", "postgres_warehouse", "warehouse"]
