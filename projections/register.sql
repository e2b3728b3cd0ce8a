-- name: tables
CREATE TABLE $registered_field (
    workflow TEXT NOT NULL,
    name TEXT NOT NULL,
    place INTEGER NOT NULL,
    type TEXT NOT NULL,
    title TEXT NOT NULL,
    currency TEXT,
    unit TEXT NOT NULL,
    PRIMARY KEY (workflow, name)
)

-- name: fields
SELECT name, type, title, currency, unit FROM $registered_field WHERE workflow = ? ORDER BY place

-- name: enter_field
INSERT INTO $registered_field (workflow, name, place, type, title, currency, unit)
VALUES (?, ?, ?, ?, ?, ?, ?)

-- name: retitle_field
UPDATE $registered_field SET title = ?, unit = ? WHERE workflow = ? AND name = ?

-- name: register
CREATE TABLE ${table} (
    _key TEXT NOT NULL,
    _version INTEGER NOT NULL,
    _position INTEGER NOT NULL,
    _state TEXT,
    _definition INTEGER NOT NULL,
    _withheld TEXT,
    _said TEXT NOT NULL,
    _known_from INTEGER NOT NULL,
    _known_to INTEGER,
    _valid_from TEXT NOT NULL,
    _next_known INTEGER,
    _next_valid TEXT
);
CREATE UNIQUE INDEX IF NOT EXISTS ${table}_now ON ${table} (_key) WHERE _next_known IS NULL AND _known_to IS NULL

-- name: key_index
CREATE INDEX IF NOT EXISTS ${table}_by_key ON ${table} (_key)

-- name: moment_index
CREATE INDEX IF NOT EXISTS ${table}_at
ON ${table} (_valid_from, _next_valid, _known_to, _known_from, _next_known)

-- name: state_index
CREATE INDEX IF NOT EXISTS ${table}_by_state
ON ${table} (_state, _valid_from, _next_valid, _known_to, _known_from, _next_known)

-- name: held_index
CREATE INDEX IF NOT EXISTS ${table}_held ON ${table} (
    substr(_valid_from, 1, 7), coalesce(_next_valid, '~'), _valid_from, _known_to, _known_from, _next_known,
    _key, _state, _version, _position, _definition, _withheld{fields})

-- name: learnt_index
CREATE INDEX IF NOT EXISTS ${table}_learnt ON ${table} (_known_from / {lot}, _next_known, _next_valid, _known_from)
WHERE _next_known IS NOT NULL

-- name: state_now_index
CREATE INDEX IF NOT EXISTS ${table}_now_by_state
ON ${table} (_state, _key) WHERE _next_known IS NULL AND _known_to IS NULL

-- name: field_index
CREATE INDEX IF NOT EXISTS ${table}_by_{field}
ON ${table} ({column}, _key, _valid_from, _next_valid, _known_to, _known_from, _next_known)

-- name: all_fields
SELECT workflow, name, type FROM $registered_field ORDER BY workflow, place

-- name: add_column
ALTER TABLE ${table} ADD COLUMN {column} {type}

-- name: insert
INSERT INTO ${table} ({columns}) VALUES ({marks})

-- name: follow
UPDATE ${table} SET _next_known = ?, _next_valid = ?
WHERE _key = ? AND _next_known IS NULL AND _known_to IS NULL

-- name: end
UPDATE ${table} SET _known_to = ? WHERE _key = ? AND _known_from = ? AND _valid_from = ?

-- name: now
SELECT {columns} FROM ${table} WHERE _key = ? AND _next_known IS NULL AND _known_to IS NULL

-- name: timeline
SELECT {columns} FROM ${table}
WHERE _key = ? AND _known_to IS NULL AND (_next_known IS NULL OR _valid_from < _next_valid)
ORDER BY _valid_from

-- name: holding
SELECT {columns} FROM ${table} WHERE {conditions} LIMIT 1

-- name: months
(WITH RECURSIVE begun (_month) AS (
    SELECT max(substr(_valid_from, 1, 7)) FROM ${table}
    WHERE substr(_valid_from, 1, 7) <= substr(:as_of, 1, 7)
    UNION ALL
    SELECT (SELECT max(substr(_valid_from, 1, 7)) FROM ${table} WHERE substr(_valid_from, 1, 7) < _month)
    FROM begun WHERE _month IS NOT NULL
) SELECT _month FROM begun) AS begun CROSS JOIN ${table}

-- name: lots
(WITH RECURSIVE learnt (_lot) AS (
    SELECT max(_known_from / {lot}) FROM ${table}
    WHERE _known_from / {lot} <= :known / {lot} AND _next_known IS NOT NULL
    UNION ALL
    SELECT (SELECT max(_known_from / {lot}) FROM ${table} WHERE _known_from / {lot} < _lot AND _next_known IS NOT NULL)
    FROM learnt WHERE _lot IS NOT NULL
) SELECT _lot FROM learnt) AS learnt CROSS JOIN ${table}

-- name: first
{way} LIMIT :most

-- name: count
SELECT count(*) FROM ({way} LIMIT :most) AS found

-- name: page
SELECT {columns} FROM ${table}
WHERE {holds} AND _key IN (SELECT _key FROM ({way}) AS held {order} LIMIT :limit)
{order}

-- name: sample
SELECT {met} FROM ({way} LIMIT :some) AS few

-- name: all
SELECT {columns} FROM ${table} WHERE _key = ? ORDER BY _known_from, _valid_from
