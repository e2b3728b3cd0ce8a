-- name: tables
CREATE TABLE $cases (
    key TEXT PRIMARY KEY,
    workflow TEXT NOT NULL,
    definition_version INTEGER NOT NULL,
    definition_hash TEXT NOT NULL,
    version INTEGER NOT NULL,
    state TEXT,
    state_since TEXT NOT NULL,
    title TEXT,
    title_since TEXT NOT NULL,
    position INTEGER NOT NULL,
    recorded_at TEXT NOT NULL,
    occurred_at TEXT NOT NULL,
    last_name TEXT NOT NULL
)

-- name: indexes
CREATE INDEX IF NOT EXISTS $cases_by_workflow ON $cases (workflow, state);
CREATE INDEX IF NOT EXISTS $cases_by_position ON $cases (position)

-- name: put
INSERT INTO $cases (
    key, workflow, definition_version, definition_hash, version, state, state_since, title,
    title_since, position, recorded_at, occurred_at, last_name
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (key) DO UPDATE SET
    definition_version = excluded.definition_version, definition_hash = excluded.definition_hash,
    version = excluded.version, state = excluded.state, state_since = excluded.state_since,
    title = excluded.title, title_since = excluded.title_since, position = excluded.position,
    recorded_at = excluded.recorded_at, occurred_at = excluded.occurred_at,
    last_name = excluded.last_name

-- name: one
SELECT * FROM $cases WHERE key = ?

-- name: page
SELECT * FROM $cases
WHERE (:workflow IS NULL OR workflow = :workflow) AND (:state IS NULL OR state = :state)
ORDER BY position DESC
LIMIT :limit OFFSET :offset

-- name: count
SELECT count(*) FROM $cases
WHERE (:workflow IS NULL OR workflow = :workflow) AND (:state IS NULL OR state = :state)

-- name: of_workflow
SELECT key, definition_version, state FROM $cases WHERE workflow = ? ORDER BY key

-- name: states_by_version
SELECT DISTINCT workflow, definition_version, state FROM $cases

-- name: states
SELECT workflow, state, count(*) AS cases FROM $cases GROUP BY workflow, state ORDER BY workflow, state

-- name: keys
SELECT key FROM $cases WHERE key >= ? AND key < ? ORDER BY key LIMIT ?
