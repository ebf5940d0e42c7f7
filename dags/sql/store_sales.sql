{% from "sql/database.jinja" import json_array, json_object, moment with context -%}
-- The sales that the tills loaded in one window. Only customers with a loyalty card can be matched.
--
-- Pinterest cannot deduplicate offline events. It recommends order_id for them.

SELECT
    s.receipt_no AS order_id,
    s.sold_at AS event_time,  -- local time of the till; the operator's timezone names its time zone
    s.total AS value,
    s.currency,
    s.quantity AS num_items,
    {{ json_array }}({{ json_object }}(
        'id', s.product_id,
        'item_name', p.name,
        'item_price', p.price,
        'quantity', s.quantity
    )) AS contents,
    s.store_id,               -- not a Pinterest field: kept for the rejects, to find the till
    c.email,
    c.phone,
    c.first_name,
    c.last_name,
    c.city,
    c.zip,
    c.country,
    c.customer_id AS external_id
FROM store_sales AS s
JOIN customers AS c ON c.customer_id = s.customer_id
JOIN products AS p ON p.product_id = s.product_id
WHERE
    s.loaded_at >= {{ moment("start") }}
    AND s.loaded_at < {{ moment("end") }}
    AND c.consent = TRUE
ORDER BY s.loaded_at, s.receipt_no
