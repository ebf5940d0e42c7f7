from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from airflow_provider_pinterest.sandbox import Sandbox
from tests.delivery.world import NOW


@pytest.fixture
def pinterest(connect: Callable[..., None]) -> Iterator[Sandbox]:
    """Run a local Pinterest whose clock stands still, that ``pinterest_default`` leads to."""
    with Sandbox(clock=lambda: NOW, calls_per_window=0) as sandbox:
        connect(sandbox)
        yield sandbox
