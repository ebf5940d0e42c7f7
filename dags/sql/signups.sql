{% from "sql/database.jinja" import moment with context -%}
-- Ready events from the sign-up service: one JSON object each.

SELECT s.payload
FROM signups AS s
WHERE
    s.loaded_at >= {{ moment("start") }}
    AND s.loaded_at < {{ moment("end") }}
    AND s.consent = TRUE
ORDER BY s.loaded_at, s.payload
