-- Whose is a resource that the upstream keeps: the upstream key that made it, and the caller who asked for it.
-- Names that callers choose may exist under several keys at once.
-- `location` is where an upload under way goes on. Times are Unix seconds.
CREATE TABLE owners (
    resource   TEXT NOT NULL,
    key_id     TEXT NOT NULL,
    caller_id  TEXT NOT NULL,
    location   TEXT NOT NULL DEFAULT '',
    expires_at REAL NOT NULL,
    PRIMARY KEY (resource, key_id)
) WITHOUT ROWID;
CREATE INDEX owners_by_caller ON owners (caller_id, resource);
CREATE INDEX owners_by_expiry ON owners (expires_at);
