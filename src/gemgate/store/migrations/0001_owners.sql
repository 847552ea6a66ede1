-- Whose is a resource that the upstream keeps: the upstream key that made it, and the caller who asked for it.
-- `location` is where an upload under way goes on. Times are Unix seconds.
CREATE TABLE owners (
    resource   TEXT PRIMARY KEY,
    key_id     TEXT NOT NULL,
    caller_id  TEXT NOT NULL,
    location   TEXT NOT NULL DEFAULT '',
    expires_at REAL NOT NULL
) WITHOUT ROWID;
CREATE INDEX owners_by_caller ON owners (caller_id, resource);
CREATE INDEX owners_by_expiry ON owners (expires_at);
