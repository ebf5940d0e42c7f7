"""The link from a task instance to the conversions of its ad account in Ads Manager."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from airflow_provider_pinterest.airflow_versions import BaseOperatorLink, XCom

if TYPE_CHECKING:
    from airflow_provider_pinterest.airflow_versions import BaseOperator

__all__ = ["AdsManagerConversionsLink"]

RESULT_KEY: Final = "pinterest_result"
"""The XCom key of a run's result."""


SEVERAL: Final = "several"
"""Stands for the account of a run that sent to several accounts."""


def account_of(result: Mapping[str, Any]) -> str:
    """Return the ad account of a result, or :data:`SEVERAL`; empty if it has none."""
    accounts = [account for account in result.get("accounts") or () if account.isdecimal()]
    if result.get("accounts_read", 0) > 1:
        return SEVERAL
    return accounts[0] if accounts else str(result.get("ad_account_id") or "")


class AdsManagerConversionsLink(BaseOperatorLink):
    """Opens the conversions page of the ad account that the task sent to; empty before it has a result.

    If the task sent to several accounts, it opens the start page of Ads Manager, which lists them.
    """

    name = "Pinterest Ads Manager"

    def get_link(self, operator: BaseOperator, *, ti_key: Any) -> str:
        """Return the URL of the page.

        Airflow 3 calls this in the task's process, where the operator knows the account. Airflow 2 calls it in the web
        server, where only the result in XCom has the account.

        https://help.pinterest.com/en/business/article/the-pinterest-api-for-conversions
        """
        account = getattr(operator, "delivered_to", None)
        if account is None:
            result = XCom.get_value(key=RESULT_KEY, ti_key=ti_key)
            account = account_of(result) if isinstance(result, dict) else ""
        if account == SEVERAL:
            return "https://ads.pinterest.com/"
        return f"https://ads.pinterest.com/advertiser/{account}/conversions/" if account else ""
