"""What a DAG author writes."""

from __future__ import annotations
