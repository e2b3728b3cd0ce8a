-- name: tables
CREATE TABLE $signature (
    from_position INTEGER PRIMARY KEY,
    key TEXT NOT NULL,
    signed_for TEXT NOT NULL,
    person TEXT NOT NULL,
    answer TEXT NOT NULL,
    from_at TEXT NOT NULL,
    to_position INTEGER,
    to_at TEXT
);
CREATE INDEX $signature_standing ON $signature (key) WHERE to_position IS NULL

-- name: indexes
CREATE INDEX IF NOT EXISTS $signature_by_person ON $signature (person)

-- name: sign
INSERT INTO $signature (from_position, key, signed_for, person, answer, from_at)
VALUES (?, ?, ?, ?, ?, ?)

-- name: end_one
UPDATE $signature SET to_position = ?, to_at = ?
WHERE key = ? AND to_position IS NULL AND signed_for = ? AND person = ?

-- name: end_all
UPDATE $signature SET to_position = ?, to_at = ? WHERE key = ? AND to_position IS NULL

-- name: standing
SELECT DISTINCT key FROM $signature WHERE to_position IS NULL

-- name: of_case
SELECT signed_for, person, answer FROM $signature
WHERE key = ? AND to_position IS NULL AND answer <> 'withdrawn'
