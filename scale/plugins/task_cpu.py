"""An Airflow plugin that writes down how much processor time each task process took, when it ends."""

from __future__ import annotations

import json
import os
import resource
import sys
from pathlib import Path
from typing import Any

from airflow.listeners import hookimpl
from airflow.plugins_manager import AirflowPlugin

FOLDER = os.environ.get("SCALE_CPU_FOLDER")


@hookimpl
def on_task_instance_success(previous_state: Any, task_instance: Any) -> None:
    """Airflow calls it in the task's own process, when the task is done."""
    del previous_state
    if FOLDER:
        spent = resource.getrusage(resource.RUSAGE_SELF)
        name = f"{task_instance.run_id}.{task_instance.task_id}.{task_instance.map_index}.json"
        Path(FOLDER, name).write_text(
            json.dumps({"cpu": spent.ru_utime + spent.ru_stime, "tries": task_instance.try_number}), encoding="ascii"
        )


class TaskCpu(AirflowPlugin):
    """Brings the listener."""

    name = "scale_task_cpu"
    listeners = [sys.modules[__name__]]  # noqa: RUF012
