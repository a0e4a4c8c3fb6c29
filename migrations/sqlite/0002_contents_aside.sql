-- Large sealed contents stand outside the database, each named by its SHA-256 (parcels.sealed_digest). The intent to put
-- one there is written first; the commit that accepts the parcel consumes it. What is left over is swept: it is doomed
-- first, so that no commit can consume it any more, then the blob goes, then the row.
CREATE TABLE content_intents (
    digest BLOB PRIMARY KEY,
    created_us BIGINT NOT NULL,
    doomed BIGINT NOT NULL
);
