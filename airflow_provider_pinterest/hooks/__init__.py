"""Airflow connection → client."""

from __future__ import annotations
