"""Codes of rejections and warnings, as data.

The codes are stable: people build alerts on them. A rejected row has one or more of :data:`REASONS`; a delivered event
may be counted under some of :data:`GENERAL_WARNINGS`, or under the warning of a field.
"""

from __future__ import annotations

from typing import Final, NamedTuple

EXCLUSIONS: Final[dict[str, str]] = {
    "no_consent": "The cell of consent_column is not true.",
    "under_minimum_age": "The date of birth makes the person younger than minimum_age on the day of the event.",
    "excluded_category": "A category of the event is one of excluded_categories.",
    "bot": "The user agent is that of a crawler, and exclude_bots is set.",
    "internal_traffic": "The IP address is in one of exclude_networks.",
    "not_selected": "The outcome table does not have the row in the state that only names.",
}
"""Code → meaning, for rows that the rules of the user exclude."""

REASONS: Final[dict[str, str]] = {
    # found before sending
    "missing_field": "A field that Pinterest requires is missing or empty.",
    "no_match_key": "user_data needs a usable em, or hashed_maids, or both client_ip_address and client_user_agent.",
    "bad_row": "The row of a file cannot be read: its line is not a JSON object, or does not have the header's cells.",
    "bad_cell": "The cell is an object that cannot be read.",
    "bad_type": "The cell cannot be turned into the field's type without loss.",
    "bad_value": "The value is outside the field's limits or not one of its choices.",
    "bad_text": "The text contains a lone surrogate, so it cannot be encoded as UTF-8.",
    "bad_json": "The cell is not valid JSON, or not a JSON object or list.",
    "unknown_field": "A nested name, or a column that only some rows have, does not match any Pinterest field.",
    "ambiguous_columns": "Two columns that the row has map to the same field.",
    "bad_time": "The time cannot be read.",
    "future_event_time": "event_time is more than five minutes in the future.",
    "too_old": "event_time is older than max_event_age.",
    "bad_action_source": "action_source is not one of app_android, app_ios, web, offline.",
    "bad_currency": "currency is not an ISO 4217 code.",
    "ldp_without_region": "opt_out_type asks for limited data processing, which counts only with st and country.",
    "bad_account": "The cell of ad_account_id_column does not name an ad account.",
    "too_large": "The event alone is larger than max_batch_bytes.",
    # found by Pinterest
    "pinterest_failed": "Pinterest reported that this event failed.",
    "pinterest_refused": "Pinterest rejects every request that contains this event.",
    "account_refused": "Pinterest refuses the ad account of this event, so none of its events is sent.",
    "account_unavailable": "Pinterest stayed unavailable for the ad account of this event. The event was not accepted.",
    "account_unanswered": (
        "Pinterest stayed unavailable for the ad account of this event, and it is not known whether it got the event."
    ),
    # excluded by the user's rules
    **EXCLUSIONS,
    # not found out
    "outcome_unknown": "The event was sent, its outcome is unknown, and Pinterest could not deduplicate a second copy.",
}
"""Code → meaning, for rows that were rejected, failed, held or excluded."""

LEFT_OUT: Final = "unusable_"
"""Start of the warning codes for cells that were left out."""

IDENTIFIER_WARNING: Final = LEFT_OUT

GENERAL_WARNINGS: Final[dict[str, str]] = {
    "unknown_event_name": "Pinterest does not list the event_name; it was sent unchanged.",
    "time_from_date": "event_time came as a date without a time of day; midnight was sent.",
    "ambiguous_item_id": "A member of contents has several ids with different values, such as id beside product_id.",
    "personal_data_in_plain_field": "A field that is sent unhashed contained an e-mail address; it was left out.",
    "personal_data_in_url": "event_source_url had an e-mail address, phone number or name, which was removed.",
    "personal_data_sent": "event_id or order_id has an e-mail address; it was sent because it identifies the event.",
    "pinterest_warning": "Pinterest accepted the event and attached a warning.",
    "dedup_uncertain": "Resent after an unknown outcome, over an hour old: Pinterest may count it twice.",
}
"""Code → meaning, for warnings that are not about one field."""


class Reason(NamedTuple):
    """One reason why one row cannot be sent.

    :param code: a key of :data:`REASONS`.
    :param field: path of the field it is about, such as ``custom_data.value``.
    :param message: the problem and its solution, without personal data.
    """

    code: str
    field: str
    message: str


class CellError(Exception):
    """A cell that does not become a value."""


class InvalidCellError(CellError):
    """A cell that is not a valid value of its field.

    :param code: a key of :data:`REASONS`.
    :param message: the problem, without personal data.
    :param at: where inside the cell, such as ``[2].quantity``.
    """

    def __init__(self, code: str, message: str, at: str = "") -> None:
        super().__init__(code, message, at)
        self.code = code
        self.message = message
        self.at = at


class UnusableCellError(CellError):
    """A cell that is counted under a warning and left out of the event, or is sent in part.

    :param code: the code of the warning.
    :param kept: the part of the cell that is sent.
    :param message: the problem, without personal data.
    """

    def __init__(self, code: str, kept: list[str] | str | None = None, message: str = "") -> None:
        super().__init__(code)
        self.code = code
        self.kept = kept
        self.message = message
