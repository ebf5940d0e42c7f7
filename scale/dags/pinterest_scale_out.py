"""One query, many tasks: a large table is cut into shards, and a mapped task sends each shard.

`shards` looks up the first and the last key and cuts the range between them. The sending task is mapped over the
pieces: each has its own checkpoint, retries and result, on any free worker. The slots of the pool `pinterest`
say how many run at once. `add_up` sums the results and fails unless every row of the table is in them.

Each task drops only duplicates among its own rows. So cut by key only if each `event_id` is in one row. Otherwise cut
by a hash of the `event_id`, so that equal ids are in one task.

**Needs** the connections `warehouse` and `pinterest_default`, the latter with `rate_limit_storage` set to a Redis, so
that all tasks together keep the account's limit; and the pool: `airflow pools set pinterest 4 "Sends to Pinterest"`.
"""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from typing import Any

from airflow.providers.common.compat.sdk import DAG, BaseHook, task

from airflow_provider_pinterest.operators.send_conversions import SendConversionsOperator


def cut(first: int, last: int, shards: int) -> list[dict[str, int]]:
    """Cut the keys from first to last into ranges of almost equal size, without gap or overlap.

    :param shards: the number of ranges; fewer if there are fewer keys.
    :return: for each range, the last key before it and its last key.
    """
    keys = last - first + 1
    count = max(1, min(shards, keys))
    edges = [first - 1 + keys * number // count for number in range(count + 1)]
    return [{"after": after, "until": until} for after, until in pairwise(edges)]


with DAG(
    dag_id="pinterest_scale_out",
    doc_md=__doc__,
    schedule=None,
    params={
        "rows": 2_000_000,
        "shards": 8,
        "ad_account_id": "549755885175",
        "pinterest_conn_id": "pinterest_default",
    },
    default_args={"retries": 3, "retry_delay": timedelta(seconds=10)},
    tags=["pinterest"],
):

    @task
    def shards(params: Any = None) -> list[dict[str, Any]]:
        """Return the bound parameters of the query for each task."""
        query = "SELECT min(row), max(row) FROM conversions WHERE row <= %(rows)s"
        first, last = BaseHook.get_hook("warehouse").get_first(query, parameters={"rows": params["rows"]})
        if first is None:
            return []
        # The order is fixed, because retries of a mapped task are identified by its position.
        return [{"parameters": piece} for piece in cut(first, last, params["shards"])]

    pieces = shards()

    send = SendConversionsOperator.partial(
        task_id="send_shard",
        sql="""
            SELECT
                event_id, event_time, event_name, event_source_url, email, phone, first_name, last_name, gender,
                date_of_birth, city, state, zip, country, user_id, ip_address, user_agent, click_id, value, currency,
                order_id, num_items, contents
            FROM conversions
            WHERE row > %(after)s AND row <= %(until)s
            ORDER BY row
        """,
        sql_conn_id="warehouse",
        defaults={"action_source": "web"},
        pinterest_conn_id="{{ params.pinterest_conn_id }}",
        ad_account_id="{{ params.ad_account_id }}",
        pool="pinterest",
    ).expand_kwargs(pieces)

    @task
    def add_up(results: Any, pieces: Any) -> dict[str, int]:
        """Sum the shards' results; fail unless every row of the table is in them, and was accepted."""
        names = ("rows_read", "events_processed", "events_failed", "events_held", "rows_rejected", "duplicates_dropped")
        found = list(results)
        total = {name: sum(result[name] for result in found) for name in names}
        whole = {"after": pieces[0]["parameters"]["after"], "until": pieces[-1]["parameters"]["until"]}
        query = "SELECT count(*) FROM conversions WHERE row > %(after)s AND row <= %(until)s"
        [rows] = BaseHook.get_hook("warehouse").get_first(query, parameters=whole)
        if len(found) != len(pieces) or not rows == total["rows_read"] == total["events_processed"]:
            raise ValueError(f"{rows:,} rows in {len(pieces)} shards, but {len(found)} results with {total}")
        return total

    add_up(send.output, pieces)
