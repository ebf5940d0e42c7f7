"""The link from a task instance to the conversions of its ad account in Ads Manager."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from airflow_provider_pinterest.airflow_versions import BaseOperatorLink, XCom

if TYPE_CHECKING:
    from airflow_provider_pinterest.airflow_versions import BaseOperator

__all__ = ["AdsManagerConversionsLink"]

RESULT_KEY: Final = "pinterest_result"
"""The XCom key of a run's result."""


class AdsManagerConversionsLink(BaseOperatorLink):
    """Opens the conversions page of the ad account that the task sent to; empty before it has a result."""

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
            account = result.get("ad_account_id") if isinstance(result, dict) else None
        return f"https://ads.pinterest.com/advertiser/{account}/conversions/" if account else ""
