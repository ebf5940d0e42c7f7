"""A DAG file imports the operator each time that it is parsed: that must be cheap."""

import subprocess
import sys

from airflow_provider_pinterest.hooks.pinterest import PinterestHook
from airflow_provider_pinterest.operators.send_conversions import SendConversionsOperator

PROGRAM = """
import sys
import airflow.providers.common.compat.sdk as sdk
from airflow.providers.common.sql.hooks.sql import DbApiHook
for name in ("BaseHook", "BaseOperator", "XComArg"):
    getattr(sdk, name)
before = set(sys.modules)
from airflow_provider_pinterest.operators.send_conversions import SendConversionsOperator
SendConversionsOperator(task_id="send", sql="SELECT 1", sql_conn_id="warehouse")
print(*sorted(sys.modules.keys() - before))
"""


def test_importing_the_operator_loads_nothing_that_only_a_running_task_needs():
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    loaded = done.stdout.splitlines()[-1].split()

    assert "airflow_provider_pinterest.operators.send_conversions" in loaded
    ours = [name for name in loaded if name.startswith("airflow_provider_pinterest")]
    others = {name.partition(".")[0] for name in loaded} - {"airflow_provider_pinterest"}
    assert len(ours) < 20, ours
    assert not others & {
        *("requests", "urllib3", "limits", "redis", "pandas", "pyarrow", "polars", "numpy", "phonenumbers"),
        *("pendulum", "orjson", "multiprocessing", "aiohttp", "sqlalchemy", "tenacity"),
    }


def test_the_default_connection_is_the_hook_s():
    operator = SendConversionsOperator(task_id="send", events=[])

    assert operator.pinterest_conn_id == PinterestHook.default_conn_name
