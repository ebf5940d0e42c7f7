"""Scales beyond one worker: a complete Airflow with a CeleryExecutor, two workers, one rate limit, and checks."""
