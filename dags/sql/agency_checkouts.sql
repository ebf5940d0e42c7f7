{% from "sql/database.jinja" import moment with context -%}
-- The orders of all active shops in one window, each with the ad account of its shop.
--
-- The rows are sorted by account, because a request to Pinterest holds events of one account only.

SELECT
    a.ad_account_id,
    'checkout-' || o.order_id AS event_id,
    o.ordered_at AS event_time,
    o.page_url AS event_source_url,
    o.order_id,
    o.currency,
    o.total AS value,
    c.email,
    c.phone,
    c.state,
    c.country,
    o.ip_address,
    o.user_agent,
    o.click_id,
    c.opt_out,
    CASE WHEN c.ldp = TRUE THEN 'LDP' END AS opt_out_type
FROM orders AS o
JOIN customers AS c ON c.customer_id = o.customer_id
JOIN ad_accounts AS a ON a.shop = o.shop
WHERE
    a.active = TRUE
    AND o.loaded_at >= {{ moment("start") }}
    AND o.loaded_at < {{ moment("end") }}
    AND c.consent = TRUE
ORDER BY a.ad_account_id, o.loaded_at, o.order_id
