"""Example DAGs. Airflow can read this folder; in the wheel it is `example_dags`."""
