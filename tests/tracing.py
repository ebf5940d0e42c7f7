"""How much slower code runs while a debugger or a measure of coverage looks at each of its lines."""

from __future__ import annotations

import sys
from typing import Final

SLOWER: Final = 10 if sys.gettrace() else 1
"""What a limit of time is multiplied with."""
