-- How the attempts of a task ended, whether it brings down the daemon, and whom it is fetched from.

ALTER TABLE task ADD COLUMN host TEXT NOT NULL DEFAULT '';        -- of the media, to leave a host alone that asks for it
ALTER TABLE task ADD COLUMN faults TEXT NOT NULL DEFAULT '[]';    -- JSON, how many attempts each kind of fault has ended
ALTER TABLE task ADD COLUMN at_work INTEGER NOT NULL DEFAULT 0;   -- 1: a worker is at it and has stored nothing since
ALTER TABLE task ADD COLUMN blame REAL NOT NULL DEFAULT 0;        -- its share in deaths of the daemon since it last got on

CREATE INDEX task_at_work ON task (number) WHERE at_work = 1;
