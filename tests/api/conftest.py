from __future__ import annotations

from tests.running import connect, pinterest

__all__ = ["connect", "pinterest"]
