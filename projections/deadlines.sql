-- name: tables
CREATE TABLE $deadlines (
    case_key TEXT NOT NULL,
    entered INTEGER NOT NULL,
    workflow TEXT NOT NULL,
    definition INTEGER NOT NULL,
    state TEXT NOT NULL,
    since TEXT NOT NULL,
    at TEXT NOT NULL,
    of INTEGER NOT NULL,
    share TEXT NOT NULL,
    pulls TEXT,
    position INTEGER NOT NULL,
    entered_at TEXT NOT NULL,
    settled_at TEXT,
    settled_on TEXT,
    settled_position INTEGER,
    outcome TEXT,
    PRIMARY KEY (case_key, entered, of, share, at)
) WITHOUT ROWID;
CREATE INDEX $deadlines_open ON $deadlines (at, case_key, of, share) WHERE settled_at IS NULL

-- name: indexes
CREATE INDEX IF NOT EXISTS $deadlines_of_workflow ON $deadlines (workflow, at) WHERE settled_at IS NULL

-- name: insert
INSERT INTO $deadlines
    (case_key, entered, workflow, definition, state, since, at, of, share, pulls, position,
    entered_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (case_key, entered, of, share, at) DO UPDATE SET definition = excluded.definition,
    settled_at = NULL, settled_on = NULL, settled_position = NULL, outcome = NULL

-- name: of_case
SELECT entered, state, since, at, of, share, pulls
FROM $deadlines
WHERE case_key = ? AND settled_at IS NULL
ORDER BY at, of, share

-- name: settle
UPDATE $deadlines SET settled_at = ?, settled_on = ?, settled_position = ?, outcome = ?
WHERE case_key = ? AND entered = ? AND of = ? AND share = ? AND at = ?

-- name: stay
UPDATE $deadlines SET since = ? WHERE case_key = ? AND settled_at IS NULL

-- name: due
SELECT case_key, entered, workflow, state, at, of, share, pulls
FROM $deadlines
WHERE settled_at IS NULL AND (at, case_key, of, share) > (:at, :case_key, :of, :share) AND at <= :now
ORDER BY at, case_key, of, share
LIMIT :limit

-- name: is_open
SELECT 1 FROM $deadlines
WHERE case_key = ? AND entered = ? AND of = ? AND share = ? AND at = ? AND settled_at IS NULL

-- name: next
SELECT min(at) FROM $deadlines WHERE settled_at IS NULL AND at > ?

-- name: page
SELECT case_key, workflow, state, entered, of, at, share, pulls, settled_at, outcome
FROM $deadlines
WHERE (:settled OR settled_at IS NULL)
    AND (:workflow IS NULL OR workflow = :workflow)
    AND (:case_key IS NULL OR case_key = :case_key)
    AND (:until IS NULL OR at <= :until)
ORDER BY at, case_key, entered, of, share
LIMIT :limit

-- name: count
SELECT count(*) FROM $deadlines
WHERE (:settled OR settled_at IS NULL)
    AND (:workflow IS NULL OR workflow = :workflow)
    AND (:case_key IS NULL OR case_key = :case_key)
    AND (:until IS NULL OR at <= :until)
