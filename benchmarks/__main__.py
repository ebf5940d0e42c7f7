"""``python -m benchmarks``: measure, print and save.

Exits with 0, with 1 if the operator is not clearly faster than the official client, with 2 if something could
not be measured.
"""

from __future__ import annotations

import argparse
import sys
from importlib.util import find_spec
from pathlib import Path

from benchmarks import plots, report
from benchmarks.experiments import EXPERIMENTS, LEAST_RATIO, QUICK, Effort, ReportSection
from benchmarks.stage import set_up
from harness.processes import HarnessError, say
from harness.tables import put_between, save


def main(arguments: list[str] | None = None) -> int:
    """Run the requested experiments and return the exit code."""
    options = _parser().parse_args(arguments)
    names = options.only or (QUICK if options.quick else tuple(EXPERIMENTS))
    effort = (Effort.quick if options.quick else Effort.full)(options.rows, options.repeat)
    try:
        sections = _run(names, effort)
    except HarnessError as problem:
        print(f"not measured: {problem}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    found = report.document(sections)
    print(report.markdown(found))
    if options.save or not (options.quick or options.only):
        _keep(found, options.results)
    slow = [
        f"{what}: {ratio:.1f} times the official client, less than {LEAST_RATIO:.0f}"
        for section in sections.values()
        for what, ratio in section.ratios.items()
        if ratio < LEAST_RATIO
    ]
    print("\n".join(slow), file=sys.stderr, end="\n" if slow else "")
    return 1 if slow else 0


def _run(names: tuple[str, ...] | list[str], effort: Effort) -> dict[str, ReportSection]:
    if "side_by_side" in names and find_spec("openapi_generated") is None:
        raise HarnessError("the official client is not installed; `make bench` installs it")
    sections = {}
    with set_up() as stage:
        for name in names:
            say(f"{name}:")
            section = EXPERIMENTS[name](stage, effort)
            if section is not None:
                sections[name] = section
    return sections


def _keep(found: report.Document, folder: Path) -> None:
    """Save the results. Update the documentation if they are saved in the repository."""
    kept = report.merged(found, folder)
    save(folder, "latest", kept, report.markdown(kept))
    if folder == report.RESULTS:
        put_between(report.PAGE, report.BEGIN, report.END, report.markdown(kept))
        plots.draw(kept, report.IMAGES)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure the operator.")
    parser.add_argument("--rows", type=int, default=1_000_000, metavar="N", help="most rows (default: 1,000,000)")
    parser.add_argument("--quick", action="store_true", help="less than a minute: a check, not numbers to publish")
    parser.add_argument("--only", nargs="+", choices=tuple(EXPERIMENTS), metavar="NAME", help=", ".join(EXPERIMENTS))
    parser.add_argument("--repeat", type=int, metavar="N", help="times that each measure is taken")
    parser.add_argument("--save", action="store_true", help="keep the results of --quick or --only, too")
    parser.add_argument(
        "--results", type=Path, default=report.RESULTS, metavar="DIR", help="where (default: benchmarks/results)"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
