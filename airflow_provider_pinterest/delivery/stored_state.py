"""Reads the state that an attempt stored, of this version or an earlier one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from airflow_provider_pinterest.delivery.checkpoint import VERSION, Checkpoint, Finished, UnreadableStateError
from airflow_provider_pinterest.delivery.checkpoint_v2 import read_v2


def read_state(document: object) -> Checkpoint | Finished:
    """Read the state that an attempt stored.

    :raises UnreadableStateError: the document is something else.
    """
    try:
        if not isinstance(document, Mapping):
            raise UnreadableStateError(f"expected a mapping, got {type(document).__name__}")
        if document.get("version") == VERSION:
            return _FORMS[document["state"]](document)
        return read_v2(document)
    except UnreadableStateError:
        raise
    except (LookupError, TypeError, AttributeError, ValueError, OverflowError) as error:
        raise UnreadableStateError(f"{type(error).__name__} while reading it") from None


_FORMS: Final[Mapping[str, Callable[[Mapping[str, Any]], Checkpoint | Finished]]] = {
    "running": Checkpoint.from_json,
    "finished": Finished.from_json,
}
