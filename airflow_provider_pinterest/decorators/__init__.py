"""The operator as a TaskFlow decorator."""

from __future__ import annotations
