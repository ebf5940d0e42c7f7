"""Long texts for logs, which show only the beginning of a long line."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from logging import Logger
from typing import Any, Final

_SENTENCES: Final = re.compile(r"(?<=[.?]) (?=[A-Z0-9])")

WIDTH: Final = 70
"""Characters of a log line. With time and level before it, a terminal or Airflow's log view shows about 110."""


def log_lines(log: Logger | Any, text: str) -> None:
    """Log a text as errors: short lines, each a record of its own, which no log view cuts."""
    for line in wrapped(text):
        log.error("%s", line)


def wrapped(text: str) -> Iterator[str]:
    """Yield a text in lines of at most :data:`WIDTH`, unless a word is longer; each sentence begins a line."""
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
