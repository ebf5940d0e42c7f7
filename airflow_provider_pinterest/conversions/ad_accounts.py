"""The ad account of each row, read from the column that ``ad_account_id_column`` names."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, Final

from airflow_provider_pinterest.conversions import values
from airflow_provider_pinterest.conversions.cells import ordinary
from airflow_provider_pinterest.conversions.placeholders import folded
from airflow_provider_pinterest.conversions.reasons import InvalidCellError, Reason

CELLS_KEPT: Final = 10_000
"""Most different cells whose account is remembered."""

_account = re.compile(r"([0-9]{1,18})(?:\.0+)?").fullmatch
"""An id, also in the form of a column of floats that was written as text."""

NO_ACCOUNT: Final = Reason(
    "bad_account", "ad_account_id", "the cell is empty; set ad_account_id to send such rows to one account"
)
NOT_DIGITS: Final = Reason("bad_account", "ad_account_id", "must be 1 to 18 digits, as in Ads Manager's address bar")


class AccountReader:
    """Read the ad account of each row. Rows with an empty cell belong to the default account.

    :param default: the account of rows with an empty cell; empty: such rows are rejected.
    :param placeholders: words that mean "empty", in any case.
    """

    def __init__(self, default: str = "", placeholders: Sequence[str] = ()) -> None:
        self._default = default
        self._placeholders: AbstractSet[str] = folded(placeholders)
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
            return Reason("bad_account", "ad_account_id", error.message)
        text = (text or "").strip(values.INVISIBLE)
        text = (values.unquoted(text) or "").strip(values.INVISIBLE)
        if not text or text.lower() in self._placeholders:
            return self._default or NO_ACCOUNT
        account = _account(text)
        return account[1] if account else NOT_DIGITS
