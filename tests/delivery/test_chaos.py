"""Two short storms: a task that is killed, frozen and cleared, against a server on which everything goes wrong."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]

STORM = """
import sys
from pathlib import Path
from chaos import storm
verdict = storm.ride(int(sys.argv[1]), 5_000, 2, Path(sys.argv[2]))
print(verdict)
assert verdict.happened["kills"] >= 2, verdict
sys.exit(1 if verdict.broken else 0)
"""


@pytest.mark.parametrize("seed", [3, 8])
def test_nothing_is_lost_in_a_storm_and_no_offline_event_is_sent_twice(seed, tmp_path):
    """In a process of its own: attempts are forks of it, and a test's threads would not survive that."""
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(filter(None, [str(REPOSITORY), *sys.path])),
        "AIRFLOW_HOME": str(tmp_path / "airflow"),
    }
    ridden = subprocess.run(
        [sys.executable, "-c", STORM, str(seed), str(tmp_path)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )

    assert ridden.returncode == 0, ridden.stdout + ridden.stderr
