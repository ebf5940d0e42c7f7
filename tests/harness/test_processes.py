"""Whole trees of processes are measured and ended."""

import sys
import time
from pathlib import Path

import pytest

from harness.processes import HarnessError, cpu_seconds, descendants, service, wait_for

pytestmark = pytest.mark.skipif(not Path("/proc").is_dir(), reason="needs Linux' /proc")

CHILD_IN_A_SESSION_OF_ITS_OWN = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True)
print(child.pid, flush=True)
time.sleep(60)
"""
BUSY = "import time\nwhile time.process_time() < 0.3: pass"
PARENT_OF_BUSY = f"import subprocess, sys, time; subprocess.run([sys.executable, '-c', {BUSY!r}]); time.sleep(60)"


def gone(pid):
    """Whether a process has ended, or ends in a moment: SIGKILL takes one."""

    def ended():
        stat = Path(f"/proc/{pid}/stat")
        return not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] in "ZX"

    wait_for(ended, f"process {pid} to end", every=0.01, seconds=5)
    return True


def start(tmp_path, code):
    return service("it", [sys.executable, "-c", code], tmp_path / "log")


def test_nothing_of_a_service_is_left(tmp_path):
    with start(tmp_path, CHILD_IN_A_SESSION_OF_ITS_OWN) as running:
        wait_for(lambda: running.log.read_text().strip(), "the child", services=[running])
        child = int(running.log.read_text())
        assert set(descendants(running.pid)) == {running.pid, child}

    assert gone(running.pid)
    assert gone(child)


def test_nothing_is_left_after_an_error_either(tmp_path):
    with pytest.raises(KeyboardInterrupt), start(tmp_path, "import time; time.sleep(60)") as running:
        raise KeyboardInterrupt

    assert gone(running.pid)


def test_a_killed_service_takes_its_children_along(tmp_path):
    with start(tmp_path, CHILD_IN_A_SESSION_OF_ITS_OWN) as running:
        wait_for(lambda: running.log.read_text().strip(), "the child", services=[running])
        child = int(running.log.read_text())
        running.kill()

        assert gone(child)
        assert running.process.poll() is not None


def test_the_time_of_children_that_ended_counts(tmp_path):
    with start(tmp_path, PARENT_OF_BUSY) as running:
        wait_for(lambda: cpu_seconds(running.pid) >= 0.3, "the child's time", services=[running], seconds=20)
        time.sleep(0.05)

        assert cpu_seconds(running.pid) < 5


def test_a_service_that_ends_is_noticed_with_what_it_said(tmp_path):
    with start(tmp_path, "print('no such thing')") as running, pytest.raises(HarnessError, match="no such thing"):
        wait_for(lambda: False, "nothing", services=[running])


def test_waiting_has_an_end():
    with pytest.raises(HarnessError, match="waited 0 s for godot"):
        wait_for(lambda: False, "godot", seconds=0)
