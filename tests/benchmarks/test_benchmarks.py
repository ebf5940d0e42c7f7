"""The benchmarks run from end to end, on few rows."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
official_client = pytest.mark.skipif(not find_spec("openapi_generated"), reason="`make bench` installs the client")


def run(temporary: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    (temporary / "tmp").mkdir()
    return subprocess.run(
        [sys.executable, "-m", "benchmarks", "--quick", "--repeat", "1", *arguments],
        cwd=REPOSITORY,
        env=os.environ | {"TMPDIR": str(temporary / "tmp")},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def test_the_operator_is_measured_and_the_results_are_kept(tmp_path):
    done = run(
        tmp_path, "--rows", "2500", "--only", "stages", "pipeline", "--save", "--results", str(tmp_path / "kept")
    )

    assert done.returncode == 0, done.stderr
    kept = json.loads((tmp_path / "kept" / "latest.json").read_text())
    [sent] = kept["sections"]["pipeline"]["samples"]["2,500"]
    assert sent["events"] == sent["rows"] == 2_500
    assert sent["calls"] == 3
    assert min(sent["seconds"], sent["cpu"], sent["peak"]) > 0
    assert (tmp_path / "kept" / "latest.md").read_text() in done.stdout
    assert list((tmp_path / "tmp").iterdir()) == []


@official_client
def test_the_official_client_is_measured_beside_it(tmp_path):
    done = run(tmp_path, "--rows", "1500")

    assert done.returncode in (0, 1), done.stderr  # so few rows say nothing about speed
    assert "| SQLite to HTTP, events per second |" in done.stdout


@pytest.mark.skipif(bool(find_spec("openapi_generated")), reason="the official client is installed")
def test_a_missing_official_client_is_named(tmp_path):
    done = run(tmp_path, "--rows", "100")

    assert done.returncode == 2
    assert "make bench" in done.stderr
