"""Reads what an attempt has stored, in this version or an earlier one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from airflow_provider_pinterest.delivery.checkpoint import VERSION, Checkpoint, Finished, UnreadableStateError
from airflow_provider_pinterest.delivery.checkpoint_v2 import read_v2


def read_state(document: object) -> Checkpoint | Finished:
    """Return what an attempt has stored, this version's or an earlier one's.

    :raises UnreadableStateError: it is something else.
    """
    try:
        if not isinstance(document, Mapping):
            raise UnreadableStateError(f"it is a {type(document).__name__}")
        if document.get("version") == VERSION:
            return _FORMS[document["state"]](document)
        return read_v2(document)
    except UnreadableStateError:
        raise
    except (LookupError, TypeError, AttributeError, ValueError, OverflowError) as error:
        raise UnreadableStateError(f"{type(error).__name__} while it was read") from None


_FORMS: Final[Mapping[str, Callable[[Mapping[str, Any]], Checkpoint | Finished]]] = {
    "running": Checkpoint.from_json,
    "finished": Finished.from_json,
}
