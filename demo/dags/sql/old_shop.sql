{% from "sql/database.jinja" import moment with context -%}
-- All columns of one window of the old shop's export, unchanged. The operator parses them.

SELECT *
FROM old_shop_orders
WHERE
    loadedAt >= {{ moment("start") }}
    AND loadedAt < {{ moment("end") }}
ORDER BY rowid
