-- name: tables
CREATE TABLE $checkpoint (position INTEGER NOT NULL);
CREATE TABLE $projection (name TEXT PRIMARY KEY, version INTEGER NOT NULL);
CREATE TABLE $parked (
    projection TEXT NOT NULL,
    position INTEGER NOT NULL,
    stream TEXT NOT NULL,
    reason TEXT NOT NULL,
    PRIMARY KEY (projection, position)
)

-- name: begin
INSERT INTO $checkpoint (position) VALUES (0)

-- name: checkpoint
SELECT position FROM $checkpoint

-- name: advance
UPDATE $checkpoint SET position = ?

-- name: enter_projection
INSERT INTO $projection (name, version) VALUES (?, ?)

-- name: projections
SELECT name, version FROM $projection

-- name: park
INSERT INTO $parked (projection, position, stream, reason) VALUES (?, ?, ?, ?)

-- name: release
DELETE FROM $parked WHERE projection = ? AND position = ?

-- name: parked
SELECT position, projection, stream, reason FROM $parked ORDER BY position, projection
