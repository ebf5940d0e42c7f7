"""The provider metadata: connection type and form, links, decorator and modules.

Airflow reads it through the entry point ``apache_airflow_provider``. Airflow 3.2 and later read the connection form
from ``conn-fields``. Earlier versions ignore it and show the plain form, where the same names are extras.
"""

from __future__ import annotations

from typing import Any

from airflow_provider_pinterest import __version__

__all__ = ["get_provider_info"]

_INTEGRATION = "Pinterest Conversions API"


def get_provider_info() -> dict[str, Any]:
    """Return the provider's metadata, as Airflow's ``provider.yaml.schema.json`` describes it."""
    return {
        "package-name": "airflow-provider-pinterest",
        "name": "Pinterest",
        "description": "Send conversion events from warehouses to the Pinterest Conversions API.",
        "versions": [__version__],
        "integrations": [
            {
                "integration-name": _INTEGRATION,
                "external-doc-url": "https://developers.pinterest.com/docs/api/v5/events-create",
                "tags": ["service"],
            }
        ],
        "hooks": [
            {
                "integration-name": _INTEGRATION,
                "python-modules": ["airflow_provider_pinterest.hooks.pinterest"],
            }
        ],
        "operators": [
            {
                "integration-name": _INTEGRATION,
                "python-modules": [
                    "airflow_provider_pinterest.operators.send_conversions",
                    "airflow_provider_pinterest.operators.request_deletion",
                ],
            }
        ],
        "sensors": [
            {
                "integration-name": _INTEGRATION,
                "python-modules": ["airflow_provider_pinterest.sensors.deletion_request"],
            }
        ],
        "triggers": [
            {
                "integration-name": _INTEGRATION,
                "python-modules": ["airflow_provider_pinterest.triggers.wait"],
            }
        ],
        "connection-types": [_connection_type()],
        "extra-links": ["airflow_provider_pinterest.links.conversions.AdsManagerConversionsLink"],
        "task-decorators": [
            {
                "name": "pinterest_conversions",
                "class-name": (
                    "airflow_provider_pinterest.decorators.pinterest_conversions.pinterest_conversions_task"
                ),
            }
        ],
    }


def _connection_type() -> dict[str, Any]:
    return {
        "connection-type": "pinterest",
        "hook-class-name": "airflow_provider_pinterest.hooks.pinterest.PinterestHook",
        "hook-name": "Pinterest",
        "ui-field-behaviour": {
            "hidden-fields": ["login", "port", "schema"],
            "relabeling": {"host": "API base URL", "password": "Access token"},
            "placeholders": {
                "host": "https://api.pinterest.com/v5",
                "password": "Conversion access token, or OAuth access token",
            },
        },
        "conn-fields": {
            "ad_account_id": {
                "label": "Ad account ID",
                "description": "The account that receives events if a task sets none. Digits, as in Ads Manager.",
                "schema": {"type": ["string", "null"], "pattern": "^[0-9]+$", "maxLength": 18},
            },
            "app_id": {
                "label": "App ID",
                "description": "Needed only to refresh an OAuth token.",
                "schema": {"type": ["string", "null"]},
            },
            "app_secret": {
                "label": "App secret",
                "description": "Needed only to refresh an OAuth token.",
                "schema": {"type": ["string", "null"], "format": "password"},
            },
            "refresh_token": {
                "label": "Refresh token",
                "description": "Used to obtain a new OAuth access token when the current one has expired.",
                "schema": {"type": ["string", "null"], "format": "password"},
            },
            "calls_per_minute": {
                "label": "Calls per minute",
                "description": "Largest number of calls to one ad account per minute, for all tasks together.",
                "schema": {"type": "integer", "default": 5000, "minimum": 1},
            },
            "rate_limit_storage": {
                "label": "Rate limit storage",
                "description": (
                    "Where calls are counted: memory:// counts in each process separately, "
                    "redis://host:port/0 for all workers together."
                ),
                "schema": {"type": "string", "default": "memory://"},
            },
        },
    }
