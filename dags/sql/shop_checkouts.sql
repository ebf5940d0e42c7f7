{% from "sql/database.jinja" import bound, moment with context -%}
-- The orders of one shop in one window, for the ad account of the shop.

SELECT
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
WHERE
    o.shop = {{ bound("shop") }}
    AND o.loaded_at >= {{ moment("start") }}
    AND o.loaded_at < {{ moment("end") }}
    AND c.consent = TRUE
ORDER BY o.loaded_at, o.order_id
