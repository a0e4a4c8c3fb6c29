-- 1: what the office takes is its own signed word, and nothing else is taken for it
ALTER TABLE offices ADD COLUMN declared BIGINT NOT NULL DEFAULT 0;

-- Declarations of what offices take that wait for the operator.
CREATE TABLE profiles (
    office TEXT PRIMARY KEY,
    -- words, separated by spaces
    accepts TEXT NOT NULL,
    -- SHA-256 of the statement
    digest BLOB NOT NULL,
    made_us BIGINT NOT NULL
) WITHOUT ROWID;

-- Partners: a pair of offices, the smaller number first.
CREATE TABLE partner_links (
    first TEXT NOT NULL,
    second TEXT NOT NULL,
    -- invited, linked, ended
    state TEXT NOT NULL,
    inviter TEXT NOT NULL,
    since_us BIGINT NOT NULL,
    PRIMARY KEY (first, second)
) WITHOUT ROWID;
CREATE INDEX partner_links_by_second ON partner_links (second);
CREATE INDEX partner_links_open ON partner_links (inviter) WHERE state = 'invited';
