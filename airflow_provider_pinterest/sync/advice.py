"""Remarks about the data of a run that are not errors: lines for the log."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_provider_pinterest.conversions.event_names import UnlistedName


def advice(result: Mapping[str, Any], unlisted: Sequence[UnlistedName]) -> Iterator[str]:
    """Yield remarks that help to improve the data.

    :param result: the result of the run.
    :param unlisted: the most frequent event names that Pinterest does not list.
    """
    if unlisted:
        yield f"Pinterest does not list these event names: {', '.join(map(_shown, unlisted))}."
        yield "They were sent unchanged. To send another name, set event_names={'…': '…'}."
    carried = result["coverage"]
    if carried and not carried.get("user_data.click_id") and not carried.get("user_data.external_id"):
        yield "No event carries click_id or external_id, so Pinterest matches fewer of them to clicks and people."
        yield 'The page "Deduplication recipes" explains where to find both.'


def _shown(name: UnlistedName) -> str:
    likely = f" (did you mean {name.nearest!r}?)" if name.nearest else ""
    return f"{name.name!r} {name.events:,}{likely}"
