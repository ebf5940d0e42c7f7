"""The outcome table: one row for each event in a database of the user's. Does not import Airflow.

- ``database``: statements through a DB-API connection of any driver.
- ``database_thread``: a thread that owns the connection of a run.
- ``dialects``: the SQL of each database.
- ``preparation``: creates a table, and checks that a run can write into it.
- ``records``: a row of the table.
- ``retries``: tries work on a database again if it fails.
- ``__main__``: prints the statement that creates the table.
- ``table``: the table, and what a run writes into it and reads from it.
"""

from __future__ import annotations
