"""Names of events: those that Pinterest lists, and the listed name that another one probably means."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from airflow_provider_pinterest.conversions.cells import cut
from airflow_provider_pinterest.conversions.hints import meant
from airflow_provider_pinterest.conversions.names import folded
from airflow_provider_pinterest.problems import Problems
from airflow_provider_pinterest.redaction import clean

EVENT_NAMES: Final = frozenset(
    [
        "add_payment_info",
        "add_to_cart",
        "add_to_wishlist",
        "app_install",
        "app_open",
        "checkout",
        "contact",
        "custom",
        "customize_product",
        "find_location",
        "initiate_checkout",
        "lead",
        "page_visit",
        "schedule",
        "search",
        "signup",
        "start_trial",
        "submit_application",
        "subscribe",
        "view_category",
        "view_content",
        "watch_video",
    ]
)
"""Names that Pinterest lists; other names are custom events."""

NAMES_COUNTED: Final = 1_000
"""Most different names that are counted; a wrongly mapped column may have a new one in each row."""

NAME_LIMIT: Final = 100
"""Longest name that is counted as it is, in characters."""

LISTED: Final[Mapping[str, str]] = {folded(name): name for name in EVENT_NAMES}
"""The compared form of each listed name → the name."""

ELSEWHERE: Final[Mapping[str, str]] = {
    name: listed
    for listed, names in {
        "add_payment_info": ("payment_info_entered", "payment_added"),
        "add_to_cart": ("product_added", "added_to_cart", "cart_add", "add_to_basket"),
        "add_to_wishlist": ("product_added_to_wishlist", "added_to_wishlist", "add_to_favorites"),
        "app_install": ("install", "application_installed", "app_installed", "first_open", "mobile_app_install"),
        "app_open": ("application_opened", "app_opened", "launch_app", "session_start", "activate_app"),
        "checkout": (
            *("purchase", "purchased", "order_completed", "completed_order", "complete_payment", "place_an_order"),
            *("order_placed", "order", "sale", "transaction", "conversion", "payment", "ecommerce_purchase"),
            *("in_app_purchase", "fb_mobile_purchase"),
        ),
        "initiate_checkout": ("begin_checkout", "checkout_started", "started_checkout", "initiated_checkout"),
        "lead": ("generate_lead", "submit_form", "form_submitted", "lead_generated", "qualify_lead"),
        "page_visit": ("page_view", "page_viewed", "viewed_page", "page", "screen_view", "visit"),
        "search": ("products_searched", "view_search_results", "searched"),
        "signup": (
            *("complete_registration", "registration", "register", "registered", "signed_up"),
            *("account_created", "create_account"),
        ),
        "start_trial": ("trial_started", "free_trial"),
        "subscribe": ("subscription", "subscription_started", "subscribed", "newsletter_signup"),
        "view_category": ("view_item_list", "product_list_viewed", "category_viewed"),
        "view_content": ("view_item", "product_viewed", "viewed_product", "content_view", "product_view"),
        "watch_video": ("video_view", "video_start", "video_playback_started", "video_watched", "play_video"),
        "find_location": ("store_locator", "find_store"),
        "schedule": ("appointment_scheduled", "book_appointment"),
        "submit_application": ("application_submitted",),
    }.items()
    for name in names
}
"""Name on other platforms and in shops → the listed name. These are suggestions; names are never changed by them."""


_MEANINGS: Final[Mapping[str, str]] = {**{name: name for name in sorted(EVENT_NAMES)}, **ELSEWHERE}


class UnlistedName(NamedTuple):
    """A name of sent events that Pinterest does not list.

    :param name: the name as it may be shown.
    :param events: number of events.
    :param nearest: the listed name that it probably means.
    """

    name: str
    events: int
    nearest: str | None


def mapped_names(given: Mapping[str, Any], problems: Problems) -> dict[str, str]:
    """Check the ``event_names`` parameter and return the compared form of each name → the name to send.

    :param problems: collects names that are empty or not text, and names with two targets.
    """
    found: dict[str, str] = {}
    for name, target in given.items():
        where = f"event_names[{name!r}]"
        if not isinstance(target, str) or not target.strip() or not name.strip():
            problems.found.append(f"{where}: expected the name to send, such as 'checkout'.")
            continue
        kept = target.strip()
        sent = kept if kept == name.strip() else LISTED.get(folded(kept), kept)
        if found.setdefault(folded(name), sent) != sent:
            problems.found.append(f"{where}: another entry maps the same name to {found[folded(name)]!r}.")
    return found


def is_listed(name: str) -> bool:
    """Return whether Pinterest lists a name."""
    return name in EVENT_NAMES


def counted_as(name: str) -> str:
    """Return the form in which a name is counted: very long names are shortened."""
    return cut(name, NAME_LIMIT)


def add_names(counts: Counter[str], names: Mapping[str, int]) -> None:
    """Add the number of events of each name, up to a limit of different names."""
    for name, events in names.items():
        key = counted_as(name)
        if key in counts or len(counts) < NAMES_COUNTED:
            counts[key] += events


def most_frequent(counts: Mapping[str, int], most: int = 5) -> list[UnlistedName]:
    """Return the most frequent names that Pinterest does not list, as they may be shown in a log."""
    shown: Counter[str] = Counter()
    meaning: dict[str, str | None] = {}
    for name, events in counts.items():
        said = clean(name)
        shown[said] += events
        meaning[said] = _listed_like(name)
    in_order = sorted(shown.items(), key=lambda one: (-one[1], one[0]))
    return [UnlistedName(name, events, meaning[name]) for name, events in in_order[:most]]


def _listed_like(name: str) -> str | None:
    """Return the listed name that another one probably means."""
    like = meant(name, _MEANINGS)
    return _MEANINGS[like] if like else None
