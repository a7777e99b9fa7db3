-- Who waits for a device with which model, who is where, how it stands with the devices, and what models take there.

ALTER TABLE task ADD COLUMN model TEXT NOT NULL DEFAULT '';   -- of its options
UPDATE task SET model = options ->> '$.model';
CREATE INDEX task_for_device ON task (model, priority DESC, turn, number)
    WHERE lane = 'asr' AND running_boot IS NULL AND status IN ('pending', 'processing', 'retrying');

ALTER TABLE task ADD COLUMN device TEXT;             -- where it was last placed
ALTER TABLE task ADD COLUMN placed_at REAL;

-- The latest reading of each device; NULL where it cannot be told.
ALTER TABLE device ADD COLUMN memory_used_mb INTEGER;
ALTER TABLE device ADD COLUMN memory_total_mb INTEGER;   -- as read; of a CPU, the machine's
ALTER TABLE device ADD COLUMN utilization REAL;          -- percent
ALTER TABLE device ADD COLUMN temperature REAL;          -- degrees Celsius
ALTER TABLE device ADD COLUMN fault TEXT;                -- why it is out of service; NULL: it serves
ALTER TABLE device ADD COLUMN read_at REAL;

-- The most memory that a process with one model was seen to take, and the most chunks it had decoded together.
CREATE TABLE memory_peak (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    device       TEXT NOT NULL,                      -- by its name: another card in its place is another device
    model        TEXT NOT NULL,
    compute_type TEXT NOT NULL,
    items        INTEGER NOT NULL,
    mb           INTEGER NOT NULL,
    at           REAL NOT NULL
) STRICT;
CREATE INDEX memory_peak_of ON memory_peak (device, model, compute_type, id);

---------------------------------------------------------------------------------------------------
-- Views that have something to show now.

DROP VIEW task_queue;
CREATE VIEW task_queue AS
SELECT number AS id,
       id AS task_id,
       priority,
       strftime('%Y-%m-%dT%H:%M:%fZ', created_at, 'unixepoch') AS created_at,
       CASE WHEN lane = 'asr' AND running_boot IS NOT NULL THEN device END AS assigned_gpu,
       CASE WHEN lane = 'asr' AND running_boot IS NOT NULL
            THEN strftime('%Y-%m-%dT%H:%M:%fZ', placed_at, 'unixepoch') END AS assigned_at
  FROM task
 WHERE status IN ('pending', 'processing', 'retrying');

DROP VIEW gpu_status;
CREATE VIEW gpu_status AS
SELECT id AS gpu_id,
       name AS device_name,
       coalesce(memory_total_mb, memory_mb) AS memory_total,  -- MiB, as the next two
       memory_used_mb AS memory_used,
       memory_total_mb - memory_used_mb AS memory_free,
       utilization,
       temperature,
       fault IS NULL AS is_available,
       (SELECT task.id FROM task
         WHERE task.device = device.id AND task.lane = 'asr' AND task.running_boot IS NOT NULL
           AND task.status = 'processing'
         ORDER BY task.placed_at DESC LIMIT 1) AS current_task_id
  FROM device;
