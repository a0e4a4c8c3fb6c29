-- Programs of offices that are told over HTTPS of what stands in their office's feed. Place in the feed, tries of the event that
-- is next, and a lease, so that one relay at a time tells one program.
CREATE TABLE webhooks (
    office TEXT PRIMARY KEY,
    url TEXT NOT NULL,
    key BYTEA NOT NULL,
    epoch BIGINT NOT NULL,
    number BIGINT NOT NULL,
    tries BIGINT NOT NULL,
    next_us BIGINT NOT NULL,
    lease_us BIGINT NOT NULL,
    last_error TEXT NOT NULL,
    delivered_us BIGINT NOT NULL,
    changed_us BIGINT NOT NULL
);

-- Events that a program did not take in time.
CREATE TABLE webhook_dead (
    office TEXT NOT NULL,
    epoch BIGINT NOT NULL,
    number BIGINT NOT NULL,
    kind TEXT NOT NULL,
    error TEXT NOT NULL,
    given_up_us BIGINT NOT NULL,
    PRIMARY KEY (office, epoch, number)
);
