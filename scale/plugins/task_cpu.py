"""An Airflow plugin that records the processor time of each task process when it ends."""

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
    """Record the processor time. Airflow calls this in the process of the task, when the task ends."""
    del previous_state
    if FOLDER:
        spent = resource.getrusage(resource.RUSAGE_SELF)
        name = f"{task_instance.run_id}.{task_instance.task_id}.{task_instance.map_index}.json"
        Path(FOLDER, name).write_text(
            json.dumps({"cpu": spent.ru_utime + spent.ru_stime, "tries": task_instance.try_number}), encoding="ascii"
        )


class TaskCpu(AirflowPlugin):
    """Registers the listener."""

    name = "scale_task_cpu"
    listeners = [sys.modules[__name__]]  # noqa: RUF012
