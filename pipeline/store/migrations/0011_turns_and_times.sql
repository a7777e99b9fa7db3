-- Whose turn it is: within a priority, owners are served in turns, one task each.
--
-- A task that begins to wait in a lane gets a turn there: one after the last turn of its owner's tasks in this lane,
-- and after the last turn that was served. Whoever comes new is so served next, not behind a stranger's thousand.

ALTER TABLE task ADD COLUMN turn INTEGER;            -- NULL in lanes that are not served in turns

CREATE TABLE turn_served (
    lane     TEXT NOT NULL CHECK (lane IN ('fetch', 'asr')),
    priority INTEGER NOT NULL,
    turn     INTEGER NOT NULL,                       -- the highest that a worker has taken
    PRIMARY KEY (lane, priority)
) STRICT, WITHOUT ROWID;

UPDATE task SET turn = line.turn
  FROM (SELECT id, row_number() OVER (PARTITION BY lane, priority, owner ORDER BY number) AS turn FROM task
         WHERE lane IN ('fetch', 'asr') AND status IN ('pending', 'processing', 'retrying')) AS line
 WHERE line.id = task.id;

DROP INDEX task_waiting;
CREATE INDEX task_waiting ON task (lane, priority DESC, turn, number)
    WHERE running_boot IS NULL AND status IN ('pending', 'processing', 'retrying');
DROP INDEX task_first_start;
CREATE INDEX task_first_start ON task (priority DESC, turn, number) WHERE status = 'pending';
CREATE INDEX task_turn ON task (lane, priority, owner, turn) WHERE status IN ('pending', 'processing', 'retrying');

---------------------------------------------------------------------------------------------------
-- How long things take and how many there are, so that showing it reads no whole table.

CREATE TABLE duration (
    what    TEXT PRIMARY KEY,                        -- a stage, or "task": from acceptance to completion
    count   INTEGER NOT NULL,
    total_s REAL NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX task_ended ON task (status) WHERE status IN ('completed', 'failed', 'cancelled', 'timeout');
