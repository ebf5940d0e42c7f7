"""The files of a task, opened through Airflow's object storage."""

from __future__ import annotations

from typing import Any

from airflow_provider_pinterest.airflow_versions import ObjectStoragePath
from airflow_provider_pinterest.sources.files import FileSource
from airflow_provider_pinterest.sources.protocol import OpenSource


def open_files(path: Any) -> OpenSource:
    """Find the files of a parameter ``path``. A URL may name a connection: ``s3://connection@bucket/…``.

    :param path: one path, or a list of them.
    :raises SourceError: there is no file for one of the paths.
    :raises ParameterError: the format of a file is unknown.
    """
    several = path if isinstance(path, (list, tuple)) else [path]
    return FileSource([ObjectStoragePath(one) for one in several]).open()
