"""Example DAGs: a folder for Airflow to read, and `example_dags` inside the wheel."""
