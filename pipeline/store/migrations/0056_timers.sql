-- When the machine was started, by its clock as the first daemon since then found it; see _timers.py.
CREATE TABLE counted_from (
    only_one   INTEGER PRIMARY KEY CHECK (only_one = 1),
    machine    TEXT NOT NULL,                        -- the name of that start; empty if it has none
    started_at REAL NOT NULL
) STRICT;
