"""The operators.

- ``send_conversions``: :class:`~.send_conversions.SendConversionsOperator`.
- ``request_deletion``: :class:`~.request_deletion.RequestDeletionOperator`.
- ``deletion_task_options``: the parameters of that operator and their allowed values.
- ``warehouse_query``: the rows of a query, by the name of a connection.
- ``task``: the interface of a task for the code that runs it.
- ``task_options``: the operator's parameters and their allowed values.
- ``task_events``: checks the rows that a task is given.
- ``task_files``: the files that a task reads.
- ``templates``: how parameters are rendered, and what of them is not shown.
- ``task_attempt``: the number, identity and folders of a task's attempt.
- ``task_runner``: runs one attempt: connection, state store, XCom, deferral.
- ``task_outcomes``: the outcome table of a task, and its state in the same database.
- ``error_report``: the log lines before a task fails, and the exception that Airflow gets.
- ``errors``: exceptions of this package that are Airflow's exceptions too.
"""

from __future__ import annotations
