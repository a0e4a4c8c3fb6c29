-- Joining and leaving. `state` says active or suspended, as before; of offices that are not active `standing` says more: listed (on the
-- operator's list, not joined), left (by its own word), removed (by the operator's); empty: suspended.
ALTER TABLE offices ADD COLUMN standing TEXT NOT NULL DEFAULT '';

-- The last application of each office. An applicant need not be in the directory.
CREATE TABLE applications (
    office TEXT PRIMARY KEY,
    -- open, approved, rejected, left
    state TEXT NOT NULL,
    -- as the applicant states it; empty: not at all
    name TEXT NOT NULL,
    -- SHA-256 of the statement; empty: none
    digest BYTEA NOT NULL,
    -- why it was rejected, in the operator's words
    reason TEXT NOT NULL,
    applied_us BIGINT NOT NULL,
    -- when it was decided, or the office left
    decided_us BIGINT NOT NULL,
    -- applications in a day, and since when they are counted
    counted BIGINT NOT NULL,
    counted_since_us BIGINT NOT NULL,
    -- the code that goes by post or telephone: SHA-256 over salt and digits; empty: there is none
    code_salt BYTEA NOT NULL,
    code_hash BYTEA NOT NULL,
    code_until_us BIGINT NOT NULL,
    code_tries BIGINT NOT NULL,
    confirmed_us BIGINT NOT NULL,
    -- position of office.erased in the log; 0: nothing was erased
    erased_pos BIGINT NOT NULL
);
CREATE INDEX applications_open ON applications (applied_us) WHERE state = 'open';

-- What offices signed about themselves. The digest stays, so that no statement counts twice; the statement goes when its office has itself
-- erased.
CREATE TABLE office_statements (
    digest BYTEA PRIMARY KEY,
    office TEXT NOT NULL,
    kind TEXT NOT NULL,
    cms BYTEA NOT NULL,
    signer BYTEA NOT NULL,
    made_us BIGINT NOT NULL
);
CREATE INDEX office_statements_by_office ON office_statements (office);

-- Offices that left and whose mailbox is still to be cleared; erase: what the relay keeps of them is to be erased, too.
CREATE TABLE closing (
    office TEXT PRIMARY KEY,
    erase BIGINT NOT NULL,
    contents BIGINT NOT NULL,
    since_us BIGINT NOT NULL
);
