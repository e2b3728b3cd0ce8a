-- name: seen
CREATE TABLE IF NOT EXISTS pmo_events_seen (
    reader VARCHAR(200) NOT NULL,
    event_id VARCHAR(64) NOT NULL,
    PRIMARY KEY (reader, event_id)
)

-- name: read
CREATE TABLE IF NOT EXISTS pmo_events_read (
    reader VARCHAR(200) NOT NULL,
    topic VARCHAR(249) NOT NULL,
    part INTEGER NOT NULL,
    next_offset BIGINT NOT NULL,
    PRIMARY KEY (reader, topic, part)
)

-- name: see
INSERT INTO pmo_events_seen (reader, event_id) VALUES (?, ?)
ON CONFLICT (reader, event_id) DO NOTHING

-- name: where
SELECT next_offset FROM pmo_events_read WHERE reader = ? AND topic = ? AND part = ?

-- name: go_on
INSERT INTO pmo_events_read (reader, topic, part, next_offset) VALUES (?, ?, ?, ?)
ON CONFLICT (reader, topic, part) DO UPDATE SET next_offset = excluded.next_offset
