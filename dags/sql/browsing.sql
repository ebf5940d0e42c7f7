{% from "sql/database.jinja" import moment with context -%}
-- The events of the web shop's visitors in one window: page visits, searches, products put into the basket.
--
-- Few visitors are logged in. Without an address Pinterest matches on ip_address and user_agent together, and on
-- click_id (its _epik cookie), if the shop stores them.

SELECT
    w.event_id,  -- created in the browser; the Pinterest tag sends the same id
    w.event_name,
    w.occurred_at AS event_time,
    w.url AS event_source_url,
    w.search_string,
    w.product_id AS content_ids,
    p.name AS content_name,
    p.category AS content_category,
    c.email,
    w.customer_id AS external_id,
    w.ip_address,
    w.user_agent,
    w.click_id
FROM web_events AS w
LEFT JOIN customers AS c ON c.customer_id = w.customer_id AND c.consent = TRUE
LEFT JOIN products AS p ON p.product_id = w.product_id
WHERE
    w.loaded_at >= {{ moment("start") }}
    AND w.loaded_at < {{ moment("end") }}
    AND w.consent = TRUE  -- the cookie banner's answer
ORDER BY w.loaded_at, w.event_id
