"""One try of the task in a process of its own, with everything of Airflow that the operator needs."""

from __future__ import annotations

import json
import logging
import os
import sys
import traceback
from pathlib import Path
from typing import Any

from airflow_provider_pinterest.operators.send_conversions import SendConversionsOperator
from chaos.world import SQL

MAX_IN_FLIGHT = 4
BATCH = 500


class FileStore:
    """Airflow's task state store as a file that is replaced in one step."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def get(self, key: str, default: Any = None) -> Any:
        """Return what was set, or the default."""
        return json.loads(self._path.read_text()).get(key, default) if self._path.exists() else default

    def set(self, key: str, value: Any) -> None:
        """Replace what was set."""
        new = self._path.with_suffix(".new")
        assert json.loads(json.dumps(value)) == value, "Airflow takes nothing but JSON: no tuples"
        new.write_text(json.dumps({key: value}))
        new.replace(self._path)

    def delete(self, key: str) -> None:
        """Forget what was set."""
        del key
        self._path.unlink(missing_ok=True)


class TaskInstance:
    """As much of a task instance as the operator uses."""

    dag_id = "storm"
    task_id = "send"
    run_id = "seed"
    map_index = -1
    max_tries = 1_000

    def __init__(self, folder: Path, try_number: int) -> None:
        self.try_number = try_number
        self._result = folder / "result.json"

    def xcom_push(self, key: str, value: Any) -> None:
        """Keep what was pushed where the parent process finds it."""
        del key
        new = self._result.with_suffix(".new")
        new.write_text(json.dumps(value))
        new.replace(self._result)


def fork_try(folder: Path, try_number: int, *, rejects: bool = True) -> int:
    """Start a try in a child process and return its pid; it exits with 0 when all is delivered."""
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        log = os.open(folder / "log.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(log, 1)
        os.dup2(log, 2)
        logging.basicConfig(stream=sys.stderr, level=logging.INFO, force=True, format="%(process)d %(message)s")
        operator = SendConversionsOperator(
            task_id="send",
            sql=SQL,
            sql_conn_id="warehouse",
            rejects_path=f"file://{folder}/rejects" if rejects else None,
            max_rejected=1.0,
            batch_size=BATCH,
            max_in_flight=MAX_IN_FLIGHT,
        )
        context: Any = {
            "ti": TaskInstance(folder, try_number),
            "task_state_store": FileStore(folder / "state.json"),
        }
        operator.execute(context)
        code = 0
    except BaseException as error:  # noqa: BLE001 - a try may end in any way
        traceback.print_exc()
        code = 3 if "outcome is unknown" in str(error) else 1
    finally:
        os._exit(code)
