-- The warehouse of an invented shop: three web shops, an app, five stores.
--
-- Every table of events has two times: when the event happened (ordered_at, occurred_at, sold_at) and when the
-- warehouse received it (loaded_at, UTC). Windows are cut by loaded_at, so that a late row is in the
-- next window. Only customers are unique: loaders deliver at least once, so a row can be here twice.
--
-- SQLite, PostgreSQL and DuckDB all read this file. SQLite stores times as text (UTC, 2026-11-21 09:30:00) and
-- booleans as 0 and 1.

CREATE TABLE customers (
    customer_id     TEXT PRIMARY KEY,
    email           TEXT,              -- as typed, or already the SHA-256 of it
    phone           TEXT,              -- as typed: +49 30 …, 030 …, (212) …
    first_name      TEXT,
    last_name       TEXT,
    gender          TEXT,              -- f, m, n or unknown
    birth_date      TEXT,              -- 1984-02-29
    city            TEXT,
    state           TEXT,              -- for the US: the two letters
    zip             TEXT,
    country         TEXT,              -- ISO 3166, two letters
    consent         BOOLEAN NOT NULL,  -- agreed that purchases are shared with advertising platforms
    opt_out         BOOLEAN,           -- opted out of personalised advertising; NULL: never asked
    ldp             BOOLEAN NOT NULL   -- asked for limited data processing (US state privacy laws)
);

CREATE TABLE products (
    product_id      TEXT PRIMARY KEY,
    name            TEXT NOT NULL,
    category        TEXT NOT NULL,
    brand           TEXT NOT NULL,
    price           NUMERIC NOT NULL
);

CREATE TABLE ad_accounts (
    shop            TEXT PRIMARY KEY,  -- de, uk, us
    ad_account_id   TEXT NOT NULL,     -- the shop's ad account at Pinterest
    country         TEXT NOT NULL,
    active          BOOLEAN NOT NULL
);

CREATE TABLE orders (
    order_id        TEXT NOT NULL,
    shop            TEXT NOT NULL,
    customer_id     TEXT NOT NULL,
    ordered_at      TIMESTAMPTZ NOT NULL,
    loaded_at       TIMESTAMPTZ NOT NULL,
    currency        TEXT NOT NULL,
    total           TEXT NOT NULL,     -- as the shop wrote it
    page_url        TEXT,
    ip_address      TEXT,              -- of the browser; NULL for orders taken on the phone
    user_agent      TEXT,
    click_id        TEXT               -- Pinterest's _epik cookie
);

CREATE TABLE order_lines (
    order_id        TEXT NOT NULL,
    line_no         INTEGER NOT NULL,
    product_id      TEXT NOT NULL,
    quantity        INTEGER NOT NULL,
    unit_price      NUMERIC NOT NULL,
    PRIMARY KEY (order_id, line_no)
);

CREATE TABLE web_events (
    event_id        TEXT NOT NULL,     -- made in the browser; the Pinterest tag sends the same one
    event_name      TEXT NOT NULL,     -- page_visit, view_category, search, add_to_cart, …
    occurred_at     TIMESTAMPTZ NOT NULL,
    loaded_at       TIMESTAMPTZ NOT NULL,
    customer_id     TEXT,              -- NULL: not logged in
    consent         BOOLEAN NOT NULL,  -- the cookie banner's answer
    ip_address      TEXT,
    user_agent      TEXT,
    click_id        TEXT,
    url             TEXT NOT NULL,
    product_id      TEXT,
    search_string   TEXT
);

CREATE TABLE app_events (
    event_id        TEXT,
    event_name      TEXT NOT NULL,
    platform        TEXT NOT NULL,     -- app_ios, app_android
    occurred_ms     BIGINT NOT NULL,   -- Unix milliseconds, from the app's SDK
    loaded_at       TIMESTAMPTZ NOT NULL,
    consent         BOOLEAN NOT NULL,  -- iOS: the tracking prompt's answer
    advertising_id  TEXT,              -- IDFA or GAID
    customer_id     TEXT,
    app_id          TEXT NOT NULL,
    app_name        TEXT NOT NULL,
    app_version     TEXT NOT NULL,
    product_id      TEXT,
    device          TEXT               -- JSON, from the SDK
);

CREATE TABLE signups (
    loaded_at       TIMESTAMPTZ NOT NULL,
    consent         BOOLEAN NOT NULL,
    payload         TEXT NOT NULL      -- JSON: a ready event, kept by the sign-up service
);

CREATE TABLE erasure_requests (
    email           TEXT NOT NULL,     -- of a person who asked the shop to erase their data
    received_at     TIMESTAMPTZ NOT NULL
);

CREATE TABLE stores (
    store_id        TEXT PRIMARY KEY,
    name            TEXT NOT NULL,
    city            TEXT NOT NULL,
    zip             TEXT NOT NULL
);

CREATE TABLE store_sales (
    receipt_no      TEXT NOT NULL,
    store_id        TEXT NOT NULL,
    customer_id     TEXT NOT NULL,     -- the loyalty card
    sold_at         TEXT NOT NULL,     -- the till's local wall clock, 2026-11-21 09:30:00
    loaded_at       TIMESTAMPTZ NOT NULL,
    product_id      TEXT NOT NULL,
    quantity        INTEGER NOT NULL,
    total           TEXT NOT NULL,
    currency        TEXT NOT NULL
);
