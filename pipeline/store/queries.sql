-- Every statement of the SQLite store, by name, in the order in which a task meets them.
-- Lists of ids come as JSON arrays. Conditions are spelled as the partial indexes spell them.
-- steady() and wall() are of _timers.py: what is counted from is stored by a time that no setting of the clock moves.

---------------------------------------------------------------------------------------------------
-- Reading tasks

-- name: load_tasks
SELECT task.*, wall(task.not_before) AS due,
       (SELECT json_group_object(name, json(data)) FROM artifact
         WHERE task_id = task.id AND name IN (SELECT value FROM json_each(:products))) AS artifacts
  FROM json_each(:ids) AS wanted JOIN task ON task.id = wanted.value
 ORDER BY wanted.key;

---------------------------------------------------------------------------------------------------
-- Counting time

-- name: counted_from
SELECT machine, started_at FROM counted_from;

-- name: count_from
INSERT INTO counted_from (only_one, machine, started_at) VALUES (1, :machine, :started_at)
ON CONFLICT (only_one) DO UPDATE SET machine = excluded.machine, started_at = excluded.started_at;

-- name: wait_no_longer
UPDATE task SET not_before = :latest WHERE status = 'retrying' AND not_before > :latest;

-- name: keep_no_longer
UPDATE request_key SET made_at = :now WHERE made_at > :now;

---------------------------------------------------------------------------------------------------
-- Accepting

-- name: same_work
SELECT id, status FROM task
 WHERE work_key = :work_key AND status NOT IN ('failed', 'cancelled', 'timeout')
   AND (status <> 'completed' OR sequence IS NOT NULL)  -- its text is still kept
 ORDER BY number DESC LIMIT 1;

-- name: count_unfinished
SELECT count FROM unfinished;

-- name: recall_request
SELECT body, accepted FROM request_key WHERE owner = :owner AND key = :key AND made_at > steady() - :life_s;

-- name: forget_requests
DELETE FROM request_key WHERE made_at <= steady() - :life_s;

-- name: remember_request
INSERT INTO request_key (owner, key, body, accepted, made_at) VALUES (:owner, :key, :body, :accepted, steady());

-- name: insert_task
INSERT INTO task (id, owner, work_key, client_ref, url, canonical, download_url, host, search, options, model, priority,
                  status, stage, lane, waiting_for, attempt, max_attempts, layers, warnings, failure,
                  created_at, started_at, updated_at, finished_at)
VALUES (:id, :owner, :work_key, :client_ref, :url, :canonical, :download_url, :host, :search, :options, :model, :priority,
        :status, :stage, :lane, :waiting_for, :attempt, :max_attempts, :layers, :warnings, :failure,
        :created_at, :started_at, :updated_at, :finished_at);

---------------------------------------------------------------------------------------------------
-- Moving

-- name: waiting_by_priority
SELECT id FROM task
 WHERE lane = :lane AND running_boot IS NULL AND status IN ('pending', 'processing', 'retrying')
   AND coalesce(not_before, 0) <= steady() AND host NOT IN (SELECT value FROM json_each(:hosts_left_alone))
 ORDER BY priority DESC, turn, number LIMIT :limit;

-- name: models_waiting
WITH RECURSIVE waiting (name) AS (
    SELECT min(model) FROM task INDEXED BY task_for_device
     WHERE lane = 'asr' AND running_boot IS NULL AND status IN ('pending', 'processing', 'retrying')
     UNION ALL
    SELECT (SELECT min(model) FROM task INDEXED BY task_for_device
             WHERE lane = 'asr' AND running_boot IS NULL AND status IN ('pending', 'processing', 'retrying')
               AND task.model > waiting.name)
      FROM waiting WHERE waiting.name IS NOT NULL
)
SELECT name FROM waiting WHERE name IS NOT NULL;

-- name: waiting_for_model
SELECT id, model, priority, faults, waiting_for, turn, number FROM task INDEXED BY task_for_device
 WHERE lane = 'asr' AND running_boot IS NULL AND status IN ('pending', 'processing', 'retrying')
   AND model = :model AND coalesce(not_before, 0) <= steady()
 ORDER BY priority DESC, turn, number LIMIT :limit;

-- name: note_placement
UPDATE task SET device = :device, placed_at = :now WHERE id = :id;

-- name: take_turn
UPDATE task
   SET turn = 1 + max(coalesce((SELECT served.turn FROM turn_served AS served
                                 WHERE served.lane = task.lane AND served.priority = task.priority), 0),
                      coalesce((SELECT max(mine.turn) FROM task AS mine
                                 WHERE mine.lane = task.lane AND mine.priority = task.priority
                                   AND mine.owner = task.owner
                                   AND mine.status IN ('pending', 'processing', 'retrying')), 0))
 WHERE id = :id AND turn IS NULL AND lane IN ('fetch', 'asr');

-- name: leave_turn
UPDATE task SET turn = NULL WHERE id = :id;

-- name: serve_turn
INSERT INTO turn_served (lane, priority, turn)
SELECT lane, priority, turn FROM task WHERE id = :id AND turn IS NOT NULL
ON CONFLICT (lane, priority) DO UPDATE SET turn = max(turn_served.turn, excluded.turn);

-- name: waiting_by_sequence
SELECT id FROM task
 WHERE lane = 'text' AND running_boot IS NULL AND status IN ('pending', 'processing', 'retrying')
   AND coalesce(not_before, 0) <= steady() AND sequence > :after
   -- Nobody overtakes a transcript that is stored but still in the hands of the worker that made it.
   AND NOT EXISTS (SELECT 1 FROM task AS earlier
                    WHERE earlier.running_boot IS NOT NULL AND earlier.sequence < task.sequence
                      AND earlier.lane = 'text' AND earlier.stage IN ('captions', 'download', 'decode', 'transcribe'))
 ORDER BY sequence LIMIT :limit;

-- name: waiting_one
SELECT id FROM task
 WHERE id = :id AND lane = :lane AND running_boot IS NULL AND status IN ('pending', 'processing', 'retrying')
   AND coalesce(not_before, 0) <= steady();

-- name: next_due
SELECT wall(min(not_before)) FROM task WHERE status = 'retrying';

-- name: update_task
UPDATE task
   SET status = :status, stage = :stage, waiting_for = :waiting_for, attempt = :attempt,
       not_before = steady() + (:not_before - :updated_at), layers = :layers, warnings = :warnings, failure = :failure, faults = :faults, blame = :blame,
       started_at = :started_at, updated_at = :updated_at, finished_at = :finished_at,
       running_boot = :running_boot, at_work = 0,
       percent = CASE WHEN :status = 'completed' THEN 100.0 ELSE percent END
 WHERE id = :id AND status = :expected;

-- name: number_again
UPDATE task SET sequence = :sequence WHERE id = :id;

-- name: boot_of
SELECT running_boot FROM task WHERE id = :id;

-- name: release
UPDATE task SET running_boot = NULL, at_work = 0 WHERE id = :id;

-- name: share_blame
UPDATE task
   SET at_work = 0,
       blame = blame + 1.0 / (SELECT count(*) FROM task AS other WHERE other.at_work = 1 AND other.running_boot <> :boot_id)
 WHERE at_work = 1 AND running_boot <> :boot_id;

-- name: orphans
SELECT id FROM task
 WHERE running_boot IS NOT NULL AND running_boot <> :boot_id
 ORDER BY number;

---------------------------------------------------------------------------------------------------
-- Working

-- name: enter_stage
UPDATE task SET stage = :stage, percent = max(percent, :percent), waiting_for = NULL, updated_at = :now
 WHERE id = :id AND status = 'processing';

-- name: begin_work
UPDATE task SET at_work = 1 WHERE id = :id AND status = 'processing';

-- name: note_gain
UPDATE task SET at_work = 0, blame = 0 WHERE id = :id AND (at_work = 1 OR blame > 0);

-- name: wait_for
UPDATE task SET waiting_for = :waiting_for, updated_at = :now
 WHERE id = :id AND running_boot IS NULL AND status IN ('pending', 'processing', 'retrying')
   AND waiting_for IS NOT :waiting_for;

-- name: keep_product
INSERT INTO artifact (task_id, name, data, made_at)
SELECT id, :name, :data, :now FROM task WHERE id = :id
ON CONFLICT (task_id, name) DO NOTHING;

-- name: number_transcript
UPDATE transcript_counter SET last = last + 1 RETURNING last;

-- name: note_product
UPDATE task
   SET sequence = coalesce(:sequence, sequence), layers = :layers, warnings = :warnings, search = :search,
       turn = CASE WHEN lane = :lane THEN turn END, lane = :lane, updated_at = :now
 WHERE id = :id;

-- name: drop_products
DELETE FROM artifact WHERE task_id = :id AND name IN (SELECT value FROM json_each(:products));

-- name: drop_segments
DELETE FROM segment WHERE task_id = :id;

-- name: drop_transcript
UPDATE task SET sequence = NULL, heard_language = NULL WHERE id = :id;

-- name: begin_again
UPDATE task SET percent = CASE WHEN percent < 100 THEN percent ELSE 0 END, reading = NULL, listed = 1
 WHERE id = :id;

-- name: place
UPDATE task
   SET turn = CASE WHEN lane = :lane THEN turn END, lane = :lane, percent = max(percent, :percent)
 WHERE id = :id;

-- name: keep_segment
INSERT INTO segment (task_id, id, start_s, end_s, text, words)
SELECT id, :segment, :start_s, :end_s, :text, :words FROM task WHERE id = :task_id
ON CONFLICT (task_id, id) DO NOTHING;

-- name: note_language
UPDATE task SET heard_language = coalesce(heard_language, :language) WHERE id = :id;

-- name: segments
SELECT id, start_s, end_s, text, words FROM segment WHERE task_id = :task_id ORDER BY id;

-- name: spend
UPDATE task SET prompt_tokens = prompt_tokens + :prompt_tokens,
                completion_tokens = completion_tokens + :completion_tokens
 WHERE id = :id;

-- name: keep_reply
INSERT INTO reply (task_id, key, model, text)
SELECT id, :key, :model, :text FROM task WHERE id = :id
ON CONFLICT (task_id, key) DO NOTHING;

-- name: reply
SELECT model, text FROM reply WHERE task_id = :id AND key = :key;

-- name: forget_replies
DELETE FROM reply WHERE task_id = :id;

-- name: note_progress
UPDATE task SET percent = max(percent, :percent), reading = :reading, updated_at = :now
 WHERE id = :id AND status = 'processing';

---------------------------------------------------------------------------------------------------
-- Delivering

-- name: is_unfinished
SELECT 1 FROM task WHERE id = :id AND status IN ('pending', 'processing', 'retrying');

-- name: insert_run
INSERT INTO run (task_id, robot, made_at) VALUES (:task_id, :robot, :now) RETURNING id;

-- name: insert_message
INSERT INTO message (run_id, robot, number, total, kind, format, text, content, bytes, state, changed_at)
VALUES (:run_id, :robot, :number, :total, :kind, :format, :text, :content, :bytes, 'planned', :now);

-- name: begun_runs
SELECT max(run.id) AS id, run.robot
  FROM run JOIN message ON message.run_id = run.id
 WHERE run.task_id = :task_id AND message.state <> 'planned'
 GROUP BY coalesce(run.continues, run.id)
HAVING count(message.number) > 0
   AND sum(message.number = message.total AND message.state IN ('sent', 'refused')) = 0
   AND sum(message.kind = 'notice' AND message.state <> 'in_doubt') = 0; -- closed by an earlier cancel

-- name: drop_unsent
DELETE FROM message
 WHERE state IN ('planned', 'in_doubt') AND run_id IN (SELECT id FROM run WHERE task_id = :task_id);

-- name: drop_empty_runs
DELETE FROM run WHERE task_id = :task_id AND NOT EXISTS (SELECT 1 FROM message WHERE run_id = run.id);

-- name: latest_runs
SELECT max(coalesce(continues, id)) AS id, robot FROM run
 WHERE task_id = :task_id AND EXISTS (SELECT 1 FROM message WHERE run_id = run.id AND number IS NOT NULL)
 GROUP BY robot;

-- name: copy_messages
INSERT INTO message (run_id, robot, number, total, kind, format, text, content, bytes, state, changed_at)
SELECT :run_id, message.robot, number, total, kind, format, text, content, bytes, 'planned', :now
  FROM run JOIN message ON message.run_id = run.id
 WHERE run.task_id = :task_id AND coalesce(run.continues, run.id) = :from_run AND number IS NOT NULL
 ORDER BY number;

-- name: run_of_planned
SELECT run_id FROM message WHERE id = :id AND state = 'planned';

-- name: insert_rest
INSERT INTO run (task_id, robot, made_at, continues)
SELECT task_id, robot, :now, coalesce(continues, id) FROM run WHERE id = :run_id
RETURNING id, robot;

-- name: copy_planned
INSERT INTO message (run_id, robot, number, total, kind, format, text, content, bytes, state, changed_at)
SELECT :rest_id, robot, number, total, kind, format, text, content, bytes, state, :now
  FROM message WHERE run_id = :run_id AND state = 'planned'
 ORDER BY id;

-- name: drop_planned
DELETE FROM message WHERE run_id = :run_id AND state = 'planned';

-- name: lanes
SELECT robot, count(*) AS unsent FROM message
 WHERE state IN ('planned', 'sending', 'in_doubt')
 GROUP BY robot ORDER BY min(run_id);

-- name: next_message
SELECT message.*, run.task_id,
       NOT EXISTS (SELECT 1 FROM message AS other WHERE other.run_id = run.id AND other.state <> 'planned')
       AS begins_run,
       EXISTS (SELECT 1 FROM message AS other
                WHERE other.robot IS :robot AND other.state IN ('planned', 'sending', 'in_doubt')
                  AND other.run_id > message.run_id) AS holds_up
  FROM message JOIN run ON run.id = message.run_id
 WHERE message.robot IS :robot AND message.state IN ('planned', 'sending', 'in_doubt')
 ORDER BY message.run_id, message.id LIMIT 1;

-- name: mark_message
UPDATE message
   SET state = :state, why = :why, changed_at = :now,
       attempts = attempts + (:state = 'sending'),
       doubted = doubted OR :state = 'in_doubt',
       refused_s = refused_s + :refused_s,
       sent_at = CASE WHEN :state = 'sent' THEN :now ELSE sent_at END
 WHERE id = :id AND state = :expected;

-- name: note_write
INSERT INTO written (robot, at, uptime_s, machine) VALUES (:robot, :at, :uptime_s, :machine) RETURNING id;

-- name: forget_writes
DELETE FROM written WHERE robot = :robot AND id <= :last_id;

-- name: recent_writes
SELECT id, at, uptime_s, machine FROM written WHERE robot = :robot ORDER BY id;

-- name: doubt_unfinished_sends
UPDATE message SET state = 'in_doubt', doubted = 1, changed_at = :now
 WHERE state IN ('planned', 'sending', 'in_doubt') AND state = 'sending' AND robot IS NOT NULL;

-- name: plan_unfinished_inbox
UPDATE message SET state = 'planned', changed_at = :now
 WHERE state IN ('planned', 'sending', 'in_doubt') AND state = 'sending' AND robot IS NULL;

-- name: delivered
SELECT id FROM task
 WHERE lane = 'deliver' AND status = 'processing' AND running_boot IS NULL
   AND NOT EXISTS (SELECT 1 FROM run JOIN message ON message.run_id = run.id
                    WHERE run.task_id = task.id AND message.state IN ('planned', 'sending', 'in_doubt')
                      AND (message.robot IS NULL
                           OR message.robot NOT IN (SELECT value FROM json_each(:paused))))
 ORDER BY number;

-- name: deliveries
SELECT run.task_id AS id,
       max(message.state IN ('planned', 'sending', 'in_doubt')) AS held,
       max(message.state = 'refused') AS refused,
       max(message.doubted) AS doubted
  FROM run JOIN message ON message.run_id = run.id
 WHERE run.task_id IN (SELECT value FROM json_each(:ids))
 GROUP BY run.task_id;

-- name: late_task
SELECT task.id FROM message JOIN run ON run.id = message.run_id JOIN task ON task.id = run.task_id
 WHERE message.id = :id AND task.status = 'completed';

-- name: keep_warnings
UPDATE task SET warnings = :warnings, updated_at = :now WHERE id = :id AND warnings <> :warnings;

---------------------------------------------------------------------------------------------------
-- Showing

-- name: task_of_owner
SELECT id FROM task WHERE id = :id AND owner = :owner;

-- name: page
SELECT id, number FROM task
 WHERE owner = :owner AND listed = 1 AND number < :before
   AND (:status IS NULL OR status = :status)
   AND (:since IS NULL OR created_at >= :since)
   AND (:q IS NULL OR instr(search, :q) > 0)
 ORDER BY number DESC LIMIT :limit;

-- name: position
SELECT mine.id,
       1 + (SELECT count(*) FROM task WHERE status = 'pending' AND priority > mine.priority)
         + (SELECT count(*) FROM task
             WHERE status = 'pending' AND priority = mine.priority AND (turn, number) < (mine.turn, mine.number))
       AS position
  FROM json_each(:ids) AS wanted JOIN task AS mine ON mine.id = wanted.value
 WHERE mine.status = 'pending';

-- name: positions
SELECT id, position
  FROM (SELECT id, row_number() OVER (ORDER BY priority DESC, turn, number) AS position
          FROM task WHERE status = 'pending')
 WHERE id IN (SELECT value FROM json_each(:ids));

-- name: message_figures
SELECT run.task_id AS id,
       sum(message.state = 'sent') AS sent,
       sum(message.state IN ('planned', 'sending', 'in_doubt')) AS pending,
       sum(message.state = 'refused') AS refused
  FROM run JOIN message ON message.run_id = run.id
 WHERE run.task_id IN (SELECT value FROM json_each(:ids))
 GROUP BY run.task_id;

-- name: messages_of_task
SELECT message.* FROM run JOIN message ON message.run_id = run.id
 WHERE run.task_id = :task_id
 ORDER BY run.id, message.id;

---------------------------------------------------------------------------------------------------
-- Keeping, and forgetting what is old or no longer wanted

-- name: delete_task
DELETE FROM task WHERE id = :id AND status IN ('completed', 'failed', 'cancelled', 'timeout');

-- name: outdated_tasks
SELECT id FROM task
 WHERE finished_at < :tasks_before AND running_boot IS NULL
   AND (sequence IS NULL OR finished_at < :texts_before)
   AND NOT EXISTS (SELECT 1 FROM run JOIN message ON message.run_id = run.id
                    WHERE run.task_id = task.id AND message.state IN ('planned', 'sending', 'in_doubt'))
 ORDER BY finished_at LIMIT :limit;

-- name: outdated_texts
SELECT id FROM task
 WHERE finished_at < :texts_before AND running_boot IS NULL AND sequence IS NOT NULL
   AND NOT EXISTS (SELECT 1 FROM run JOIN message ON message.run_id = run.id
                    WHERE run.task_id = task.id AND message.state IN ('planned', 'sending', 'in_doubt'))
 ORDER BY finished_at LIMIT :limit;

-- name: drop_text
DELETE FROM artifact WHERE task_id = :id AND name <> 'media';

-- name: drop_runs
DELETE FROM run WHERE task_id = :id;

-- name: unlist_outdated
UPDATE task SET listed = 0
 WHERE id IN (SELECT id FROM task
               WHERE finished_at < :tasks_before AND running_boot IS NULL AND listed = 1 AND sequence IS NOT NULL
                 AND NOT EXISTS (SELECT 1 FROM run JOIN message ON message.run_id = run.id
                                  WHERE run.task_id = task.id AND message.state IN ('planned', 'sending', 'in_doubt'))
               ORDER BY finished_at LIMIT :limit);

-- name: free_pages
PRAGMA freelist_count;

-- name: give_pages_back
PRAGMA incremental_vacuum(256);

-- name: forget_devices
DELETE FROM device;

-- name: note_device
INSERT INTO device (id, name, memory_mb, found_at) VALUES (:id, :name, :memory_mb, :now);

-- name: note_reading
UPDATE device
   SET memory_total_mb = :memory_mb, memory_used_mb = :used_mb, utilization = :utilization, temperature = :temperature,
       fault = :fault, read_at = :now
 WHERE id = :device;

-- name: note_peak
INSERT INTO memory_peak (device, model, compute_type, items, mb, at)
VALUES (:device, :model, :compute_type, :items, :mb, :now);

-- name: forget_peaks
DELETE FROM memory_peak
 WHERE device = :device AND model = :model AND compute_type = :compute_type
   AND id <= (SELECT id FROM memory_peak
               WHERE device = :device AND model = :model AND compute_type = :compute_type
               ORDER BY id DESC LIMIT 1 OFFSET :keep);

-- name: peaks
SELECT device, model, compute_type, items, mb FROM memory_peak ORDER BY id;

---------------------------------------------------------------------------------------------------
-- Counting. A task that TEXT has taken runs only from its first stage on; until then it waits for its turn.

-- name: note_duration
INSERT INTO duration (what, count, total_s) VALUES (:what, 1, :took_s)
ON CONFLICT (what) DO UPDATE SET count = count + 1, total_s = total_s + excluded.total_s;

-- name: durations
SELECT what, count, total_s FROM duration;

-- name: ended_figures
SELECT status, count(*) AS count FROM task WHERE status IN ('completed', 'failed', 'cancelled', 'timeout')
 GROUP BY status;

-- name: count_prepared
SELECT count(*) FROM task INDEXED BY task_waiting
 WHERE lane = 'asr' AND running_boot IS NULL AND status IN ('pending', 'processing', 'retrying');

-- name: lane_figures
SELECT lane, status,
       sum(running_boot IS NULL OR (lane = 'text' AND waiting_for IS NOT NULL)) AS waiting,
       count(*) AS count, min(created_at) AS oldest_at
  FROM task WHERE status IN ('pending', 'processing', 'retrying')
 GROUP BY lane, status;

-- name: model_figures
SELECT lane, model,
       sum(running_boot IS NULL OR (lane = 'text' AND waiting_for IS NOT NULL)) AS waiting,
       count(*) AS count
  FROM task WHERE status IN ('pending', 'processing', 'retrying')
 GROUP BY 1, 2 ORDER BY 2;

-- name: standing
SELECT task.id, task.lane, place.position, task.model, task.priority, task.waiting_for
  FROM (SELECT id, owner, row_number() OVER (PARTITION BY lane ORDER BY priority DESC, turn, number) AS position
          FROM task
         WHERE lane IN ('fetch', 'asr') AND running_boot IS NULL AND status IN ('pending', 'processing', 'retrying')
         UNION ALL
        SELECT id, owner, row_number() OVER (ORDER BY sequence)
          FROM task
         WHERE lane = 'text' AND status IN ('pending', 'processing', 'retrying')
           AND (running_boot IS NULL OR waiting_for IS NOT NULL)
         UNION ALL
        SELECT id, owner, NULL
          FROM task
         WHERE running_boot IS NOT NULL AND status IN ('pending', 'processing', 'retrying')
           AND (lane <> 'text' OR waiting_for IS NULL)) AS place
  JOIN task ON task.id = place.id
 WHERE place.owner = :owner
 ORDER BY CASE task.lane WHEN 'fetch' THEN 1 WHEN 'asr' THEN 2 ELSE 3 END, place.position LIMIT :limit;
