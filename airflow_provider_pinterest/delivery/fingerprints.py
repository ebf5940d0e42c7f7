"""Hashes of parameters, to notice that they changed between two attempts."""

from __future__ import annotations

import hashlib
from typing import Any

import orjson


def fingerprint(**decisive: Any) -> dict[str, str]:
    """Return a hash of each parameter that decides which events the rows give and where they go."""
    return {name: digest_of(value)[:12] for name, value in decisive.items()}


def digest_of(value: object) -> str:
    """Return the same hash for the same value in every process."""
    try:
        written = orjson.dumps(value, default=_stable, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS)
    except TypeError:  # integers beyond 64 bits, lone surrogates
        written = repr(value).encode("utf-8", "backslashreplace")
    return hashlib.blake2b(written, digest_size=16).hexdigest()


def _stable(value: object) -> object:
    """Write what JSON cannot hold the same way in every process."""
    return sorted(map(repr, value)) if isinstance(value, set | frozenset) else repr(value)
