-- name: tables
CREATE TABLE $link (
    position INTEGER PRIMARY KEY,
    parent TEXT NOT NULL,
    child TEXT NOT NULL,
    workflow TEXT NOT NULL,
    linked_at TEXT NOT NULL
)

-- name: indexes
CREATE INDEX IF NOT EXISTS $link_by_parent ON $link (parent);
CREATE INDEX IF NOT EXISTS $link_by_child ON $link (child)

-- name: insert
INSERT INTO $link (position, parent, child, workflow, linked_at) VALUES (?, ?, ?, ?, ?)
