"""Links on a task instance.

- ``conversions``: the conversions page of the ad account in Ads Manager.
"""

from __future__ import annotations
