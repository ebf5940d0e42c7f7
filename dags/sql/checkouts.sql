{% from "sql/database.jinja" import json_list, json_object, moment with context -%}
-- The orders of one window, one row each, with the fields of Pinterest's checkout event.
--
-- A column with the name of a Pinterest field, or with one of its aliases (email, city, url, …), needs no mapping.
-- Personal columns are selected unchanged: the operator normalises and hashes them.
-- database.jinja has the differences between databases; Airflow fills them in.

WITH baskets AS (
    SELECT
        l.order_id,
        SUM(l.quantity) AS num_items,
        {{ json_list }}(l.product_id) AS content_ids,
        {{ json_list }}({{ json_object }}(
            'id', l.product_id,
            'item_name', p.name,
            'item_category', p.category,
            'item_brand', p.brand,
            'item_price', l.unit_price,
            'quantity', l.quantity
        )) AS contents
    FROM (
        SELECT * FROM order_lines
        WHERE order_id IN (
            SELECT order_id FROM orders WHERE loaded_at >= {{ moment("start") }} AND loaded_at < {{ moment("end") }}
        )
        ORDER BY order_id, line_no  -- the same basket in every attempt
    ) AS l
    JOIN products AS p ON p.product_id = l.product_id
    GROUP BY l.order_id
)

SELECT
    -- The event. The Pinterest tag on the thank-you page sends the same event_id, so Pinterest counts it once.
    'checkout-' || o.order_id AS event_id,
    o.ordered_at AS event_time,
    o.page_url AS event_source_url,
    o.order_id,
    o.currency,
    o.total AS value,
    b.num_items,
    b.content_ids,
    b.contents,

    -- The person. Pinterest matches on an e-mail address, an advertising id, or an IP address with a user agent; the
    -- other columns help. Here people of several countries typed their telephone numbers in national formats, so
    -- the country code is added. If all people are of one country, identifiers={"ph": {"country": …}} is enough.
    -- In a query with bound values, a literal percent sign is written twice, even in a comment.
    c.email,
    CASE
        WHEN c.phone LIKE '+%%' THEN c.phone
        WHEN c.country = 'DE' THEN '+49 ' || c.phone
        WHEN c.country = 'GB' THEN '+44 ' || c.phone
        WHEN c.country IN ('US', 'CA') THEN '+1 ' || c.phone
    END AS phone,
    c.first_name,
    c.last_name,
    c.gender,
    c.birth_date,
    c.city,
    c.state,
    c.zip,
    c.country,
    c.customer_id AS external_id,
    o.ip_address,
    o.user_agent,
    o.click_id,

    -- Privacy. opt_out is not sent if it is NULL, which means that nobody asked. Limited data processing (US state
    -- privacy laws) counts only together with state and country; rows without them are rejected.
    c.opt_out,
    CASE WHEN c.ldp = TRUE THEN 'LDP' END AS opt_out_type
FROM orders AS o
JOIN customers AS c ON c.customer_id = o.customer_id
JOIN baskets AS b ON b.order_id = o.order_id
WHERE
    -- The window uses the time of loading, not of ordering, so that a late row is in the next window.
    o.loaded_at >= {{ moment("start") }}
    AND o.loaded_at < {{ moment("end") }}
    -- Data of people who have not agreed stays in the warehouse.
    AND c.consent = TRUE
ORDER BY o.loaded_at, o.order_id  -- a fixed order, so that a retry can continue where the last attempt ended
