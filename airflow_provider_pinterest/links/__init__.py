"""Buttons on a task instance."""

from __future__ import annotations
