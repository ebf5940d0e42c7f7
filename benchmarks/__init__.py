"""Measures the speed and memory of the operator, and of the official client on the same rows.

Everything happens on this machine. ``__main__`` runs *experiments*; an experiment runs *measures*, each in a
fresh process, on a *stage* with a warehouse and a server that counts events::

    __main__ → experiments → stage → (child process) measures → sample → experiments → report
"""

from __future__ import annotations
