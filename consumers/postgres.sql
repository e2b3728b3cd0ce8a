-- What consumers remember, in a database: the tables of store.sql and scheduler.sql. This cannot be made again from
-- anything, so it is only ever added to.

-- name: tables
CREATE SCHEMA IF NOT EXISTS pmo_consumers;
CREATE TABLE IF NOT EXISTS pmo_consumers.form (number BIGINT NOT NULL);
CREATE TABLE IF NOT EXISTS pmo_consumers.checkpoint (
    consumer TEXT COLLATE "C" PRIMARY KEY,
    began BIGINT NOT NULL,
    position BIGINT NOT NULL
);
CREATE TABLE IF NOT EXISTS pmo_consumers.seen (
    consumer TEXT COLLATE "C" PRIMARY KEY,
    position BIGINT NOT NULL,
    event TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS pmo_consumers.parked (
    number BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    consumer TEXT COLLATE "C" NOT NULL,
    position BIGINT NOT NULL,
    item TEXT COLLATE "C" NOT NULL,
    stream TEXT COLLATE "C" NOT NULL,
    what TEXT NOT NULL,
    reason TEXT NOT NULL,
    parked_at TEXT NOT NULL,
    tries BIGINT NOT NULL DEFAULT 1,
    closed_at TEXT,
    closed_by TEXT,
    closed_for TEXT,
    UNIQUE (consumer, position, item)
);
CREATE TABLE IF NOT EXISTS pmo_consumers.lease (
    name TEXT COLLATE "C" PRIMARY KEY,
    holder TEXT NOT NULL,
    number BIGINT NOT NULL,
    until DOUBLE PRECISION NOT NULL
);
CREATE INDEX IF NOT EXISTS parked_open ON pmo_consumers.parked (consumer, stream) WHERE closed_at IS NULL;
CREATE TABLE IF NOT EXISTS pmo_consumers.refused (
    case_key TEXT COLLATE "C" NOT NULL,
    entered BIGINT NOT NULL,
    of BIGINT NOT NULL,
    share TEXT COLLATE "C" NOT NULL,
    at TEXT COLLATE "C" NOT NULL,
    pulls TEXT,
    reason TEXT NOT NULL,
    attempts BIGINT NOT NULL,
    refused_at TEXT NOT NULL,
    next_try_at TEXT NOT NULL,
    case_version BIGINT,
    PRIMARY KEY (case_key, entered, of, share, at)
);

-- name: is_made
SELECT to_regclass('pmo_consumers.form') IS NOT NULL

-- name: form
SELECT coalesce(max(number), 0) FROM pmo_consumers.form

-- name: now
SELECT CAST(extract(epoch FROM clock_timestamp()) AS DOUBLE PRECISION)
