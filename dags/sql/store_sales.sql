{% from "sql/database.jinja" import json_array, json_object, moment with context -%}
-- Sales in the stores, as the tills loaded them in one window. Only customers with a loyalty card can be matched.
--
-- Pinterest cannot deduplicate offline events; order_id is the one aid it names.

SELECT
    s.receipt_no AS order_id,
    s.sold_at AS event_time,  -- the till's wall clock: the operator's timezone says where it hangs
    s.total AS value,
    s.currency,
    s.quantity AS num_items,
    {{ json_array }}({{ json_object }}(
        'id', s.product_id,
        'item_name', p.name,
        'item_price', p.price,
        'quantity', s.quantity
    )) AS contents,
    s.store_id,               -- no field of Pinterest's: kept for the rejects, so that a person finds the till
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
