"""The callback that receives the result of a run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class SyncObserver:
    """Receives the result of a run. The methods are called in the thread that called ``sync``."""

    def ended(self, result: Mapping[str, Any], error: BaseException | None) -> None:
        """Receive the result of an attempt, before its error is raised.

        :param result: the counts, see :data:`~.run.RunResult`.
        :param error: why the attempt fails; ``None`` if it succeeds.
        """
