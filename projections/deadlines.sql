-- name: tables
CREATE TABLE $deadlines (
    case_key TEXT NOT NULL,
    entered INTEGER NOT NULL,
    number INTEGER NOT NULL,
    workflow TEXT NOT NULL,
    state TEXT NOT NULL,
    since TEXT NOT NULL,
    at TEXT NOT NULL,
    of INTEGER NOT NULL,
    share TEXT NOT NULL,
    pulls TEXT,
    settled_at TEXT,
    outcome TEXT,
    PRIMARY KEY (case_key, entered, number)
) WITHOUT ROWID;
CREATE INDEX $deadlines_open ON $deadlines (at, case_key, number) WHERE settled_at IS NULL

-- name: indexes
CREATE INDEX $deadlines_of_workflow ON $deadlines (workflow, at) WHERE settled_at IS NULL

-- name: insert
INSERT INTO $deadlines
    (case_key, entered, number, workflow, state, since, at, of, share, pulls)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: of_case
SELECT entered, number, state, since, at, of, share, pulls
FROM $deadlines
WHERE case_key = ? AND settled_at IS NULL
ORDER BY at, number

-- name: settle
UPDATE $deadlines SET settled_at = ?, outcome = ?
WHERE case_key = ? AND entered = ? AND number = ?

-- name: stay
UPDATE $deadlines SET since = ? WHERE case_key = ? AND settled_at IS NULL

-- name: due
SELECT case_key, entered, number, workflow, state, at, of, share, pulls
FROM $deadlines
WHERE settled_at IS NULL AND (at, case_key, number) > (:at, :case_key, :number) AND at <= :now
ORDER BY at, case_key, number
LIMIT :limit

-- name: is_open
SELECT 1 FROM $deadlines
WHERE case_key = ? AND entered = ? AND number = ? AND settled_at IS NULL

-- name: next
SELECT min(at) FROM $deadlines WHERE settled_at IS NULL AND at > ?

-- name: page
SELECT case_key, workflow, state, entered, number, at, share, pulls, settled_at, outcome
FROM $deadlines
WHERE (:settled OR settled_at IS NULL)
    AND (:workflow IS NULL OR workflow = :workflow)
    AND (:case_key IS NULL OR case_key = :case_key)
    AND (:until IS NULL OR at <= :until)
ORDER BY at, case_key, number
LIMIT :limit

-- name: count
SELECT count(*) FROM $deadlines
WHERE (:settled OR settled_at IS NULL)
    AND (:workflow IS NULL OR workflow = :workflow)
    AND (:case_key IS NULL OR case_key = :case_key)
    AND (:until IS NULL OR at <= :until)
