-- Responses that are kept for their callers. Times are Unix seconds.
-- What is large stands apart from what changes often.
CREATE TABLE responses (
    id              TEXT NOT NULL PRIMARY KEY,
    caller_id       TEXT NOT NULL,
    status          TEXT NOT NULL,
    created_at      REAL NOT NULL,
    expires_at      REAL NOT NULL,
    previous_id     TEXT NOT NULL,
    conversation_id TEXT NOT NULL,
    background      INTEGER NOT NULL,
    alive_at        REAL NOT NULL
) WITHOUT ROWID;
CREATE INDEX responses_by_expiry ON responses (expires_at);
CREATE INDEX responses_at_work ON responses (alive_at) WHERE background = 1 AND status IN ('queued', 'in_progress');
CREATE TABLE documents (
    response_id TEXT NOT NULL PRIMARY KEY,
    document    BLOB NOT NULL
);
-- What a response in the background has streamed.
CREATE TABLE events (
    response_id TEXT NOT NULL,
    number      INTEGER NOT NULL,
    event       BLOB NOT NULL,
    PRIMARY KEY (response_id, number)
);
-- `bytes` is the size of its items, kept up to date by triggers.
CREATE TABLE conversations (
    id         TEXT NOT NULL PRIMARY KEY,
    caller_id  TEXT NOT NULL,
    metadata   BLOB NOT NULL,
    created_at REAL NOT NULL,
    expires_at REAL NOT NULL,
    bytes      INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX conversations_by_expiry ON conversations (expires_at);
-- The items of responses and conversations; each of those has its own copies.
CREATE TABLE items (
    owner_id  TEXT NOT NULL,
    position  INTEGER NOT NULL,
    item_id   TEXT NOT NULL,
    is_output INTEGER NOT NULL,
    json      BLOB NOT NULL,
    native    BLOB NOT NULL
);
CREATE UNIQUE INDEX items_in_order ON items (owner_id, position);
CREATE INDEX items_by_id ON items (item_id, is_output);
-- How much there is, so that no write has to count. A row counts as a hundred bytes more than what is in it.
CREATE TABLE kept_totals (
    bytes INTEGER NOT NULL
);
INSERT INTO kept_totals (bytes) VALUES (0);
CREATE TRIGGER documents_added AFTER INSERT ON documents
BEGIN UPDATE kept_totals SET bytes = bytes + 100 + length(new.document); END;
CREATE TRIGGER documents_removed AFTER DELETE ON documents
BEGIN UPDATE kept_totals SET bytes = bytes - 100 - length(old.document); END;
CREATE TRIGGER documents_changed AFTER UPDATE OF document ON documents
BEGIN UPDATE kept_totals SET bytes = bytes - length(old.document) + length(new.document); END;
CREATE TRIGGER events_added AFTER INSERT ON events
BEGIN UPDATE kept_totals SET bytes = bytes + 100 + length(new.event); END;
CREATE TRIGGER events_removed AFTER DELETE ON events
BEGIN UPDATE kept_totals SET bytes = bytes - 100 - length(old.event); END;
CREATE TRIGGER items_added AFTER INSERT ON items
BEGIN
    UPDATE kept_totals SET bytes = bytes + 100 + length(new.json) + length(new.native); UPDATE conversations
    SET bytes = bytes + 100 + length(new.json) + length(new.native) WHERE id = new.owner_id; END;
CREATE TRIGGER items_removed AFTER DELETE ON items
BEGIN
    UPDATE kept_totals SET bytes = bytes - 100 - length(old.json) - length(old.native); UPDATE conversations
    SET bytes = bytes - 100 - length(old.json) - length(old.native) WHERE id = old.owner_id; END;
CREATE TRIGGER conversations_added AFTER INSERT ON conversations
BEGIN UPDATE kept_totals SET bytes = bytes + 100 + length(new.metadata); END;
CREATE TRIGGER conversations_changed AFTER UPDATE OF metadata ON conversations
BEGIN UPDATE kept_totals SET bytes = bytes - length(old.metadata) + length(new.metadata); END;
CREATE TRIGGER conversations_removed AFTER DELETE ON conversations
BEGIN
    UPDATE kept_totals SET bytes = bytes - 100 - length(old.metadata); DELETE FROM items WHERE owner_id = old.id; END;
CREATE TRIGGER responses_removed AFTER DELETE ON responses
BEGIN
    DELETE FROM documents WHERE response_id = old.id; DELETE FROM items WHERE owner_id = old.id; DELETE FROM events
    WHERE response_id = old.id; END;
