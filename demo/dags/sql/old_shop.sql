{% from "sql/database.jinja" import moment with context -%}
-- Everything that one window of the old shop's export holds, as it lies there. The operator reads it.

SELECT *
FROM old_shop_orders
WHERE
    loadedAt >= {{ moment("start") }}
    AND loadedAt < {{ moment("end") }}
ORDER BY rowid
