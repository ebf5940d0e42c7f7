"""The files of a task, opened through Airflow's object storage."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from airflow_provider_pinterest.airflow_versions import ObjectStoragePath
from airflow_provider_pinterest.sources.files import FileSource

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_pinterest.sources.protocol import OpenSource

    Path = str | os.PathLike[str]


def open_files(path: Path | Sequence[Path]) -> OpenSource:
    """Find the files of a parameter ``path``. A URL may name a connection: ``s3://connection@bucket/…``.

    :raises SourceError: there is no file for one of the paths.
    :raises ParameterError: the format of a file is unknown.
    """
    several = [path] if isinstance(path, (str, os.PathLike)) else path
    return FileSource([ObjectStoragePath(one) for one in several]).open()
