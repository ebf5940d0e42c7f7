"""Wraps long texts for log views that cut long lines."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from logging import Logger
from typing import Any, Final

_SENTENCES: Final = re.compile(r"(?<=[.?]) (?=[A-Z0-9])")

WIDTH: Final = 70
"""Width of a log line in characters. A terminal or Airflow's log view shows about 110, with time and level before."""


def log_lines(log: Logger | Any, text: str) -> None:
    """Log a text as errors in short lines, each as a separate record."""
    for line in wrapped(text):
        log.error("%s", line)


def wrapped(text: str) -> Iterator[str]:
    """Yield a text in lines of at most :data:`WIDTH`, unless a word is longer; each sentence starts a line."""
    for paragraph in text.splitlines():
        indent = ""
        for sentence in _SENTENCES.split(paragraph):
            yield from textwrap.wrap(
                sentence,
                WIDTH,
                initial_indent=indent,
                subsequent_indent="  ",
                break_long_words=False,
                break_on_hyphens=False,
            )
            indent = "  " if paragraph.startswith("- ") else ""
