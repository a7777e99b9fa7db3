-- The first shape of the store.
--
-- Times are seconds since the epoch (UTC); columns marked JSON hold one value of pipeline.core.
-- Whatever has no order of its own is ordered by a number this file hands out, never by a clock.

CREATE TABLE task (
    number       INTEGER PRIMARY KEY AUTOINCREMENT,  -- order of acceptance: first come first served, cursor of lists
    id           TEXT NOT NULL UNIQUE,
    owner        TEXT NOT NULL,
    work_key     TEXT NOT NULL,                      -- equal for "the same work" of one owner
    client_ref   TEXT,
    url          TEXT NOT NULL,
    canonical    TEXT NOT NULL,
    search       TEXT NOT NULL,                      -- title and url in case-folded form, for lists
    options      TEXT NOT NULL,                      -- JSON
    priority     INTEGER NOT NULL CHECK (priority BETWEEN 1 AND 4),
    status       TEXT NOT NULL
                 CHECK (status IN ('pending', 'processing', 'retrying', 'completed', 'failed', 'cancelled', 'timeout')),
    stage        TEXT NOT NULL
                 CHECK (stage IN ('queued', 'captions', 'download', 'decode', 'transcribe', 'proofread', 'summarize',
                                  'translate', 'deliver', 'done')),
    lane         TEXT NOT NULL CHECK (lane IN ('fetch', 'asr', 'text', 'deliver')),  -- of the first missing product
    waiting_for  TEXT CHECK (waiting_for IN ('device', 'llm', 'delivery', 'disk', 'model')),
    running_boot TEXT,                               -- the boot of the daemon whose worker has it in hand
    attempt      INTEGER NOT NULL CHECK (attempt >= 1),
    max_attempts INTEGER NOT NULL,
    not_before   REAL,                               -- when a retrying task may start again
    sequence     INTEGER,                            -- place of its transcript among all: the order of the TEXT lane
    layers       TEXT NOT NULL,                      -- JSON
    warnings     TEXT NOT NULL,                      -- JSON
    failure      TEXT,                               -- JSON
    percent      REAL NOT NULL DEFAULT 0 CHECK (percent BETWEEN 0 AND 100),
    reading      TEXT,                               -- JSON, the latest measurement
    created_at   REAL NOT NULL,
    started_at   REAL,
    updated_at   REAL NOT NULL,
    finished_at  REAL
) STRICT;

CREATE INDEX task_same_work ON task (work_key, number);
CREATE INDEX task_of_owner ON task (owner, number);
CREATE UNIQUE INDEX task_sequence ON task (sequence) WHERE sequence IS NOT NULL;
CREATE INDEX task_unfinished ON task (number)
    WHERE sequence IS NULL AND status IN ('pending', 'processing', 'retrying');
CREATE INDEX task_waiting ON task (lane, priority DESC, number)
    WHERE running_boot IS NULL AND status IN ('pending', 'processing', 'retrying');
CREATE INDEX task_waiting_for_text ON task (lane, sequence)
    WHERE lane = 'text' AND running_boot IS NULL AND status IN ('pending', 'processing', 'retrying');
CREATE INDEX task_first_start ON task (priority DESC, number) WHERE status = 'pending';
CREATE INDEX task_due ON task (not_before) WHERE status = 'retrying';
CREATE INDEX task_in_hand ON task (number) WHERE running_boot IS NOT NULL;
CREATE INDEX task_delivering ON task (number) WHERE lane = 'deliver' AND status = 'processing';

-- The last number given to a transcript. A row, not max(sequence): a number is never given twice,
-- even when the task that had it is deleted.
CREATE TABLE transcript_counter (
    one  INTEGER PRIMARY KEY CHECK (one = 1),
    last INTEGER NOT NULL
) STRICT;
INSERT INTO transcript_counter VALUES (1, 0);

-- The products of the stages, each set once. They are kept apart from the task so that lists do not read them.
CREATE TABLE artifact (
    task_id TEXT NOT NULL REFERENCES task (id) ON DELETE CASCADE,
    name    TEXT NOT NULL,                           -- field of core.task.Artifacts
    data    TEXT NOT NULL,                           -- JSON
    made_at REAL NOT NULL,
    PRIMARY KEY (task_id, name)
) STRICT;

-- What the recognizer heard, stored as it comes: the checkpoint of a long transcription.
CREATE TABLE segment (
    task_id TEXT NOT NULL REFERENCES task (id) ON DELETE CASCADE,
    id      INTEGER NOT NULL,
    start_s REAL NOT NULL,
    end_s   REAL NOT NULL,
    text    TEXT NOT NULL,
    words   TEXT,                                    -- JSON
    PRIMARY KEY (task_id, id)
) STRICT;

CREATE TABLE run (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,       -- order of composition: the order at every robot
    task_id TEXT NOT NULL REFERENCES task (id) ON DELETE CASCADE,
    robot   TEXT,                                    -- NULL: the inbox
    made_at REAL NOT NULL
) STRICT;

CREATE INDEX run_of_task ON run (task_id);

CREATE TABLE message (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    run_id     INTEGER NOT NULL REFERENCES run (id) ON DELETE CASCADE,
    robot      TEXT,                                 -- the run's, repeated for the index of unsent messages
    number     INTEGER,                              -- its place in the run, from 1; NULL for notices
    total      INTEGER,
    kind       TEXT NOT NULL
               CHECK (kind IN ('head', 'summary', 'text', 'chapters', 'translation', 'file', 'notice', 'continuation')),
    format     TEXT NOT NULL CHECK (format IN ('text', 'markdown')),
    text       TEXT NOT NULL,                        -- frozen: every attempt sends exactly these bytes
    bytes      INTEGER NOT NULL,                     -- its length in UTF-8
    state      TEXT NOT NULL CHECK (state IN ('planned', 'sending', 'sent', 'refused', 'in_doubt')),
    attempts   INTEGER NOT NULL DEFAULT 0,
    why        TEXT NOT NULL DEFAULT '',             -- what the channel said to the last change
    sending_at REAL,                                 -- when it was last written to the robot
    sent_at    REAL,
    changed_at REAL NOT NULL
) STRICT;

CREATE INDEX message_of_run ON message (run_id);
CREATE INDEX message_unsent ON message (robot, run_id) WHERE state IN ('planned', 'sending', 'in_doubt');
CREATE INDEX message_written ON message (robot, sending_at) WHERE sending_at IS NOT NULL;
