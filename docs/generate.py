"""Write the parts of the documentation that follow from the code: the tables of fields and of codes.

``python docs/generate.py`` rewrites the text between ``<!-- begin: NAME -->`` and ``<!-- end: NAME -->`` in
the pages of this folder; ``--check`` changes nothing and exits with 1 if a page is out of date.
"""

# ruff: noqa: INP001, T201 - a script, which prints

from __future__ import annotations

import re
import sys
import textwrap
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Final

from airflow_provider_pinterest.conversions.event_names import EVENT_NAMES
from airflow_provider_pinterest.conversions.field_types import REJECT, Field
from airflow_provider_pinterest.conversions.fields import FIELDS, SWITCHES, WARNINGS
from airflow_provider_pinterest.conversions.line_items import OTHER_MEMBERS
from airflow_provider_pinterest.conversions.placeholders import PLACEHOLDERS
from airflow_provider_pinterest.conversions.reasons import EXCLUSIONS, LEFT_OUT, REASONS

DOCS: Final = Path(__file__).resolve().parent

TYPES: Final[dict[str, str]] = {
    "event_name": "Text. The names that Pinterest lists are matched in any spelling; others are sent unchanged.",
    "text": "Text. Numbers and UUIDs are converted to text. Text that contains an e-mail address is left out.",
    "number": "A number, or its text with a decimal point: `72.39`. It is sent as text.",
    "integer": "A 64-bit integer, also as text or as a float without a fraction.",
    "boolean": "A boolean, `1` and `0`, or one of `true`, `false`, `t`, `f`, `yes`, `no`, `y`, `n` in any case.",
    "time": "A point in time. It is sent as Unix seconds.",
    "texts": "A list of texts, or one text.",
    "product_id": "Text or a number; `0` means no product.",
    "choice": "One of the listed words, in any case.",
    "currency": (
        "A three-letter ISO 4217 code, in any case: a current one, or the recently withdrawn `ANG` and `BGN`. Codes "
        "for hundredths, such as `GBp`, are rejected."
    ),
    "language": "A two-letter ISO 639-1 code; the region of a locale such as `en-US` is removed.",
    "flags": "Flags separated by commas, or a list of them, in any case, such as `LDP`.",
    "hashed": "An identifier, or a list of them. It is converted to its canonical form and hashed.",
    "hashed_by_country": "The same; the canonical form depends on the row's `country`.",
    "plain": "An identifier that is sent unchanged. An identifier that contains an `@` is left out.",
    "ip_address": "An IPv4 or IPv6 address, or a list of them. The first public one is sent unchanged.",
    "object": "A JSON object or its text; its members are read like columns.",
    "objects": "A JSON object, a list of them, or the text of either.",
}
"""Type of a field → what a cell of it may be."""

ADVICE: Final[dict[str, str]] = {
    # reasons
    "missing_field": (
        "Select a column for it, or set `defaults` (for `event_name` and `action_source`) or `event_id_from`. "
        "If only some rows lack it, look up those rows by `key_columns`."
    ),
    "no_match_key": (
        "Select `email`, or `advertising_id`, or both `ip_address` and `user_agent`. A telephone number, an "
        "external id or a click id alone is not enough. If the row also has an `unusable_em` warning, its e-mail "
        "address is not valid. If such rows are normal for you, exclude them in the `WHERE`."
    ),
    "bad_row": (
        "The message names the line. Look at it: an unquoted delimiter, a cut-off line, or text between the rows. See "
        "[Files](files.md)."
    ),
    "bad_cell": (
        "The message names the object's type. Cast the column to text or to a number in the SQL, or convert the "
        "objects in the function that returns the rows."
    ),
    "bad_type": "Cast the column in the SQL. Numbers have a decimal point and no currency sign: `72.39`.",
    "bad_value": "The message gives the limits or the choices, and [Fields](fields.md) lists them. Correct the data.",
    "bad_text": "The text was decoded with the wrong encoding. Correct it in the warehouse, or leave the column out.",
    "bad_json": "The cell must be a JSON object, or for `contents` a list of them. Look at the cell in the warehouse.",
    "unknown_field": (
        'Map it, or ignore it by its dotted name: `field_map={"custom_data.internal": None, "items.ref": "items.id"}`. '
        '`{"items.*": None}` ignores all unknown members of the items.'
    ),
    "ambiguous_columns": (
        "Some rows have two names for one field, such as `email` and `email_address`. Leave one of them out, or ignore "
        'it: `field_map={"email_address": None}`.'
    ),
    "bad_time": "Select a timestamp column, ISO 8601 text, or Unix time as a number.",
    "future_event_time": (
        "Usually a local time without a zone was read as UTC: set `timezone`. Otherwise the source's clock is wrong."
    ),
    "too_old": "Expected if you set `max_event_age`. Raise `max_rejected` if many late rows are normal.",
    "bad_action_source": "Map your words in the SQL: `CASE platform WHEN 'ios' THEN 'app_ios' …`.",
    "bad_currency": (
        "Use the three-letter code, such as `EUR`, not a sign or a name. For hundredths, such as pence (`GBp`, `GBX`, "
        "`ZAc`, `ILA`), divide `value` and the prices of the items by 100, and select the code of the unit."
    ),
    "ldp_without_region": (
        "Select `state` and `country` for these people, or exclude the rows. Without both, Pinterest ignores the "
        "person's choice and does not report it."
    ),
    "bad_account": (
        "Select an account for each row, 1 to 18 digits. To send rows with an empty cell to one account, set "
        "`ad_account_id`. See [Several ad accounts](accounts.md#the-column)."
    ),
    "too_large": "An event this large is a mistake in the data, usually in `contents`. Look up the row.",
    "pinterest_failed": "The message is Pinterest's. Correct the data; the other events of the request arrived.",
    "pinterest_refused": (
        "The message is Pinterest's. The event was found by splitting the request into smaller parts; the others "
        "arrived. Run the row with `validate_only=True` to see what would be sent."
    ),
    "account_refused": (
        "The message is Pinterest's. Give the token's user a role on the account, and clear the task. See [Several ad "
        "accounts](accounts.md#accounts-that-are-refused)."
    ),
    "account_unavailable": (
        "Nothing, if the task retries. Otherwise clear the task later. See [Several ad "
        "accounts](accounts.md#accounts-that-stay-unavailable)."
    ),
    "account_unanswered": (
        "The same, within 23 hours of the start of the task. Later the event is held, because Pinterest no longer "
        "deduplicates it."
    ),
    "outcome_unknown": (
        "Look for the event in Ads Manager. If it did not arrive, send it alone. See [Guarantees](guarantees.md)."
    ),
    **dict.fromkeys(EXCLUSIONS, "Nothing. Your own rule excludes the row, see [Privacy](privacy.md)."),
    "not_selected": "Nothing. See [Sending again what failed](outcomes.md#sending-again-what-failed).",
    # warnings
    "unknown_event_name": (
        "The log lists the most frequent names, each with its most similar listed name. Map them: "
        '`event_names={"Purchase": "checkout"}`. If the name is your own, nothing is wrong. The names that Pinterest '
        "lists are in [Fields](fields.md)."
    ),
    "time_from_date": "Select a column with the time of day. Without it, each event seems to happen at midnight.",
    "ambiguous_item_id": (
        "The first of `product_id`, `content_id`, `item_id`, `variant_id`, `variation_id`, `id` was sent. Choose the "
        'product\'s id in your catalog: `field_map={"items.variant_id": "items.id"}`, or ignore the other one: '
        '`{"items.id": None}`.'
    ),
    "personal_data_in_plain_field": (
        "A field such as `client_user_agent`, `click_id` or `search_string` contains an e-mail address. Check which "
        "column is mapped to it."
    ),
    "personal_data_in_url": (
        "Some of your pages have e-mail addresses, telephone numbers or names in their URLs, and every tag on these "
        "pages receives them. Tell the people who build the pages."
    ),
    "personal_data_sent": "Use another id, such as the order number; see `event_id_from`.",
    "phone_without_country": (
        "Select `country`, or write the numbers with a plus sign, or set the usual country: "
        '`identifiers={"ph": {"country": "US"}}`.'
    ),
    "dedup_uncertain": ("Pinterest may have counted these twice. Send events sooner; see [Guarantees](guarantees.md)."),
    "pinterest_warning": "Look at the events in Ads Manager; the task's log does not have the text.",
}
"""Code → what to do. Codes of identifiers share a text; see :func:`advice`."""

LEFT_OUT_OF: Final = {field.warning: field for field in FIELDS if field.warning}
"""Code of a warning → the field that was left out."""

UNUSABLE: Final = (
    "Look at such a value in the warehouse; [Identifiers](identifiers.md#{name}) lists the accepted forms."
)
UNREADABLE: Final = (
    "Look at such a value in the warehouse; [Fields](fields.md) lists the accepted forms. The event was sent."
)


def main(arguments: Sequence[str]) -> int:
    """Write the pages. With ``--check``, only print the names of pages that are out of date."""
    behind = [page for page in sorted(DOCS.glob("*.md")) if page.read_text("utf-8") != renewed(page)]
    for page in behind:
        print(page.name)
        if "--check" not in arguments:
            page.write_text(renewed(page), "utf-8")
    return 1 if behind and "--check" in arguments else 0


def renewed(page: Path) -> str:
    """Return the current text of a page."""
    return re.sub(
        r"(<!-- begin: (\w+) -->\n).*?(<!-- end: \2 -->)",
        lambda found: f"{found[1]}\n{PARTS[found[2]]()}\n{found[3]}",
        page.read_text("utf-8"),
        flags=re.DOTALL,
    )


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)


def types() -> str:
    """Return the table of the types of fields."""
    used = {field.kind for field in FIELDS}
    return table(["Type", "What a cell may be"], ([f"`{kind}`", TYPES[kind]] for kind in TYPES if kind in used))


def fields(*places: str) -> Callable[[], str]:
    """Return a function that returns the table of the fields in ``places``."""

    def rows() -> str:
        return table(
            ["Field", "Type", "Other names of the column", "Limits", "A bad cell"],
            (
                [f"`{field.path}`", f"`{field.kind}`", _code(field.aliases), limits(field), bad_cell(field)]
                for field in FIELDS
                if field.place in places and field.path not in places
            ),
        )

    return rows


def limits(field: Field) -> str:
    """Return the limits of a field."""
    said = ["**required**"] if field.required else []
    if field.choices:
        said.append(f"one of {_code(sorted(field.choices))}")
    if field.max_length:
        said.append(f"at most {field.max_length:,} {'elements' if field.kind == 'texts' else 'characters'}")
    if field.maximum is not None:
        said.append(f"{field.minimum or 0:,} to {field.maximum:,}")
    return ", ".join(said)


def bad_cell(field: Field) -> str:
    """Return what is left out because of an invalid cell."""
    return "the row" if field.bad_cell is REJECT else f"itself: `{field.warning}`"


def other_members() -> str:
    """Return the members of line items that are ignored."""
    return f"{_code(sorted({*OTHER_MEMBERS}))}.\n"


def event_names() -> str:
    """Return the event names that Pinterest lists."""
    return f"{_code(sorted(EVENT_NAMES))}.\n"


def placeholders() -> str:
    """Return the words that mean "empty"."""
    return f"{_code(PLACEHOLDERS)}.\n"


def switches() -> str:
    """Return the table of the switches of identifiers."""
    return table(
        ["Identifier", "Switch", "Values"],
        (
            [f"`{name}`", f"`{switch}`", "ISO 3166 alpha-2 code" if values is str else _values(values)]
            for name, allowed in SWITCHES.items()
            for switch, values in allowed.items()
        ),
    )


def reasons() -> str:
    """Return the table of the codes of rejected, failed and held rows."""
    return table(
        ["Code", "Meaning", "What to do"],
        ([f"`{code}`", meaning, advice(code)] for code, meaning in REASONS.items()),
    )


def warnings() -> str:
    """Return the table of the codes of warnings."""
    return table(
        ["Code", "Meaning", "What to do"],
        ([f"`{code}`", meaning, advice(code)] for code, meaning in WARNINGS.items()),
    )


def public_codes(codes: Iterable[str]) -> Callable[[], str]:
    """Return a function that returns a list of codes, for the page of public names."""
    return lambda: textwrap.fill(f"{_code(codes)}.", 120, break_on_hyphens=False) + "\n"


def advice(code: str) -> str:
    """Return what to do about a code."""
    if code.startswith(LEFT_OUT):
        field = LEFT_OUT_OF[code]
        if field.place != "user_data":
            return UNREADABLE
        return UNUSABLE.format(name="not-hashed-either" if field.kind == "plain" else field.name)
    if code not in ADVICE:
        sys.exit(f"The code {code} has no advice. Add it to ADVICE in docs/generate.py.")
    return ADVICE[code]


def _values(values: object) -> str:
    found = values if isinstance(values, tuple) else ()
    return ", ".join(f"`{value!r}`" for value in found)


def _code(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


PARTS: Final[dict[str, Callable[[], str]]] = {
    "types": types,
    "event_names": event_names,
    "other_members": other_members,
    "fields_event": fields(""),
    "fields_user_data": fields("user_data"),
    "fields_custom_data": fields("custom_data"),
    "fields_contents": fields("custom_data.contents[]"),
    "fields_app_info": fields("app_info"),
    "fields_device_info": fields("device_info"),
    "placeholders": placeholders,
    "switches": switches,
    "reasons": reasons,
    "warnings": warnings,
    "public_reasons": public_codes(REASONS),
    "public_warnings": public_codes(WARNINGS),
}
"""Name of a part → the function that returns its text."""

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
