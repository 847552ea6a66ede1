-- What the model signed, for clients that do not carry it themselves. Times are Unix seconds.
-- Values may be large, so the table keeps its row ids.
CREATE TABLE signatures (
    key        BLOB NOT NULL PRIMARY KEY,
    value      BLOB NOT NULL,
    expires_at REAL NOT NULL
);
CREATE INDEX signatures_by_expiry ON signatures (expires_at);
-- How much there is, kept up to date by triggers, so that no write has to count.
CREATE TABLE signature_totals (
    count INTEGER NOT NULL,
    bytes INTEGER NOT NULL
);
INSERT INTO signature_totals (count, bytes) VALUES (0, 0);
CREATE TRIGGER signatures_added AFTER INSERT ON signatures
BEGIN UPDATE signature_totals SET count = count + 1, bytes = bytes + length(new.value); END;
CREATE TRIGGER signatures_removed AFTER DELETE ON signatures
BEGIN UPDATE signature_totals SET count = count - 1, bytes = bytes - length(old.value); END;
CREATE TRIGGER signatures_changed AFTER UPDATE OF value ON signatures
BEGIN UPDATE signature_totals SET bytes = bytes - length(old.value) + length(new.value); END;
