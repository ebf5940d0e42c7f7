"""What the checks of an installed wheel share."""

from __future__ import annotations

import sys


def check(what: str, holds: object) -> None:
    """Print one line for one check; end the run if it fails."""
    print("ok  " if holds else "FAIL", what, flush=True)
    if not holds:
        sys.exit(1)
