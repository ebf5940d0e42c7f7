"""Formats of files. Each module turns the bytes of one file into row batches.

- ``file_formats``: which format a file has, by its name.
- ``parquet``: Parquet, read with pyarrow.
- ``arrow_cells``: the cells of Parquet files as Python objects.
- ``ndjson``: one JSON object on each line.
- ``delimited``: CSV with a header.
- ``lines``: the numbered lines of a file.
- ``first_bytes``: formats that are recognized by the first bytes of a file.
- ``compression``: gzip, bzip2, xz and Zstandard.
- ``broken``: the error for a file that cannot be read to its end.
"""

from __future__ import annotations
