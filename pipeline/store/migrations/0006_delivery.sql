-- Delivery that outlives long outages and is paced across restarts; files in place of many messages.

ALTER TABLE message ADD COLUMN content TEXT;         -- of a file: what is in it, frozen as its name, the text, is
ALTER TABLE message ADD COLUMN doubted INTEGER NOT NULL DEFAULT 0;  -- whether it was ever in doubt
ALTER TABLE message ADD COLUMN refused_s REAL NOT NULL DEFAULT 0;   -- how long it was refused while a daemon ran
ALTER TABLE run ADD COLUMN continues INTEGER REFERENCES run (id) ON DELETE CASCADE;  -- the run whose rest it is
CREATE INDEX run_rest ON run (continues) WHERE continues IS NOT NULL;

-- Every request that was written to a robot, whatever became of it and of its message: the pace of the last minute.
CREATE TABLE written (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    robot    TEXT NOT NULL,
    at       REAL NOT NULL,
    uptime_s REAL NOT NULL,                          -- the machine's, which no setting of its clock changes
    machine  TEXT NOT NULL                           -- which start of the machine that counts from
) STRICT;
CREATE INDEX written_to ON written (robot, id);

INSERT INTO written (robot, at, uptime_s, machine)
SELECT robot, sending_at, 0, '' FROM message
 WHERE robot IS NOT NULL AND sending_at > (SELECT max(sending_at) - 60 FROM message)
 ORDER BY sending_at;
DROP INDEX message_written;
ALTER TABLE message DROP COLUMN sending_at;
