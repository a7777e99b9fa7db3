-- How many tasks wait for a transcript, counted as they change: a new one is let in by this number, and must not have to
-- wait until thousands of rows are counted.

ALTER TABLE task ADD COLUMN takes_room INTEGER
    GENERATED ALWAYS AS (sequence IS NULL AND status IN ('pending', 'processing', 'retrying')) VIRTUAL;

CREATE TABLE unfinished (
    only_one INTEGER PRIMARY KEY CHECK (only_one = 1),
    count    INTEGER NOT NULL
) STRICT;
INSERT INTO unfinished SELECT 1, count(*) FROM task WHERE takes_room;

CREATE TRIGGER task_added AFTER INSERT ON task WHEN new.takes_room
BEGIN UPDATE unfinished SET count = count + 1; END;
CREATE TRIGGER task_changed AFTER UPDATE OF status, sequence ON task WHEN new.takes_room <> old.takes_room
BEGIN UPDATE unfinished SET count = count + new.takes_room - old.takes_room; END;
CREATE TRIGGER task_removed AFTER DELETE ON task WHEN old.takes_room
BEGIN UPDATE unfinished SET count = count - 1; END;

DROP INDEX task_unfinished;
