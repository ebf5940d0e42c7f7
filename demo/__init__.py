"""A shop with a warehouse, a local Pinterest and real Airflow between them: ``python -m demo``.

Nothing here is shipped. The rooms: ``people`` and ``planted`` hold the constants (invented customers, the
dirty rows and what must become of them), ``warehouse`` builds the SQLite warehouse from them, ``stage``
sets up a throw-away Airflow and the sandbox, ``harness.dag_runs`` runs inside that Airflow, ``verdict`` compares
what our side, the sandbox and the warehouse's builder say, and ``report`` prints it.
"""
