"""What deferred tasks wait for."""

from __future__ import annotations
