-- Requests by the key their caller gave them, with the answer, so that the same request again does nothing.
-- Written in the transaction that stores the tasks; forgotten after ports.KEY_LIFE_S.
CREATE TABLE request_key (
    owner    TEXT NOT NULL,
    key      TEXT NOT NULL,
    body     TEXT NOT NULL,                          -- digest of all that was asked
    accepted TEXT NOT NULL,                          -- JSON, a list of ports.Accepted
    made_at  REAL NOT NULL,
    PRIMARY KEY (owner, key)
) STRICT, WITHOUT ROWID;

CREATE INDEX request_key_age ON request_key (made_at);
