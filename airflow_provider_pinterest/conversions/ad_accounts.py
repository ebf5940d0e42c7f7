"""The ad account of each row, read from the column that ``ad_account_id_column`` names."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, Final

from airflow_provider_pinterest.conversions import values
from airflow_provider_pinterest.conversions.cells import ordinary
from airflow_provider_pinterest.conversions.invisible import visible
from airflow_provider_pinterest.conversions.placeholders import folded
from airflow_provider_pinterest.conversions.reasons import InvalidCellError, Reason

CELLS_KEPT: Final = 10_000
"""Most different cells whose account is remembered."""

_account = re.compile(r"0*([1-9][0-9]{0,17})(?:[.,]0*)?").fullmatch
"""An id, also with the zeros of a column of fixed width, or in the form of a column of floats written as text."""

_zero = re.compile(r"0+(?:[.,]0*)?").fullmatch
_scientific = re.compile(r"([1-9])[.,]?([0-9]{0,17})[eE]\+?0?([0-9]{1,2})").fullmatch
_for_a_spreadsheet = re.compile(r"=?(['\"])(.*)\1|'(.*)").fullmatch
"""Text with the signs that tell a spreadsheet that it is text and not a number."""

EMPTY: Final = "the cell is empty; set ad_account_id to send such rows to one account"
ZERO: Final = "must not be 0; leave the cell empty if the row has no ad account"
DIGITS_LOST: Final = "is in scientific notation and has lost digits; export the column as text"
NOT_DIGITS: Final = "must be 1 to 18 digits, as in Ads Manager's address bar"


class AccountReader:
    """Read the ad account of each row. Rows with an empty cell belong to the default account.

    :param default: the account of rows with an empty cell; empty: such rows are rejected.
    :param placeholders: words that mean "empty", in any case.
    :param column: the name of the column, for messages.
    """

    def __init__(self, default: str = "", placeholders: Sequence[str] = (), column: str = "") -> None:
        self._default = default
        self._placeholders: AbstractSet[str] = folded(placeholders)
        self._column = column
        self._known: dict[tuple[type, Any], str | Reason] = {}

    def read(self, cells: Sequence[Any], reject: Callable[[int, Reason], None]) -> list[str]:
        """Return the account of each row; it is empty if the row was rejected.

        :param reject: called with the position of a row without an account, and the reason.
        """
        found = []
        for row, cell in enumerate(cells):
            account = self._remembered(cell)
            if isinstance(account, Reason):
                reject(row, account)
                account = ""
            found.append(account)
        return found

    def _remembered(self, cell: Any) -> str | Reason:
        if type(cell) is not str and type(cell) is not int:
            return self._of(cell)
        key = (type(cell), cell)
        known = self._known.get(key)
        if known is None:
            if len(self._known) >= CELLS_KEPT:
                self._known.clear()
            known = self._known[key] = self._of(cell)
        return known

    def _of(self, cell: Any) -> str | Reason:
        """Return the account that a cell names, or why it names none."""
        try:
            plain = None if cell is None else ordinary(cell)
            text = None if plain is None else values.text(plain)
        except InvalidCellError as error:
            return self._reason(error.message)
        text = _trimmed(text)
        if not text or text.lower() in self._placeholders:
            return self._default or self._reason(EMPTY)
        found = _account(text)
        return found[1] if found else self._unusual(text)

    def _unusual(self, text: str) -> str | Reason:
        """Return the account that a number in scientific notation names, or why a text names none."""
        number = _scientific(text)
        if number is not None:
            first, others, exponent = number.groups()
            return first + others if len(others) == int(exponent) else self._reason(DIGITS_LOST)
        return self._reason(ZERO if _zero(text) else NOT_DIGITS)

    def _reason(self, message: str) -> Reason:
        return Reason("bad_account", "ad_account_id", f"{message} (column {self._column!r})")


def _trimmed(text: str | None) -> str:
    """Return text without invisible characters, white space around it, and quotation marks."""
    found = visible(text or "").strip(values.INVISIBLE)
    found = (values.unquoted(found) or "").strip(values.INVISIBLE)
    quoted = _for_a_spreadsheet(found)
    return (quoted[2] or quoted[3] or "").strip(values.INVISIBLE) if quoted else found
