"""Pinterest's HTTP API: one call, and nothing about what to do next. Imports no Airflow.

``connection`` (token, host, account, limits) makes a ``client``, which makes calls: ``request`` out, ``responses`` in.
``connections``, ``route``, ``watchdog`` and ``interruptible`` carry a call; ``failures`` says what a failure of the
network means; ``credentials`` replaces tokens; ``rate_limit`` says when a call may go out. Each endpoint has a module
of its own: ``events``, ``oauth``.
"""

from __future__ import annotations
