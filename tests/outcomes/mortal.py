"""The start of a program that dies right before or right after one statement that it sends to the database."""

from __future__ import annotations

MORTAL = """
import json, os, sqlite3, sys
from functools import partial
from airflow_provider_pinterest.exceptions import ResultError
from airflow_provider_pinterest.sync import (
    AttemptInfo, FileStateStore, IterableSource, OutcomeTable, PinterestConnection, SqlStateStore, SyncOptions, sync,
)


class Mortal:
    left = None
    def __init__(self, inner):
        self.inner = inner
    def step(self, call, *arguments):
        if Mortal.left is not None:
            Mortal.left -= 1
            if Mortal.left == 0 and sys.argv[4] == "before":
                os._exit(9)
        try:
            found = call(*arguments)
        finally:
            if Mortal.left == 0:
                os._exit(9)
        return Mortal(found) if isinstance(found, sqlite3.Cursor) else found
    def __getattr__(self, name):
        value = getattr(self.inner, name)
        if name in ("execute", "executemany", "commit"):
            return partial(self.step, value)
        return (lambda *a: Mortal(value(*a))) if name == "cursor" else value
Mortal.__module__ = "sqlite3"
"""
"""``Mortal(connection)`` dies at the statement number ``Mortal.left``; ``sys.argv[4]`` is ``before`` or ``after``."""
