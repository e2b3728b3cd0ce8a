-- name: tables
CREATE TABLE $definitions (
    position INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    version INTEGER NOT NULL,
    hash TEXT NOT NULL,
    title TEXT NOT NULL,
    published_at TEXT NOT NULL,
    published_by TEXT NOT NULL,
    body TEXT NOT NULL
);
CREATE INDEX $definitions_by_name ON $definitions (name, version)

-- name: insert
INSERT INTO $definitions (position, name, version, hash, title, published_at, published_by, body)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)

-- name: all
SELECT * FROM $definitions ORDER BY name, version, position

-- name: newest
SELECT * FROM $definitions WHERE name = ? ORDER BY version DESC, position DESC LIMIT 1

-- name: exact
SELECT * FROM $definitions WHERE name = ? AND version = ? ORDER BY position DESC LIMIT 1

-- name: workflows
SELECT DISTINCT name FROM $definitions ORDER BY name
