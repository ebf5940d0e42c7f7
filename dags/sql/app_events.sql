{% from "sql/database.jinja" import moment with context -%}
-- The events of the app in one window, with the consent that iOS and Android asked for.

SELECT
    a.event_id,
    a.event_name,
    a.platform,      -- app_ios or app_android
    a.occurred_ms,   -- Unix milliseconds
    a.advertising_id,
    a.app_id,
    a.app_name,
    a.app_version,
    a.product_id,
    a.device,        -- JSON
    c.email,
    a.customer_id
FROM app_events AS a
LEFT JOIN customers AS c ON c.customer_id = a.customer_id AND c.consent = TRUE
WHERE
    a.loaded_at >= {{ moment("start") }}
    AND a.loaded_at < {{ moment("end") }}
    AND a.consent = TRUE
ORDER BY a.loaded_at, a.event_id
