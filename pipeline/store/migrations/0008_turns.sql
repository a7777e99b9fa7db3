-- The order in which tasks wait, how their attempts ended, and whether they bring down the daemon.

ALTER TABLE task ADD COLUMN turn INTEGER NOT NULL DEFAULT 0;      -- place in the waiting order; a retry takes a new one
ALTER TABLE task ADD COLUMN host TEXT NOT NULL DEFAULT '';        -- of the media, to leave a host alone that asks for it
ALTER TABLE task ADD COLUMN faults TEXT NOT NULL DEFAULT '[]';    -- JSON, how many attempts each kind of fault has ended
ALTER TABLE task ADD COLUMN at_work INTEGER NOT NULL DEFAULT 0;   -- 1: a worker is at it and has stored nothing since
ALTER TABLE task ADD COLUMN blame REAL NOT NULL DEFAULT 0;        -- its share in deaths of the daemon since it last got on

UPDATE task SET turn = number;
CREATE TABLE turn_counter (
    one  INTEGER PRIMARY KEY CHECK (one = 1),
    last INTEGER NOT NULL
) STRICT;
INSERT INTO turn_counter SELECT 1, coalesce(max(number), 0) FROM task;

DROP INDEX task_waiting;
CREATE INDEX task_waiting ON task (lane, priority DESC, turn)
    WHERE running_boot IS NULL AND status IN ('pending', 'processing', 'retrying');
DROP INDEX task_first_start;
CREATE INDEX task_first_start ON task (priority DESC, turn) WHERE status = 'pending';
CREATE INDEX task_at_work ON task (number) WHERE at_work = 1;
