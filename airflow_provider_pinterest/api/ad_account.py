"""The id of an ad account, which is a part of the path of most endpoints."""

from __future__ import annotations

import re

from airflow_provider_pinterest.exceptions import ParameterError


def account_id(value: object) -> str:
    """Check the id of an ad account, which becomes part of the URL, and return it.

    :raises ParameterError: it does not have 1 to 18 digits.
    """
    text = str(value).strip()
    if not re.fullmatch(r"[0-9]{1,18}", text):
        raise ParameterError(
            f"ad_account_id must be 1 to 18 digits, as in Ads Manager's address bar, got {text[:40]!r}."
        )
    return text
