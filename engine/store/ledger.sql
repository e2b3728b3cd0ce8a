-- The ledger, schema version 1. The file says so itself: application_id "PMO1", user_version.
PRAGMA application_id = 0x504D4F31;
PRAGMA user_version = 1;

CREATE TABLE events (
    position           INTEGER PRIMARY KEY,   -- dense from 1: assigned under the write lock, never by SQLite
    originator_id      TEXT    NOT NULL,      -- the stream
    originator_version INTEGER NOT NULL,
    topic              TEXT    NOT NULL,      -- the stored type
    state              BLOB    NOT NULL,      -- canonical JSON
    chain              BLOB    NOT NULL,      -- see engine/store/chain.py
    UNIQUE (originator_id, originator_version)
);

-- What each command did, so that a command sent twice has one effect.
CREATE TABLE command_markers (
    marker         BLOB PRIMARY KEY,
    first_position INTEGER NOT NULL,
    count          INTEGER NOT NULL,
    fingerprint    BLOB    NOT NULL
) WITHOUT ROWID;

CREATE TRIGGER events_stay_as_written BEFORE UPDATE ON events
BEGIN SELECT RAISE(ABORT, 'the log is append-only: an event is never changed'); END;

CREATE TRIGGER events_stay BEFORE DELETE ON events
BEGIN SELECT RAISE(ABORT, 'the log is append-only: an event is never removed'); END;

CREATE TRIGGER markers_stay_as_written BEFORE UPDATE ON command_markers
BEGIN SELECT RAISE(ABORT, 'the log is append-only: a command marker is never changed'); END;

CREATE TRIGGER markers_stay BEFORE DELETE ON command_markers
BEGIN SELECT RAISE(ABORT, 'the log is append-only: a command marker is never removed'); END;
