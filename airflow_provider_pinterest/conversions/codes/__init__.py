"""Lists of codes from standards, as dated data files, and the functions that read them.

- ``countries.txt``, ``country_names.txt``: ISO 3166-1 countries and their names.
- ``us_states.txt``: states and territories of the US.
- ``currencies.txt``: ISO 4217 currencies.
- ``lists``: the loader. A file is read when its list is first used.
- ``spelling``: the forms in which names of places are compared.

The head of each file names its date and its source. To update a list, change its lines and its date.
"""

from __future__ import annotations
