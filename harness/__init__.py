"""What the demo, the storms, the benchmarks, the scale run and the tests share: servers, processes, checks.

It imports none of them, and is not part of the wheel.

- ``processes``        start a process, wait until it is ready, measure it, end it with everything it started
- ``loopback``         free ports and requests on 127.0.0.1
- ``postgres``, ``mariadb``, ``redis``   real database servers in a folder of their own
- ``pinterest``        the package's local Pinterest in a process of its own, and connections to it
- ``counting_server``  a stand-in for Pinterest that only counts, as cheaply as it can
- ``certificates``     a TLS certificate for a server of this machine
- ``airflow``          the environment of a private Airflow, its connections, the health of its API server
- ``dag_runs``         parse DAG files and run DAGs once, through Airflow 2.11 or 3
- ``task``             what the operator needs of Airflow in an attempt: a task instance, a state store
- ``accounting``       does a result add up, and did every event arrive once
- ``tables``           Markdown tables, and where the documentation repeats them
"""
