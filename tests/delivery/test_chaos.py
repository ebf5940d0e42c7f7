"""Three short storms: a task that is killed, frozen and cleared, against a server with faults of every kind."""

import os
import subprocess
import sys

import pytest

from harness.processes import IMPORTS

STORM = """
import sys
from pathlib import Path
from chaos.storm import run_storm
report = run_storm(int(sys.argv[1]), 5_000, 2, Path(sys.argv[2]), outcomes="outcomes" in sys.argv)
print(report)
assert report.happened["kills"] >= 2, report
sys.exit(1 if report.broken else 0)
"""


def run(seed, folder, *arguments):
    """Run a storm in a process of its own: attempts are forks of it, and a test's threads would not survive that."""
    done = subprocess.run(
        [sys.executable, "-c", STORM, str(seed), str(folder), *arguments],
        env=os.environ | IMPORTS | {"AIRFLOW_HOME": str(folder / "airflow")},
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("seed", [3, 8])
def test_nothing_is_lost_in_a_storm_and_no_offline_event_is_sent_twice(seed, tmp_path):
    run(seed, tmp_path)


@pytest.mark.skipif("SKIP_POSTGRES" in os.environ, reason="SKIP_POSTGRES is set")
def test_the_outcome_table_agrees_with_the_server_after_a_storm(tmp_path):
    run(2, tmp_path, "outcomes")
