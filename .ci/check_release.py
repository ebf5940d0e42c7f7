#!/usr/bin/env python3
"""Check that the version, the changelog and the tag of a release agree: ``check_release.py v1.2.3``.

Without a tag, check what must hold at any time: the newest section of the changelog is that of the version.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
HEADING = re.compile(r"^## \[(?P<version>[^\]]+)\] - (?P<day>\S+)$", re.MULTILINE)


def problems(version: str, changelog: str, tag: str | None) -> list[str]:
    """Return what does not agree.

    :param version: of the package.
    :param changelog: its text.
    :param tag: of the release, if it is one.
    """
    newest = HEADING.search(changelog)
    if newest is None:
        return ["CHANGELOG.md has no section such as: ## [1.2.3] - 2026-11-25"]
    found = []
    if newest["version"] != version:
        found.append(f"The newest section of CHANGELOG.md is that of {newest['version']}, the package's is {version}.")
    released = re.fullmatch(r"\d{4}-\d{2}-\d{2}", newest["day"])
    if not released and newest["day"] != "unreleased":
        found.append(f"CHANGELOG.md has {newest['day']!r} where a day or 'unreleased' must be.")
    if tag is not None:
        if tag != f"v{version}":
            found.append(f"The tag is {tag}, and v{version} is the one of this version.")
        if not released:
            found.append("CHANGELOG.md has no day for this version yet.")
    return found


def version_of(source: str) -> str:
    """Return the version that a module states."""
    stated = re.search(r'^__version__ = "([^"]+)"$', source, re.MULTILINE)
    if stated is None:
        raise ValueError("there is no __version__")
    return stated[1]


def main(arguments: list[str]) -> int:
    """Print what does not agree, and return the exit code."""
    version = version_of((REPOSITORY / "airflow_provider_pinterest/__init__.py").read_text(encoding="utf-8"))
    changelog = (REPOSITORY / "CHANGELOG.md").read_text(encoding="utf-8")
    found = problems(version, changelog, arguments[0] if arguments else None)
    for problem in found:
        print(problem, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
