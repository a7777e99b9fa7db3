-- For how long what is kept, which devices there are, and the tables of the systems this one unites.

-- Whether lists show it: 0 once it is older than storage.task_days, and only its text is still kept.
ALTER TABLE task ADD COLUMN listed INTEGER NOT NULL DEFAULT 1 CHECK (listed IN (0, 1));

DROP INDEX task_of_owner;
CREATE INDEX task_of_owner ON task (owner, number) WHERE listed = 1;
CREATE INDEX task_finished ON task (finished_at) WHERE finished_at IS NOT NULL AND running_boot IS NULL;

-- The devices that the latest start of the daemon found.
CREATE TABLE device (
    id        TEXT PRIMARY KEY,                      -- cpu, cuda:N
    name      TEXT NOT NULL,
    memory_mb INTEGER,                               -- NULL for a CPU, which has the machine's
    found_at  REAL NOT NULL
) STRICT;

---------------------------------------------------------------------------------------------------
-- Views, for people and programs with a database shell. Times are RFC 3339 in UTC.

CREATE VIEW tasks AS
SELECT id AS task_id,
       status,
       priority,
       strftime('%Y-%m-%dT%H:%M:%fZ', created_at, 'unixepoch') AS created_at,
       strftime('%Y-%m-%dT%H:%M:%fZ', started_at, 'unixepoch') AS started_at,
       strftime('%Y-%m-%dT%H:%M:%fZ', finished_at, 'unixepoch') AS completed_at,
       percent AS progress,
       failure ->> '$.message' AS error_message,
       NULL AS client_ip,                            -- not stored
       options ->> '$.language' AS source_lang,      -- NULL: what is heard decides
       NULL AS target_lang,                          -- of translations, which there are none of yet
       NULL AS via_eng,
       1 AS file_count,
       (SELECT data ->> '$.size_bytes' FROM artifact WHERE task_id = task.id AND name = 'file') AS total_file_size
  FROM task;

CREATE VIEW task_queue AS
SELECT number AS id,
       id AS task_id,
       priority,
       strftime('%Y-%m-%dT%H:%M:%fZ', created_at, 'unixepoch') AS created_at,
       NULL AS assigned_gpu,                         -- which device has it, is not stored yet
       NULL AS assigned_at
  FROM task
 WHERE status IN ('pending', 'processing', 'retrying');

CREATE VIEW gpu_status AS
SELECT id AS gpu_id,
       name AS device_name,
       memory_mb AS memory_total,                    -- MiB
       NULL AS memory_used,                          -- these four wait for a monitor that reads devices while they work
       NULL AS memory_free,
       NULL AS utilization,
       NULL AS temperature,
       1 AS is_available,
       NULL AS current_task_id
  FROM device;
