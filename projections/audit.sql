-- name: tables
CREATE TABLE $audit (
    position INTEGER PRIMARY KEY,
    stream TEXT NOT NULL,
    version INTEGER NOT NULL,
    name TEXT NOT NULL,
    type TEXT NOT NULL,
    workflow TEXT NOT NULL,
    recorded_at TEXT NOT NULL,
    occurred_at TEXT NOT NULL,
    actor TEXT NOT NULL,
    actor_kind TEXT NOT NULL,
    role TEXT,
    on_behalf_of TEXT,
    authority TEXT,
    authority_version INTEGER,
    trigger_name TEXT,
    state_before TEXT,
    state_after TEXT,
    reason TEXT,
    verdict TEXT,
    rules TEXT,
    verdicts TEXT,
    basis TEXT,
    papers INTEGER NOT NULL,
    fields TEXT,
    escalated_from TEXT,
    escalated_to TEXT,
    escalated_unit TEXT,
    escalated_held_by TEXT
)

-- name: indexes
CREATE INDEX IF NOT EXISTS $audit_by_recorded_at ON $audit (recorded_at);
CREATE INDEX IF NOT EXISTS $audit_by_stream ON $audit (stream);
CREATE INDEX IF NOT EXISTS $audit_by_name ON $audit (name);
CREATE INDEX IF NOT EXISTS $audit_by_actor ON $audit (actor);
CREATE INDEX IF NOT EXISTS $audit_by_occurred_at ON $audit (occurred_at)

-- name: insert
INSERT INTO $audit (
    position, stream, version, name, type, workflow, recorded_at, occurred_at, actor, actor_kind,
    role, on_behalf_of, authority, authority_version, trigger_name, state_before, state_after,
    reason, verdict, rules, verdicts, basis, papers, fields, escalated_from, escalated_to,
    escalated_unit, escalated_held_by
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: known
SELECT position FROM $audit WHERE recorded_at <= ? ORDER BY recorded_at DESC, position DESC LIMIT 1

-- name: head
SELECT coalesce(max(position), 0) FROM $audit

-- name: trail
SELECT * FROM $audit
WHERE {conditions}
ORDER BY {order}
LIMIT :limit

-- name: by_name_and_year
SELECT name, CAST(substr(occurred_at, 1, 4) AS INTEGER) AS year, count(*) AS events
FROM $audit
WHERE (:workflow IS NULL OR workflow = :workflow)
GROUP BY name, substr(occurred_at, 1, 4)
ORDER BY name, year

-- name: cases_with_most
SELECT stream, count(*) AS events, min(occurred_at) AS first_at, max(occurred_at) AS last_at
FROM $audit
WHERE name = :name AND position <= :known AND occurred_at <= :as_of
GROUP BY stream
ORDER BY events DESC, stream
LIMIT :limit

-- name: observed_names
SELECT DISTINCT workflow, name FROM $audit WHERE type LIKE 'pmo.case.observed.%'
ORDER BY workflow, name
