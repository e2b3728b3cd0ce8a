-- name: tables
CREATE TABLE IF NOT EXISTS checkpoint (
    consumer TEXT PRIMARY KEY,
    began INTEGER NOT NULL,
    position INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS seen (
    consumer TEXT PRIMARY KEY,
    position INTEGER NOT NULL,
    event TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS parked (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    consumer TEXT NOT NULL,
    position INTEGER NOT NULL,
    item TEXT NOT NULL,
    stream TEXT NOT NULL,
    what TEXT NOT NULL,
    reason TEXT NOT NULL,
    parked_at TEXT NOT NULL,
    tries INTEGER NOT NULL DEFAULT 1,
    closed_at TEXT,
    closed_by TEXT,
    closed_for TEXT,
    UNIQUE (consumer, position, item)
);
CREATE TABLE IF NOT EXISTS lease (
    name TEXT PRIMARY KEY,
    holder TEXT NOT NULL,
    number INTEGER NOT NULL,
    until REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS parked_open ON parked (consumer, stream) WHERE closed_at IS NULL

-- name: begin
INSERT INTO checkpoint (consumer, began, position) VALUES (:consumer, :position, :position)
ON CONFLICT (consumer) DO NOTHING

-- name: checkpoints
SELECT consumer, began, position FROM checkpoint ORDER BY consumer

-- name: position
SELECT position FROM checkpoint WHERE consumer = ?

-- name: advance
UPDATE checkpoint SET position = :position WHERE consumer = :consumer AND position < :position

-- name: see
INSERT INTO seen (consumer, position, event) VALUES (:consumer, :position, :event)
ON CONFLICT (consumer) DO UPDATE SET position = excluded.position, event = excluded.event
WHERE seen.position < excluded.position

-- name: seen
SELECT event FROM seen WHERE consumer = :consumer AND position = :position

-- name: park
INSERT INTO parked (consumer, position, item, stream, what, reason, parked_at)
VALUES (:consumer, :position, :item, :stream, :what, :reason, :at)
ON CONFLICT (consumer, position, item) DO NOTHING

-- name: held
SELECT DISTINCT stream FROM parked WHERE consumer = ? AND closed_at IS NULL

-- name: open
SELECT number, consumer, position, item, stream, what, reason, parked_at, tries,
    closed_at, closed_by, closed_for
FROM parked
WHERE (:number IS NULL OR number = :number)
    AND (:consumer IS NULL OR consumer = :consumer)
    AND (:closed OR closed_at IS NULL)
ORDER BY number

-- name: count
SELECT consumer, count(*) FROM parked WHERE closed_at IS NULL GROUP BY consumer

-- name: tried
UPDATE parked SET reason = :reason, tries = tries + 1 WHERE number = :number

-- name: close
UPDATE parked SET closed_at = :at, closed_by = :by, closed_for = :why
WHERE number = :number AND closed_at IS NULL
RETURNING number

-- name: take
INSERT INTO lease (name, holder, number, until) VALUES (:name, :holder, 1, :until)
ON CONFLICT (name) DO UPDATE SET
    holder = excluded.holder, until = excluded.until,
    number = lease.number + CASE WHEN lease.holder = excluded.holder THEN 0 ELSE 1 END
WHERE lease.until <= :now OR lease.holder = excluded.holder
    OR lease.until > :impossible
RETURNING number

-- name: hold
UPDATE lease SET number = number WHERE name = :name AND number = :number RETURNING number

-- name: leave
UPDATE lease SET until = 0 WHERE name = :name AND holder = :holder

-- name: leaders
SELECT name, holder FROM lease WHERE until > :now ORDER BY name
