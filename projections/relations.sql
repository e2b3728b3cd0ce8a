-- name: trail
SELECT position, stream AS key, version, name, type, workflow, recorded_at, occurred_at, actor,
    actor_kind, role, on_behalf_of, authority, authority_version, trigger_name, state_before,
    state_after, reason, verdict, rules, verdicts, basis, papers, fields, escalated_from,
    escalated_to, escalated_unit, escalated_held_by
FROM main.$audit
WHERE position <= :known AND occurred_at <= :as_of

-- name: definitions
SELECT position, name AS workflow, version, title, hash, published_at, published_by
FROM main.$definitions
WHERE position <= :known AND published_at <= :as_of

-- name: links
SELECT position, parent, child, workflow, linked_at
FROM main.$link
WHERE position <= :known AND linked_at <= :as_of

-- name: signatures
SELECT from_position AS position, key, signed_for, person, answer, from_at AS signed_at,
    CASE WHEN to_position <= :known AND to_at <= :as_of THEN to_at END AS ended_at
FROM main.$signature
WHERE from_position <= :known AND from_at <= :as_of

-- name: deadlines
SELECT case_key AS key, workflow, state, entered AS version, entered_at AS since, at, share, pulls,
    CASE WHEN pulls IS NULL OR chasing.column1 IS NOT NULL THEN 0 ELSE 1 END AS ends,
    CASE WHEN settled_position <= :known AND settled_on <= :as_of THEN settled_at END AS settled_at,
    CASE WHEN settled_position <= :known AND settled_on <= :as_of THEN outcome END AS outcome
FROM main.$deadlines
LEFT JOIN (VALUES {chasing}) AS chasing ON chasing.column1 = workflow
    AND chasing.column2 = definition AND chasing.column3 = state AND chasing.column4 = pulls
WHERE position <= :known AND entered_at <= :as_of

-- name: register
SELECT {columns} FROM main.${table} WHERE {condition}

-- name: history
SELECT {columns}, _valid_from AS valid_from,
    CASE WHEN _next_known <= :known THEN _next_valid END AS valid_to
FROM main.${table}
WHERE _known_from <= :known AND (_known_to IS NULL OR :known < _known_to) AND _valid_from <= :as_of

-- name: state_since
-- A step that leaves a case where it is says in which state it found it, and begins none, nor does a
-- migration: it may have been recorded before one that was so earlier.
(SELECT coalesce(
    min(CASE WHEN entered.type NOT IN ('pmo.case.transitioned.v1', 'pmo.case.migrated.v1')
        OR coalesce(entered.state_before, '') <> _state THEN entered.occurred_at END),
    min(entered.occurred_at))
 FROM main.$audit AS entered
 WHERE entered.stream = _key AND entered.state_after = _state
 AND entered.position <= :known AND entered.occurred_at <= :as_of
 AND coalesce(entered.occurred_at, '') >= coalesce(
    (SELECT max(other.occurred_at) FROM main.$audit AS other
     WHERE other.stream = _key AND other.state_after <> _state
     AND (other.type NOT IN ('pmo.case.transitioned.v1', 'pmo.case.migrated.v1')
        OR other.state_before <> other.state_after)
     AND other.position <= :known AND other.occurred_at <= :as_of), ''))

-- name: started
(SELECT min(begun.occurred_at) FROM main.$audit AS begun
 WHERE begun.stream = _key AND begun.position <= :known)

-- name: columns_of_definitions
SELECT name, version, body FROM main.$definitions ORDER BY name, version, position

-- name: changes
SELECT _key AS key, _version AS version, _position AS position, _valid_from AS changed_at,
    '{field}' AS field, lag({text}) OVER earlier AS before, {text} AS after, lag(ground_of(_withheld, '{field}')) OVER earlier AS before_withheld,
    ground_of(_withheld, '{field}') AS after_withheld
FROM main.${table}
WHERE _known_from <= :known AND (_known_to IS NULL OR :known < _known_to) AND _valid_from <= :as_of
WINDOW earlier AS (PARTITION BY _key ORDER BY _valid_from, _version)

-- name: changed
SELECT * FROM (
{parts}
) AS part  -- PostgreSQL 15 asks for a name
WHERE coalesce(before, '') <> coalesce(after, '')
OR (before IS NULL AND after IS NOT NULL) OR (before IS NOT NULL AND after IS NULL)
OR coalesce(before_withheld, '') <> coalesce(after_withheld, '')

-- name: offers
SELECT _key AS key, '{workflow}' AS workflow, _state AS state, way.column3 AS trigger_name,
    nullif(way.column4, '') AS role, {unit} AS unit, {person} AS person, way.column7 AS stays,
    way.column8 AS signs, {body} AS body, {category} AS category, {amount} AS amount,
    {least} AS least, way.column13 AS upwards, way.column14 AS not_by, way.column15 AS apart,
    way.column16 AS waits, way.column17 AS rests
FROM main.${table}
JOIN (VALUES {ways}) AS way ON way.column1 = _definition AND way.column2 = _state
WHERE {condition} AND (way.column6 = '' OR {person} IS NOT NULL)

-- name: entries
SELECT _key AS key, {columns} FROM main.${table}
WHERE {condition} AND _state IN ({states})
