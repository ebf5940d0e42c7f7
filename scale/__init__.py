"""Past one machine: a whole Airflow with a CeleryExecutor, two workers and one rate limit, counted from outside."""
