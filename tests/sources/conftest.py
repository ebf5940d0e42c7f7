from __future__ import annotations

from typing import Any

import pytest
from airflow.providers.common.compat.sdk import BaseHook

from airflow_provider_pinterest.sources.cursors import Query


class Queries:
    """Makes queries of the connection ``warehouse``; ``hook`` is the last one's."""

    hook: Any = None

    def __call__(self, sql: str, parameters: Any = None, **hook_params: Any) -> Query:
        self.hook = BaseHook.get_connection("warehouse").get_hook(hook_params=hook_params)
        return Query(self.hook, sql, parameters)


@pytest.fixture
def query() -> Queries:
    return Queries()
