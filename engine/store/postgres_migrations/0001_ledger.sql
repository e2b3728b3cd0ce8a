-- The ledger on PostgreSQL: the same columns, positions, bytes and chain as in ledger.sql.

CREATE SCHEMA IF NOT EXISTS pmo_log;

CREATE TABLE pmo_log.schema_version (
    version integer     PRIMARY KEY,
    made_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE pmo_log.events (
    position           bigint PRIMARY KEY,         -- dense from 1: assigned under the lock, by no sequence
    originator_id      text   NOT NULL COLLATE "C", -- the stream
    originator_version bigint NOT NULL,
    topic              text   NOT NULL,            -- the stored type
    state              bytea  NOT NULL,            -- canonical JSON
    chain              bytea  NOT NULL,            -- see engine/store/chain.py
    UNIQUE (originator_id, originator_version)
);

-- What each command did, so that a command sent twice has one effect.
CREATE TABLE pmo_log.command_markers (
    marker         bytea   PRIMARY KEY,
    first_position bigint  NOT NULL,
    count          integer NOT NULL,
    fingerprint    bytea   NOT NULL
);

-- The one lock under which events are added, until the end of the transaction: so the order of positions
-- is the order of commits, and no reader can pass a position that is still to come.
CREATE FUNCTION pmo_log.lock() RETURNS void
LANGUAGE sql
AS $$ SELECT pg_catalog.pg_advisory_xact_lock(1347243825, 1) $$;

-- Adds events after a position, and the markers of their commands; false, and nothing, if that position is
-- not the last any more: then what was judged by it has to be judged again. It runs with its owner's rights:
-- a role that may call it needs no right to insert, and cannot forget the lock.
CREATE FUNCTION pmo_log.append(
    after    bigint,
    streams  text[], versions bigint[], topics text[], states bytea[], chains bytea[],
    markers  bytea[], firsts bigint[], counts integer[], fingerprints bytea[]
) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM pmo_log.lock();
    IF after <> (SELECT coalesce(max(position), 0) FROM pmo_log.events) THEN
        RETURN false;
    END IF;
    IF cardinality(streams) > 0 THEN
        INSERT INTO pmo_log.events
        SELECT after + n, stream, version, topic, state, chain
        FROM unnest(streams, versions, topics, states, chains)
             WITH ORDINALITY AS added (stream, version, topic, state, chain, n);
    END IF;
    INSERT INTO pmo_log.command_markers SELECT * FROM unnest(markers, firsts, counts, fingerprints);
    PERFORM pg_notify('pmo_log', (after + cardinality(streams))::text);
    RETURN true;
END
$$;

CREATE FUNCTION pmo_log.refuse_gaps() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    first bigint;
    last  bigint;
    many  bigint;
BEGIN
    SELECT min(position), max(position), count(*) INTO first, last, many FROM added;
    IF many > 0 AND (
        many <> last - first + 1
        OR last <> (SELECT max(position) FROM pmo_log.events)
        OR first <> 1 + coalesce((SELECT max(position) FROM pmo_log.events WHERE position < first), 0)
    ) THEN
        RAISE EXCEPTION 'the log is append-only: an event is added at the end, once';
    END IF;
    RETURN NULL;
END
$$;

CREATE FUNCTION pmo_log.refuse_changes() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RAISE EXCEPTION 'the log is append-only: % is never changed or removed',
        CASE TG_TABLE_NAME WHEN 'events' THEN 'an event' ELSE 'a command marker' END;
END
$$;

CREATE TRIGGER events_are_added_at_the_end AFTER INSERT ON pmo_log.events
REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION pmo_log.refuse_gaps();

CREATE TRIGGER events_stay_as_written BEFORE DELETE OR UPDATE OR TRUNCATE ON pmo_log.events
FOR EACH STATEMENT EXECUTE FUNCTION pmo_log.refuse_changes();

CREATE TRIGGER markers_stay_as_written BEFORE DELETE OR UPDATE OR TRUNCATE ON pmo_log.command_markers
FOR EACH STATEMENT EXECUTE FUNCTION pmo_log.refuse_changes();

-- Else a session that says it replicates would not wake them.
ALTER TABLE pmo_log.events ENABLE ALWAYS TRIGGER events_are_added_at_the_end;
ALTER TABLE pmo_log.events ENABLE ALWAYS TRIGGER events_stay_as_written;
ALTER TABLE pmo_log.command_markers ENABLE ALWAYS TRIGGER markers_stay_as_written;

-- Lets a role read the ledger and append to it, and nothing else. For the ledger's owner to call.
CREATE FUNCTION pmo_log.admit(role name) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    EXECUTE format('GRANT USAGE ON SCHEMA pmo_log TO %I', role);
    EXECUTE format(
        'GRANT SELECT ON pmo_log.events, pmo_log.command_markers, pmo_log.schema_version TO %I', role
    );
    EXECUTE format('GRANT EXECUTE ON FUNCTION pmo_log.lock, pmo_log.append TO %I', role);
END
$$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA pmo_log FROM PUBLIC;
