"""Pictures of the results, for the documentation."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any, Final

from benchmarks.experiments import IN_FLIGHT, LATENCIES_MS, LIMIT, MB, per_second
from benchmarks.report import Document


def draw(found: Document, folder: Path) -> list[Path]:
    """Draw a picture of each section with results, if matplotlib is installed."""
    if find_spec("matplotlib") is None:
        return []
    importlib.import_module("matplotlib").use("Agg")
    folder.mkdir(parents=True, exist_ok=True)
    drawn = []
    for name, picture in PICTURES.items():
        if name in found["sections"]:
            plot = importlib.import_module("matplotlib.pyplot")
            figure, axes = plot.subplots(figsize=(7, 4), layout="constrained")
            picture(axes, found["sections"][name]["samples"])
            axes.grid(visible=True, alpha=0.3)
            path = folder / f"{name}.png"
            figure.savefig(path, dpi=120, metadata={"Software": None})
            plot.close(figure)
            drawn.append(path)
    return drawn


def _memory(axes: Any, samples: dict[str, Any]) -> None:
    alone = {name: taken for name, taken in samples.items() if name.replace(",", "").isdigit()}
    sizes = [int(name.replace(",", "")) for name in alone]
    peaks = [median(one["peak"] for one in taken) / MB for taken in alone.values()]
    axes.plot(sizes, peaks, marker="o", label="this operator")
    axes.axhline(samples["idle"][0]["peak"] / MB, linestyle="--", color="grey", label="Airflow imported, no row read")
    axes.set(xscale="log", xlabel="rows", ylabel="most memory resident, MB", title="Memory by rows")
    axes.set_ylim(bottom=0)
    axes.legend()


def _in_flight(axes: Any, samples: dict[str, Any]) -> None:
    for latency in LATENCIES_MS:
        speeds = [median(per_second(samples[f"{latency} ms, {n} in flight"], "seconds")) for n in IN_FLIGHT]
        axes.plot(IN_FLIGHT, speeds, marker="o", label=f"{latency} ms")
    axes.axhline(LIMIT, linestyle="--", color="grey", label="Pinterest's limit")
    axes.set_xscale("log", base=2)
    axes.set_xticks(IN_FLIGHT, [str(n) for n in IN_FLIGHT])
    axes.set(xlabel="requests in flight", ylabel="events a second", title="Speed by latency and requests in flight")
    axes.set_ylim(bottom=0)
    axes.legend(title="latency")


PICTURES: Final[dict[str, Callable[[Any, dict[str, Any]], None]]] = {"pipeline": _memory, "in_flight": _in_flight}
"""Section → picture."""
