-- When a certificate or CRL of the archive was last handed over with something that names it, so that it can go when nothing
-- does any more. 0: kept before this was noted.
ALTER TABLE archive ADD COLUMN used_us BIGINT NOT NULL DEFAULT 0;
CREATE INDEX archive_by_use ON archive (used_us, fingerprint);

-- Addresses from which handshakes were refused unusually often, once for an address and a day.
CREATE TABLE address_alerts (
    address TEXT NOT NULL,
    period_us BIGINT NOT NULL,
    at_us BIGINT NOT NULL,
    count BIGINT NOT NULL,
    PRIMARY KEY (address, period_us)
);
CREATE INDEX address_alerts_by_time ON address_alerts (at_us);

-- Webhooks and addresses that keep a pause, or whose turn is taken: the others are found by what is written into their feeds.
CREATE INDEX webhooks_by_pause ON webhooks (next_us) WHERE next_us > 0;
CREATE INDEX webhooks_by_turn ON webhooks (lease_us) WHERE lease_us > 0;
CREATE INDEX mail_by_pause ON mail (next_us) WHERE next_us > 0;
CREATE INDEX mail_by_turn ON mail (lease_us) WHERE lease_us > 0;
