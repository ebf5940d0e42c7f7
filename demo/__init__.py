"""A shop with a warehouse, a local Pinterest and real Airflow between them: ``python -m demo``.

The demo is not part of the wheel. ``people`` and ``planted`` have the constants: invented customers, the dirty rows and
their expected outcomes. ``warehouse`` builds the SQLite warehouse from them, and ``lake`` the Parquet files. ``stage``
sets up a temporary Airflow and the sandbox; with ``cluster_policy`` its tasks write the outcome table, which
``outcome_rows`` reads. ``harness.dag_runs`` runs in that Airflow. ``verdict`` compares the results of the operator, the
outcome table, the sandbox and the builder. ``report`` prints the comparison.
"""
