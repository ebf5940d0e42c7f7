"""Servers, processes and checks for the demo, the storms, the benchmarks, the scale run and the tests.

It does not import them, and is not part of the wheel.

- ``processes``        start a process, wait until it is ready, measure it, end it with everything it started
- ``loopback``         free ports and requests on 127.0.0.1
- ``postgres``, ``mariadb``, ``redis``   real database servers, each in its own folder
- ``pinterest``        the package's local Pinterest in a separate process, and connections to it
- ``counting_server``  a fast replacement for Pinterest that only counts events
- ``scripted_server``  answers each request as a test says, also as no proper server does; proxies and silent ports
- ``certificates``     a TLS certificate for a server of this machine
- ``airflow``          the environment of a private Airflow, its connections, the health of its API server
- ``dag_runs``         parse DAG files and run DAGs once, through Airflow 2.11 or 3
- ``task``             a task instance and a state store for an attempt without Airflow
- ``accounting``       checks that a result adds up, and that every event arrived once
- ``tables``           writes Markdown tables into the documentation
"""
