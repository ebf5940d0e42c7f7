"""From a task instance to the account's conversions in Ads Manager."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from airflow_provider_pinterest.airflow_versions import BaseOperatorLink, XCom

if TYPE_CHECKING:
    from airflow_provider_pinterest.airflow_versions import BaseOperator

RETURNED: Final = "return_value"
"""The XCom key of what a task returns: the result of a run that succeeded."""

RESULT_KEY: Final = "pinterest_result"
"""The XCom key of the result of a run that failed."""


class AdsManagerConversionsLink(BaseOperatorLink):
    """Opens the conversions page of the ad account that the task sent to; empty before it has a result."""

    name = "Pinterest Ads Manager"

    def get_link(self, operator: BaseOperator, *, ti_key: Any) -> str:
        """Return the page's address.

        Airflow 3 asks in the task's process, where the operator knows the account. Airflow 2 asks in the web server.

        https://help.pinterest.com/en/business/article/the-pinterest-api-for-conversions
        """
        account = getattr(operator, "delivered_to", None)
        if account is None:
            results = (XCom.get_value(key=key, ti_key=ti_key) for key in (RETURNED, RESULT_KEY))
            found = (result.get("ad_account_id") for result in results if isinstance(result, dict))
            account = next(filter(None, found), None)
        return f"https://ads.pinterest.com/advertiser/{account}/conversions/" if account else ""
