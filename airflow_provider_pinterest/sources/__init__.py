"""Rows, wherever they come from: each source yields chunks that share their columns."""

from __future__ import annotations
