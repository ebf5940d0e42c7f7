from __future__ import annotations

from typing import Any

import pytest
from airflow.providers.common.compat.sdk import BaseHook

from airflow_provider_pinterest.sources.sql import SqlSource


class Queries:
    """Makes queries of the connection ``warehouse``; ``hook`` is the last one's."""

    hook: Any = None

    def __call__(self, sql: str, parameters: Any = None, **hook_params: Any) -> SqlSource:
        self.hook = BaseHook.get_connection("warehouse").get_hook(hook_params=hook_params)
        return SqlSource(self.hook, sql, parameters)


@pytest.fixture
def query() -> Queries:
    return Queries()
