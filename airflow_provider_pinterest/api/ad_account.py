"""The id of an ad account, which is a part of the path of most endpoints."""

from __future__ import annotations

import re

from airflow_provider_pinterest.exceptions import ParameterError


def account_id(value: object) -> str:
    """Check the id of an ad account, which becomes part of the URL, and return it without zeros before it.

    :raises ParameterError: it does not have 1 to 18 digits, or is 0.
    """
    text = str(value).strip()
    found = re.fullmatch(r"0*([1-9][0-9]{0,17})", text)
    if found is None:
        raise ParameterError(
            f"ad_account_id must be 1 to 18 digits, as in Ads Manager's address bar, got {text[:40]!r}."
        )
    return found[1]
