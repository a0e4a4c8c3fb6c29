-- Operators: certificates with roles. Without a row that was not removed, administrative commands need no signature.
CREATE TABLE operators (
    -- SHA-256 of the certificate
    fingerprint BYTEA PRIMARY KEY,
    name TEXT NOT NULL,
    -- read, offices, certificates, retention, separated by commas
    roles TEXT NOT NULL,
    -- the certificate and those above it, each as a line of hexadecimal digits (DER)
    chain TEXT NOT NULL,
    not_after_us BIGINT NOT NULL,
    added_us BIGINT NOT NULL,
    -- 0: it was not
    removed_us BIGINT NOT NULL
);

-- What operators signed, kept for as long as the log.
CREATE TABLE operator_acts (
    -- SHA-256 of the CMS bytes
    digest BYTEA PRIMARY KEY,
    -- SHA-256 of the text: the same act signed twice is one
    text_digest BYTEA NOT NULL UNIQUE,
    cms BYTEA NOT NULL,
    signer BYTEA NOT NULL,
    made_us BIGINT NOT NULL
);

-- Acts that wait for a second operator, or did.
CREATE TABLE approvals (
    id TEXT PRIMARY KEY,
    -- kind of the event that the act will write, the role that it needs, and all that it does, one detail a line
    kind TEXT NOT NULL,
    role TEXT NOT NULL,
    details TEXT NOT NULL,
    office TEXT NOT NULL,
    -- who asked: SHA-256 of the certificate, the name, SHA-256 of the signed act
    asked_by BYTEA NOT NULL,
    asked_name TEXT NOT NULL,
    statement BYTEA NOT NULL,
    asked_us BIGINT NOT NULL,
    until_us BIGINT NOT NULL,
    -- asked, approved, rejected
    state TEXT NOT NULL,
    decided_name TEXT NOT NULL,
    decided_us BIGINT NOT NULL
);
CREATE INDEX approvals_by_time ON approvals (asked_us);
