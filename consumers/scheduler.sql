-- name: tables
CREATE TABLE IF NOT EXISTS refused (
    case_key TEXT NOT NULL,
    entered INTEGER NOT NULL,
    of INTEGER NOT NULL,
    share TEXT NOT NULL,
    at TEXT NOT NULL,
    pulls TEXT,
    reason TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    refused_at TEXT NOT NULL,
    next_try_at TEXT NOT NULL,
    case_version INTEGER,
    PRIMARY KEY (case_key, entered, of, share, at)
) WITHOUT ROWID

-- name: all
SELECT case_key, entered, of, share, at, pulls, reason, attempts, refused_at, next_try_at,
    case_version
FROM refused
ORDER BY at, case_key

-- name: put
INSERT INTO refused
    (case_key, entered, of, share, at, pulls, reason, attempts, refused_at, next_try_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (case_key, entered, of, share, at) DO UPDATE SET
    reason = excluded.reason, attempts = excluded.attempts, refused_at = excluded.refused_at,
    next_try_at = excluded.next_try_at, case_version = NULL

-- name: seen
UPDATE refused SET case_version = ?
WHERE case_key = ? AND entered = ? AND of = ? AND share = ? AND at = ?

-- name: drop
DELETE FROM refused WHERE case_key = ? AND entered = ? AND of = ? AND share = ? AND at = ?
