{% from "sql/database.jinja" import moment with context -%}
-- The people who asked the shop in one window to erase their data. Consent does not matter here.

SELECT r.email
FROM erasure_requests AS r
WHERE
    r.received_at >= {{ moment("start") }}
    AND r.received_at < {{ moment("end") }}
ORDER BY r.received_at, r.email
