"""What a run tells while it goes on and when it ends."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class SyncObserver:
    """Told about a run; override what is needed. The methods are called in the thread that called ``sync``."""

    def ended(self, result: Mapping[str, Any], error: BaseException | None) -> None:
        """Take the result of an attempt, before its error is raised.

        :param result: as :class:`~.run.RunResult` has it.
        :param error: why the attempt fails; ``None``: it succeeds.
        """
