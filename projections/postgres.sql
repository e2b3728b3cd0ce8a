-- Views on PostgreSQL: what stands beside the sets of tables. Made by whoever writes views first; made again (because it
-- is of an older form), nothing changes but the functions. A set is a schema of its own, pmo_views_b1 and so on.

-- name: schema
CREATE SCHEMA IF NOT EXISTS pmo_views;
CREATE SEQUENCE IF NOT EXISTS pmo_views.build;
CREATE TABLE IF NOT EXISTS pmo_views.standing (
    one BOOLEAN PRIMARY KEY DEFAULT true CHECK (one),
    number BIGINT NOT NULL,
    form BIGINT NOT NULL
);
INSERT INTO pmo_views.standing (number, form) VALUES (0, 0) ON CONFLICT (one) DO NOTHING;

-- Lets a role, and it alone, keep the views and what consumers remember: whoever builds views makes and removes tables,
-- so it has to own them. The log is no part of it. For the database's owner to call.
CREATE OR REPLACE FUNCTION pmo_views.hand_over(role NAME) RETURNS VOID LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    said TEXT;
BEGIN
    FOR said IN
        SELECT format('SCHEMA %I', nspname) FROM pg_namespace WHERE nspname ~ '^pmo_(views(_b[0-9]+)?|consumers)$'
        UNION ALL
        SELECT format('%s %s', CASE relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, pg_class.oid::REGCLASS)
        FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
        WHERE nspname ~ '^pmo_(views(_b[0-9]+)?|consumers)$' AND relkind IN ('r', 'S')
            AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = pg_class.oid AND deptype = 'i')
        UNION ALL
        SELECT format('%s %s', CASE prokind WHEN 'a' THEN 'AGGREGATE' ELSE 'FUNCTION' END, pg_proc.oid::REGPROCEDURE)
        FROM pg_proc JOIN pg_namespace ON pg_namespace.oid = pronamespace WHERE nspname = 'pmo_views'
    LOOP
        EXECUTE format('ALTER %s OWNER TO %I', said, role);
    END LOOP;
    EXECUTE format('GRANT CREATE ON DATABASE %I TO %I', current_database(), role);
END $$;

-- A date or an instant as engine.clock writes them; anything else is none.
CREATE OR REPLACE FUNCTION pmo_views.moment_of(said TEXT) RETURNS TIMESTAMP IMMUTABLE PARALLEL SAFE LANGUAGE plpgsql AS $$
BEGIN
    IF said ~ '^\d{4}-\d\d-\d\d(T([01]\d|2[0-3]):[0-5]\d:[0-5]\d\.\d{6}Z)?$' THEN
        RETURN translate(said, 'TZ', ' ')::TIMESTAMP;
    END IF;
    RETURN NULL;
EXCEPTION WHEN datetime_field_overflow OR invalid_datetime_format THEN
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION pmo_views.days_between(earlier TEXT, later TEXT) RETURNS FLOAT8 IMMUTABLE PARALLEL SAFE LANGUAGE sql AS $$
    SELECT CAST(extract(epoch FROM pmo_views.moment_of(later) - pmo_views.moment_of(earlier)) AS FLOAT8) / 86400
$$;

CREATE OR REPLACE FUNCTION pmo_views.ground_of(withheld TEXT, field TEXT) RETURNS TEXT IMMUTABLE PARALLEL SAFE LANGUAGE sql AS $$
    SELECT CASE WHEN withheld <> '' THEN (CAST(withheld AS JSON) ->> field) COLLATE "C" END
$$;

CREATE OR REPLACE FUNCTION pmo_views.list_has(list TEXT, value TEXT) RETURNS INTEGER IMMUTABLE PARALLEL SAFE LANGUAGE sql AS $$
    SELECT CASE WHEN list <> '' AND CAST(list AS JSONB) ? value THEN 1 ELSE 0 END
$$;

CREATE OR REPLACE FUNCTION pmo_views.list_has(list TEXT, value FLOAT8) RETURNS INTEGER IMMUTABLE PARALLEL SAFE LANGUAGE sql AS $$
    SELECT CASE WHEN list <> '' AND CAST(list AS JSONB) @> to_jsonb(value) THEN 1 ELSE 0 END
$$;

CREATE OR REPLACE FUNCTION pmo_views.list_count(list TEXT) RETURNS INTEGER IMMUTABLE PARALLEL SAFE LANGUAGE sql AS $$
    SELECT CASE
        WHEN list IS NULL OR list = '' THEN 0
        WHEN json_typeof(CAST(list AS JSON)) = 'array' THEN json_array_length(CAST(list AS JSON))
        ELSE (SELECT CAST(count(*) AS INTEGER) FROM json_object_keys(CAST(list AS JSON)))
    END
$$;

CREATE OR REPLACE FUNCTION pmo_views.list_item(list TEXT, place INTEGER) RETURNS TEXT IMMUTABLE PARALLEL SAFE LANGUAGE sql AS $$
    SELECT CASE WHEN list <> '' AND place > 0 THEN CAST(list AS JSONB) ->> (place - 1) END
$$;

CREATE OR REPLACE FUNCTION pmo_views.number_as_text(number FLOAT8) RETURNS TEXT IMMUTABLE PARALLEL SAFE LANGUAGE sql AS $$
    SELECT CAST(trim_scale(CAST(number AS NUMERIC)) AS TEXT)
$$;

CREATE OR REPLACE FUNCTION pmo_views.percentile_of(share FLOAT8, found FLOAT8[]) RETURNS FLOAT8 IMMUTABLE PARALLEL SAFE LANGUAGE sql AS $$
    SELECT percentile_cont(least(1, greatest(0, share))) WITHIN GROUP (ORDER BY one) FROM unnest(found) AS one
$$;

CREATE OR REPLACE FUNCTION pmo_views.median_of(found FLOAT8[]) RETURNS FLOAT8 IMMUTABLE PARALLEL SAFE LANGUAGE sql AS $$
    SELECT pmo_views.percentile_of(0.5, found)
$$;

-- The first of the values gathered is the share.
CREATE OR REPLACE FUNCTION pmo_views.gather(found FLOAT8[], value FLOAT8, share FLOAT8) RETURNS FLOAT8[] IMMUTABLE PARALLEL SAFE LANGUAGE sql AS $$
    SELECT array_append(coalesce(found, ARRAY[share]), value)
$$;

CREATE OR REPLACE FUNCTION pmo_views.percentile_of_gathered(found FLOAT8[]) RETURNS FLOAT8 IMMUTABLE PARALLEL SAFE LANGUAGE sql AS $$
    SELECT pmo_views.percentile_of(found[1], found[2:])
$$;

CREATE OR REPLACE AGGREGATE pmo_views.median(FLOAT8) (
    SFUNC = array_append, STYPE = FLOAT8[], FINALFUNC = pmo_views.median_of, INITCOND = '{}'
);

CREATE OR REPLACE AGGREGATE pmo_views.percentile(FLOAT8, FLOAT8) (
    SFUNC = pmo_views.gather, STYPE = FLOAT8[], FINALFUNC = pmo_views.percentile_of_gathered
);

-- name: is_made
SELECT to_regclass('pmo_views.standing') IS NOT NULL

-- name: sorts_by_bytes
SELECT datlocprovider = 'b' OR (datlocprovider = 'c' AND lower(datcollate) IN ('c', 'posix', 'c.utf8', 'c.utf-8')),
    pg_encoding_to_char(encoding) = 'UTF8'
FROM pg_database WHERE datname = current_database()

-- name: form
SELECT form FROM pmo_views.standing

-- name: formed
UPDATE pmo_views.standing SET form = %s

-- name: standing
SELECT number FROM pmo_views.standing

-- name: stand
UPDATE pmo_views.standing SET number = %s

-- name: next_build
SELECT nextval('pmo_views.build')

-- name: builds
SELECT CAST(substr(nspname, 12) AS BIGINT) FROM pg_namespace WHERE nspname ~ '^pmo_views_b[0-9]+$' ORDER BY 1

-- name: tables
SELECT relname FROM pg_class WHERE relnamespace = to_regnamespace(%s) AND relkind = 'r' ORDER BY relname COLLATE "C"

-- name: columns
SELECT attname FROM pg_attribute
JOIN pg_class ON pg_class.oid = attrelid
WHERE relnamespace = to_regnamespace(%s) AND relname = %s AND attnum > 0 AND NOT attisdropped
ORDER BY attnum

-- name: key
SELECT attname FROM pg_index
JOIN pg_class ON pg_class.oid = indrelid
CROSS JOIN LATERAL unnest(indkey) WITH ORDINALITY AS part (number, place)
JOIN pg_attribute ON attrelid = indrelid AND attnum = part.number
WHERE relnamespace = to_regnamespace(%s) AND relname = %s AND indisprimary
ORDER BY part.place
