{% from "sql/database.jinja" import json_list, json_object, moment with context -%}
-- Orders of one window, one row each, in the shape of Pinterest's checkout event.
--
-- A column named like a field of Pinterest's, or like one of its aliases (email, city, url, …), needs no mapping.
-- Personal columns go out of here as they are stored: the operator normalises and hashes them.
-- What differs between databases stands in database.jinja; Airflow fills it in.

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
    -- What happened. The thank-you page's Pinterest tag sends the same event_id: Pinterest then counts once.
    'checkout-' || o.order_id AS event_id,
    o.ordered_at AS event_time,
    o.page_url AS event_source_url,
    o.order_id,
    o.currency,
    o.total AS value,
    b.num_items,
    b.content_ids,
    b.contents,

    -- Who. Pinterest matches on an e-mail address, an advertising id, or an IP address with a user agent; the
    -- other columns help. Here people of several countries typed their own country's way of writing a telephone
    -- number, so the country is put before it; where all are of one country, identifiers={"ph": {"country": …}}
    -- alone is enough. Where values are bound, a literal percent sign is written twice, even in a comment.
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

    -- Privacy. opt_out is left out where it is NULL: nobody asked. Limited data processing (US state privacy
    -- laws) counts only together with state and country; rows that lack them are rejected, not sent without.
    c.opt_out,
    CASE WHEN c.ldp = TRUE THEN 'LDP' END AS opt_out_type
FROM orders AS o
JOIN customers AS c ON c.customer_id = o.customer_id
JOIN baskets AS b ON b.order_id = o.order_id
WHERE
    -- Cut by the time of loading, not of ordering: a row that arrives late is in the next window, not in none.
    o.loaded_at >= {{ moment("start") }}
    AND o.loaded_at < {{ moment("end") }}
    -- Data of people who have not agreed stays in the warehouse.
    AND c.consent = TRUE
ORDER BY o.loaded_at, o.order_id  -- a fixed order, so that a retry can continue where the last attempt ended
