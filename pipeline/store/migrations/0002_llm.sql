-- What LLMs are asked for a task, and what it costs.

ALTER TABLE task ADD COLUMN prompt_tokens INTEGER NOT NULL DEFAULT 0;
ALTER TABLE task ADD COLUMN completion_tokens INTEGER NOT NULL DEFAULT 0;

-- Replies to the questions of a stage, until it has made its product: after a restart they are not asked again.
CREATE TABLE reply (
    task_id TEXT NOT NULL REFERENCES task (id) ON DELETE CASCADE,
    key     TEXT NOT NULL,                           -- names the question and who was asked
    model   TEXT NOT NULL,                           -- who answered
    text    TEXT,                                    -- NULL: the answer would have been too long
    PRIMARY KEY (task_id, key)
) STRICT;
