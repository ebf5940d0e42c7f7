"""How fast, with how much memory: the operator measured, and the official client beside it on the same rows.

Everything happens on this machine. ``__main__`` runs *experiments*; an experiment runs *measures*, each in a
fresh process, on a *stage* that offers a warehouse and a server that counts::

    __main__ → experiments → stage → (child process) measures → sample → experiments → report
"""

from __future__ import annotations
