-- Commands are known by their ids, no longer by a hash of them (docs/adr/0030-commands-by-their-ids.md).

-- Rows that were written by hand: one command wrote each event. Of several rows at one, the others keep their hash.
CREATE TEMP TABLE strays ON COMMIT DROP AS
SELECT marker FROM (
    SELECT marker, row_number() OVER (PARTITION BY first_position ORDER BY count DESC, marker) AS place
    FROM pmo_log.command_markers
) AS placed
WHERE place > 1;

-- Every event names its command. Where one cannot be read, the hash stays, for `pmo verify` to tell of.
CREATE FUNCTION pg_temp.command_at(first bigint, marker bytea) RETURNS text
LANGUAGE plpgsql
AS $$
BEGIN
    RETURN coalesce(
        (SELECT convert_from(state, 'UTF8')::json ->> 'command_id' FROM pmo_log.events
         WHERE position = first AND NOT EXISTS (SELECT FROM pg_temp.strays WHERE strays.marker = command_at.marker)),
        encode(marker, 'hex')
    );
EXCEPTION WHEN data_exception THEN
    RETURN encode(marker, 'hex');
END
$$;

ALTER TABLE pmo_log.command_markers
    ALTER COLUMN marker TYPE text COLLATE "C" USING pg_temp.command_at(first_position, marker);
ALTER TABLE pmo_log.command_markers RENAME COLUMN marker TO command_id;

DROP FUNCTION pg_temp.command_at;

-- As it was, but for the ids.
CREATE FUNCTION pmo_log.append(
    after    bigint,
    streams  text[], versions bigint[], topics text[], states bytea[], chains bytea[],
    commands text[], firsts bigint[], counts integer[], fingerprints bytea[]
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
    INSERT INTO pmo_log.command_markers SELECT * FROM unnest(commands, firsts, counts, fingerprints);
    PERFORM pg_notify('pmo_log', (after + cardinality(streams))::text);
    RETURN true;
END
$$;
REVOKE ALL ON FUNCTION pmo_log.append(
    bigint, text[], bigint[], text[], bytea[], bytea[], text[], bigint[], integer[], bytea[]
) FROM PUBLIC;

-- Who might call the one before may call this one.
DO $$
DECLARE
    admitted regrole;
BEGIN
    FOR admitted IN
        SELECT grantee::regrole FROM pg_proc, aclexplode(proacl)
        WHERE pronamespace = 'pmo_log'::regnamespace AND proname = 'append' AND pronargs = 10
          AND proargtypes[6] = 'bytea[]'::regtype AND grantee NOT IN (0, proowner)
    LOOP
        EXECUTE format(
            'GRANT EXECUTE ON FUNCTION pmo_log.append(bigint, text[], bigint[], text[], bytea[], bytea[],'
            ' text[], bigint[], integer[], bytea[]) TO %s',
            admitted
        );
    END LOOP;
END
$$;

DROP FUNCTION pmo_log.append(
    bigint, text[], bigint[], text[], bytea[], bytea[], bytea[], bigint[], integer[], bytea[]
);
