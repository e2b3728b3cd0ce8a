-- The ledger, schema version 2. The file says so itself: application_id "PMO1", user_version.
PRAGMA application_id = 0x504D4F31;
PRAGMA user_version = 2;

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
    command_id     TEXT PRIMARY KEY,
    first_position INTEGER NOT NULL,
    count          INTEGER NOT NULL,
    fingerprint    BLOB    NOT NULL
) WITHOUT ROWID;

-- INSERT OR REPLACE removes rows without waking a DELETE trigger: so what is there is refused here.
CREATE TRIGGER events_are_added_at_the_end BEFORE INSERT ON events
WHEN NEW.position IS NOT 1 + (SELECT coalesce(max(position), 0) FROM events)
  OR EXISTS (SELECT 1 FROM events WHERE originator_id = NEW.originator_id
                                    AND originator_version = NEW.originator_version)
BEGIN SELECT RAISE(ABORT, 'the log is append-only: an event is added at the end, once'); END;

CREATE TRIGGER markers_are_added BEFORE INSERT ON command_markers
WHEN typeof(NEW.command_id) IS NOT 'text'
  OR EXISTS (SELECT 1 FROM command_markers WHERE command_id = NEW.command_id)
BEGIN SELECT RAISE(ABORT, 'the log is append-only: a command marker is added once'); END;

CREATE TRIGGER events_stay_as_written BEFORE UPDATE ON events
BEGIN SELECT RAISE(ABORT, 'the log is append-only: an event is never changed'); END;

CREATE TRIGGER events_stay BEFORE DELETE ON events
BEGIN SELECT RAISE(ABORT, 'the log is append-only: an event is never removed'); END;

CREATE TRIGGER markers_stay_as_written BEFORE UPDATE ON command_markers
BEGIN SELECT RAISE(ABORT, 'the log is append-only: a command marker is never changed'); END;

CREATE TRIGGER markers_stay BEFORE DELETE ON command_markers
BEGIN SELECT RAISE(ABORT, 'the log is append-only: a command marker is never removed'); END;
