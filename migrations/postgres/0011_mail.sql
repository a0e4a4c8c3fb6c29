-- Offices that are told by e-mail that something arrived. Place in the feed, when the next mail may go, and a lease, so that one relay at a
-- time writes to one office.
CREATE TABLE mail (
    office TEXT PRIMARY KEY,
    -- separated by spaces
    addresses TEXT NOT NULL,
    epoch BIGINT NOT NULL,
    number BIGINT NOT NULL,
    next_us BIGINT NOT NULL,
    tries BIGINT NOT NULL,
    last_error TEXT NOT NULL,
    lease_us BIGINT NOT NULL,
    changed_us BIGINT NOT NULL
);
