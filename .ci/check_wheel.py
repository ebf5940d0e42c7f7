"""Check an installed airflow-provider-pinterest from the outside, with nothing but what it requires."""

from __future__ import annotations

import sys
from importlib.metadata import distribution, entry_points
from pathlib import Path

from checks import check

import airflow_provider_pinterest as package

DISTRIBUTION = "airflow-provider-pinterest"
ROOT = Path(package.__file__).parent


def check_files() -> None:
    """Check that nothing lands outside the package, least of all in Airflow's own."""
    installed = distribution(DISTRIBUTION)
    top = {path.parts[0] for path in installed.files or ()}
    check(f"installed into this environment: {ROOT}", ROOT.is_relative_to(sys.prefix))
    check(f"only the package at the top: {sorted(top)}", "airflow" not in top and len(top) == 2)
    check("typed", (ROOT / "py.typed").is_file())
    check(f"version {installed.version}", installed.version == package.__version__)
    check("Apache-2.0", installed.metadata["License-Expression"] == "Apache-2.0")


def check_discovery() -> None:
    """Check that Airflow finds the provider and what it brings."""
    (entry,) = (point for point in entry_points(group="apache_airflow_provider") if point.dist.name == DISTRIBUTION)
    info = entry.load()()
    check("entry point", info["package-name"] == DISTRIBUTION)

    from airflow.providers_manager import ProvidersManager

    manager = ProvidersManager()
    check("provider", manager.providers[DISTRIBUTION].version == package.__version__)
    try:
        from airflow.sdk.providers_manager_runtime import ProvidersManagerTaskRuntime
    except ImportError:  # Airflow 2
        runtime = manager
    else:
        runtime = ProvidersManagerTaskRuntime()
        form = {name for name in manager.connection_form_widgets if name.startswith("extra__pinterest__")}
        check(
            f"connection form: {len(form)} fields",
            len(form) == len(info["connection-types"][0]["conn-fields"]),
        )
    hook = runtime.hooks["pinterest"]
    check("connection type", hook is not None and hook.hook_name == info["connection-types"][0]["hook-name"])
    check("connection can be tested", hook.connection_testable)
    check("extra link", set(info["extra-links"]) <= set(manager.extra_links_class_names))
    check("task decorator", "pinterest_conversions" in runtime.taskflow_decorators)


def check_examples() -> None:
    """Check that the example DAGs are there and load without any optional package."""
    try:
        from airflow.dag_processing.dagbag import DagBag
    except ImportError:  # Airflow 2
        from airflow.models.dagbag import DagBag

    import airflow_provider_pinterest.example_dags as examples

    bag = DagBag(dag_folder=next(iter(examples.__path__)))
    check(
        f"example DAGs load: {bag.import_errors or sorted(bag.dag_ids)}",
        bag.dag_ids and not bag.import_errors,
    )


if __name__ == "__main__":
    check_files()
    check_discovery()
    check_examples()
