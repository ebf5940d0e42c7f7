"""Sources of rows. They yield row batches: rows with the same columns. Does not import Airflow.

- ``protocol``: the interface of a source.
- ``sql``: the rows of a warehouse query.
- ``drivers``: how the rows of a query are read through each database driver.
- ``paramstyles``: the placeholders of statements, by driver.
- ``iterables``: the rows of a list or a generator.
- ``files``: the rows of files.
- ``file_listing``: the files of a path.
- ``file_patterns``: what the text of a path says.
- ``formats``: how the rows of a file are read in each format.
- ``grouping``: groups single rows into row batches.
"""

from __future__ import annotations
