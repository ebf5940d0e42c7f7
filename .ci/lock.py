"""Resolve every lock file of ``requirements/`` anew. ``make lock`` runs it; names as arguments choose some of them.

``NAME.txt`` is the newest of everything, from ``NAME.in``. ``pins/airflow-VERSION.txt`` is a release of Airflow with
what was newest at its day, from ``pins/days.txt``. ``pins/lowest.txt`` is the oldest release with the lowest version of
each dependency that ``pyproject.toml`` allows.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
REQUIREMENTS = REPOSITORY / "requirements"
PINS = REQUIREMENTS / "pins"
UNDER_OURS = ("deprecated", "packaging", "wrapt")
"""What our own dependencies require, and may need older with an older version of them."""


def releases() -> dict[str, str]:
    """Return the releases of Airflow that the wheel is checked on, oldest first, each with the day of its lock."""
    lines = (PINS / "days.txt").read_text(encoding="utf-8").splitlines()
    return dict(line.split() for line in lines if line and not line.startswith("#"))


def requirements() -> list[str]:
    """Return what the package and its extras require."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return [*project["dependencies"], *(one for extra in project["optional-dependencies"].values() for one in extra)]


def resolve(output: Path, *arguments: str | Path, stdin: str = "") -> None:
    """Write one lock file."""
    print(output.relative_to(REPOSITORY), flush=True)
    command = [
        Path(sys.executable).with_name("uv"),
        *("pip", "compile", "--quiet", "--upgrade", "--universal", "--python-version", "3.11", "--no-annotate"),
        *("--custom-compile-command", "make lock", "--output-file", output.relative_to(REPOSITORY)),
        *arguments,
    ]
    subprocess.run(command, input=stdin, text=True, cwd=REPOSITORY, check=True)


def newest(name: str) -> None:
    """Resolve the newest of everything."""
    package = ("--all-extras", "pyproject.toml") if name.startswith("airflow-") else ()
    resolve(REQUIREMENTS / f"{name}.txt", *package, f"requirements/{name}.in")


def pins(airflow: str, day: str) -> None:
    """Resolve what was newest at the day of a release."""
    package = ("--all-extras", "pyproject.toml", "requirements/pins/base.in", "-")
    resolve(PINS / f"airflow-{airflow}.txt", "--exclude-newer", day, *package, stdin=f"apache-airflow=={airflow}")


def lowest(airflow: str, day: str) -> None:
    """Resolve the lowest versions that we allow; what we do not require ourselves stays as it was in a release."""
    free = {re.split(r"[^a-z0-9-]", requirement)[0] for requirement in requirements()} | {*UNDER_OURS}
    lines = (PINS / f"airflow-{airflow}.txt").read_text(encoding="utf-8").splitlines()
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as rest:
        rest.write("\n".join(line for line in lines if line.partition("==")[0] not in free))
        rest.flush()
        package = ("--all-extras", "pyproject.toml")
        limits = ("--exclude-newer", day, "--resolution", "lowest-direct", "--constraint", rest.name)
        resolve(PINS / "lowest.txt", *limits, *package)


def main(chosen: list[str]) -> None:
    """Resolve all lock files, or the chosen ones."""
    for name in ("airflow-3.3", "airflow-2.11", "bench", "docs", "others", "scale"):
        if not chosen or name in chosen:
            newest(name)
    for airflow, day in releases().items():
        if not chosen or airflow in chosen:
            pins(airflow, day)
    if not chosen or "lowest" in chosen:
        lowest(*next(iter(releases().items())))


if __name__ == "__main__":
    main(sys.argv[1:])
