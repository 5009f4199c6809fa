"""The tables of the journal's SQLite file. Imports nothing."""

APPLICATION_ID = 0x45434A31  # "ECJ1", in the header of the file: what kind of database it is
VERSION = 2

SCHEMA = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE sources (
    id INTEGER PRIMARY KEY,
    source_id TEXT NOT NULL,
    source_key TEXT NOT NULL,
    session INTEGER NOT NULL DEFAULT 0,      -- the last one used
    seq INTEGER NOT NULL DEFAULT 0,          -- the last one used
    deleted_seq INTEGER NOT NULL DEFAULT 0,  -- the last one that retention has deleted
    state TEXT,
    UNIQUE (source_id, source_key)
);
CREATE TABLE tallies (  -- totals of a rule while its geometry stayed the same
    id INTEGER PRIMARY KEY,
    source INTEGER NOT NULL REFERENCES sources,
    rule_id TEXT NOT NULL,
    geometry TEXT NOT NULL,
    since_utc_s REAL,
    is_current INTEGER NOT NULL DEFAULT 1,
    count_in INTEGER NOT NULL DEFAULT 0,
    count_out INTEGER NOT NULL DEFAULT 0,
    by_class TEXT NOT NULL DEFAULT '{}',
    base_in INTEGER NOT NULL DEFAULT 0,   -- the part of count_in whose events are deleted
    base_out INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX tallies_of_rule ON tallies (source, rule_id);
CREATE TABLE events (
    position INTEGER PRIMARY KEY AUTOINCREMENT,  -- never used twice: sinks remember it
    event_id TEXT NOT NULL UNIQUE,
    source INTEGER NOT NULL REFERENCES sources,
    seq INTEGER NOT NULL,
    type TEXT NOT NULL,
    rule_id TEXT,
    at_unix_s REAL NOT NULL,  -- the event's own time if it is known, else when it came
    received_unix_s REAL NOT NULL,
    line TEXT NOT NULL
);
CREATE TABLE deltas (  -- what an event added to a tally
    position INTEGER NOT NULL,
    tally INTEGER NOT NULL REFERENCES tallies,
    count_in INTEGER NOT NULL,
    count_out INTEGER NOT NULL,
    PRIMARY KEY (position, tally)
) WITHOUT ROWID;
CREATE TABLE stays (  -- of live sources: zone_entered and overcrowding_started until they end
    source INTEGER NOT NULL REFERENCES sources,
    rule_id TEXT NOT NULL,
    track_uid TEXT NOT NULL,  -- '' of overcrowding
    line TEXT NOT NULL,
    PRIMARY KEY (source, rule_id, track_uid)
) WITHOUT ROWID;
CREATE TABLE forgotten (  -- deleted events of files, which a replay would bring again
    event_id TEXT PRIMARY KEY
) WITHOUT ROWID;
CREATE TABLE sinks (
    name TEXT PRIMARY KEY,
    position INTEGER NOT NULL DEFAULT 0,
    dropped INTEGER NOT NULL DEFAULT 0  -- events deleted before they were delivered
) WITHOUT ROWID;
CREATE TABLE dead_letters (
    sink TEXT NOT NULL,
    position INTEGER NOT NULL,
    event_id TEXT NOT NULL,
    line TEXT NOT NULL,
    reason TEXT NOT NULL,
    at_unix_s REAL NOT NULL,
    PRIMARY KEY (sink, position)
);
CREATE TABLE resets (  -- of live sources: tallies that a change ended, until counter_reset is told
    source INTEGER NOT NULL REFERENCES sources,
    rule_id TEXT NOT NULL,
    tally INTEGER NOT NULL REFERENCES tallies,
    PRIMARY KEY (source, rule_id)
) WITHOUT ROWID;
"""
SINCE_1 = SCHEMA[SCHEMA.index("CREATE TABLE resets") :]  # what version 1 lacks
