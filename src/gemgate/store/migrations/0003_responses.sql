-- Responses that are kept for their callers. Times are Unix seconds.
-- What is large stands apart from what changes often. `bytes` is the size of all that belongs to a response.
CREATE TABLE responses (
    id              TEXT NOT NULL PRIMARY KEY,
    caller_id       TEXT NOT NULL,
    status          TEXT NOT NULL,
    created_at      REAL NOT NULL,
    expires_at      REAL NOT NULL,
    previous_id     TEXT NOT NULL,
    conversation_id TEXT NOT NULL,
    background      INTEGER NOT NULL,
    alive_at        REAL NOT NULL,
    bytes           INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE INDEX responses_by_expiry ON responses (expires_at);
CREATE INDEX responses_by_caller ON responses (caller_id, expires_at);
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
-- `bytes` is the size of its items.
CREATE TABLE conversations (
    id         TEXT NOT NULL PRIMARY KEY,
    caller_id  TEXT NOT NULL,
    metadata   BLOB NOT NULL,
    created_at REAL NOT NULL,
    expires_at REAL NOT NULL,
    bytes      INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX conversations_by_expiry ON conversations (expires_at);
CREATE INDEX conversations_by_caller ON conversations (caller_id, expires_at);
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
CREATE INDEX items_of_owner ON items (owner_id, item_id);
CREATE INDEX items_by_id ON items (item_id, is_output);
-- How much there is of each caller's, kept up to date by triggers, so that no write has to count.
-- A row counts as a hundred bytes more than what is in it.
CREATE TABLE kept_totals (
    caller_id TEXT NOT NULL PRIMARY KEY,
    bytes     INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TRIGGER kept_none AFTER UPDATE OF bytes ON kept_totals WHEN new.bytes = 0
BEGIN
    DELETE FROM kept_totals WHERE caller_id = new.caller_id;
END;
CREATE TRIGGER documents_added AFTER INSERT ON documents
BEGIN
    UPDATE responses SET bytes = bytes + 100 + length(new.document) WHERE id = new.response_id;
END;
CREATE TRIGGER documents_removed AFTER DELETE ON documents
BEGIN
    UPDATE responses SET bytes = bytes - 100 - length(old.document) WHERE id = old.response_id;
END;
CREATE TRIGGER documents_changed AFTER UPDATE OF document ON documents
BEGIN
    UPDATE responses SET bytes = bytes - length(old.document) + length(new.document) WHERE id = new.response_id;
END;
CREATE TRIGGER events_added AFTER INSERT ON events
BEGIN
    UPDATE responses SET bytes = bytes + 100 + length(new.event) WHERE id = new.response_id;
END;
CREATE TRIGGER events_removed AFTER DELETE ON events
BEGIN
    UPDATE responses SET bytes = bytes - 100 - length(old.event) WHERE id = old.response_id;
END;
CREATE TRIGGER items_added AFTER INSERT ON items
BEGIN
    UPDATE responses SET bytes = bytes + 100 + length(new.json) + length(new.native) WHERE id = new.owner_id;
    UPDATE conversations SET bytes = bytes + 100 + length(new.json) + length(new.native) WHERE id = new.owner_id;
END;
CREATE TRIGGER items_removed AFTER DELETE ON items
BEGIN
    UPDATE responses SET bytes = bytes - 100 - length(old.json) - length(old.native) WHERE id = old.owner_id;
    UPDATE conversations SET bytes = bytes - 100 - length(old.json) - length(old.native) WHERE id = old.owner_id;
END;
CREATE TRIGGER responses_added AFTER INSERT ON responses
BEGIN
    INSERT INTO kept_totals (caller_id, bytes) VALUES (new.caller_id, 0) ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER responses_changed AFTER UPDATE OF bytes ON responses
BEGIN
    UPDATE kept_totals SET bytes = bytes - old.bytes + new.bytes WHERE caller_id = new.caller_id;
END;
CREATE TRIGGER responses_removed AFTER DELETE ON responses
BEGIN
    UPDATE kept_totals SET bytes = bytes - old.bytes WHERE caller_id = old.caller_id;
    DELETE FROM documents WHERE response_id = old.id;
    DELETE FROM items WHERE owner_id = old.id;
    DELETE FROM events WHERE response_id = old.id;
END;
CREATE TRIGGER conversations_added AFTER INSERT ON conversations
BEGIN
    INSERT INTO kept_totals (caller_id, bytes) VALUES (new.caller_id, 100 + length(new.metadata))
    ON CONFLICT DO UPDATE SET bytes = bytes + excluded.bytes;
END;
CREATE TRIGGER conversations_changed AFTER UPDATE OF bytes, metadata ON conversations
BEGIN
    UPDATE kept_totals SET bytes = bytes - old.bytes - length(old.metadata) + new.bytes + length(new.metadata)
    WHERE caller_id = new.caller_id;
END;
CREATE TRIGGER conversations_removed AFTER DELETE ON conversations
BEGIN
    UPDATE kept_totals SET bytes = bytes - 100 - length(old.metadata) - old.bytes WHERE caller_id = old.caller_id;
    DELETE FROM items WHERE owner_id = old.id;
END;
