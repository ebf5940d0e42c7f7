"""The files of a task, opened through Airflow's object storage."""

from __future__ import annotations

import os
import re
from typing import Any, Final

from airflow_provider_pinterest.airflow_versions import ObjectStoragePath
from airflow_provider_pinterest.exceptions import ParameterError
from airflow_provider_pinterest.redaction import clean
from airflow_provider_pinterest.sources.file_listing import shown
from airflow_provider_pinterest.sources.files import FileSource
from airflow_provider_pinterest.sources.protocol import OpenSource

_PACKAGES: Final = {
    "s3": "amazon[s3fs]",
    "s3a": "amazon[s3fs]",
    "gs": "google",
    "gcs": "google",
    "abfs": "microsoft-azure",
    "abfss": "microsoft-azure",
    "adl": "microsoft-azure",
}
"""Scheme of a URL → the Airflow provider that opens it."""


_one_slash: Final = re.compile("(?!file:)[A-Za-z][A-Za-z0-9]+:/(?!/)").match


def open_files(path: Any) -> OpenSource:
    """Find the files of a parameter ``path``. A URL may name a connection: ``s3://connection@bucket/…``.

    :param path: one path, or a list of them.
    :raises SourceError: there is no file for one of the paths.
    :raises ParameterError: the format of a file is unknown, or no installed package opens a path.
    """
    several = path if isinstance(path, (list, tuple)) else [path]
    return FileSource([_path_object(one) for one in several]).open()


def _path_object(path: Any) -> ObjectStoragePath:
    given = os.fspath(path).strip() if isinstance(path, (str, os.PathLike)) else path
    if isinstance(given, str) and given.endswith("?"):
        given += "/"  # a URL would lose an empty query
    if isinstance(given, str) and _one_slash(given):
        raise ParameterError(f"{shown(path)} cannot be opened: a URL has two slashes after the colon.")
    try:
        found = ObjectStoragePath(given)
        _ = found.fs
    except (ValueError, ImportError) as error:
        raise ParameterError(f"{shown(path)} cannot be opened: {clean(error)}.", advice=_advice(str(given))) from None
    return found


def _advice(path: str) -> str:
    scheme = path.partition(":")[0].lower()
    if scheme in _PACKAGES and "://" in path:
        return f"Install apache-airflow-providers-{_PACKAGES[scheme]}."
    return (
        "Write a path on the worker's disk, or the URL of a store whose Airflow provider is installed, such as s3://…"
    )
