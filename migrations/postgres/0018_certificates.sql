-- Certificates of offices, their terminals and proxies, as the relay has seen them: so that somebody is told before they end, and
-- when they are revoked.
CREATE TABLE certificates (
    -- office:1371215102, terminal:1371215102:NAME, proxy:P00001
    holder TEXT NOT NULL,
    fingerprint BYTEA NOT NULL,
    certificate BYTEA NOT NULL,
    -- its end; of a terminal's: the end of what it may do, where the office's own certificate ends before
    not_after_us BIGINT NOT NULL,
    seen_us BIGINT NOT NULL,
    -- when somebody is to be told next; 0: nothing more is to be told
    due_us BIGINT NOT NULL,
    -- when the relay noticed that it is revoked; 0: it is not, as far as is known
    revoked_us BIGINT NOT NULL,
    -- where it came by a renewal: fingerprint of the certificate that it takes the place of, and that key's signed word
    renews BYTEA NOT NULL DEFAULT '',
    renewal BYTEA NOT NULL DEFAULT '',
    PRIMARY KEY (holder, fingerprint)
);
CREATE INDEX certificates_due ON certificates (due_us) WHERE due_us > 0;
CREATE INDEX certificates_by_end ON certificates (not_after_us);

INSERT INTO certificates (holder, fingerprint, certificate, not_after_us, seen_us, due_us, revoked_us)
    SELECT 'office:' || office, fingerprint, key, not_after_us, registered_us, not_after_us - 7776000000000, 0
    FROM office_keys WHERE kind = 'certificate' AND not_after_us > 7776000000000;
INSERT INTO certificates (holder, fingerprint, certificate, not_after_us, seen_us, due_us, revoked_us)
    SELECT 'proxy:' || proxy, fingerprint, key, not_after_us, registered_us, not_after_us - 7776000000000, 0
    FROM proxy_keys WHERE not_after_us > 7776000000000;
INSERT INTO certificates (holder, fingerprint, certificate, not_after_us, seen_us, due_us, revoked_us)
    SELECT 'terminal:' || office || ':' || holder, fingerprint, certificate, until_us, enrolled_us, until_us - 7776000000000, 0
    FROM mandates WHERE kind = 'terminal' AND enrolled_us > 0 AND until_us > 7776000000000;

-- A terminal's certificate before its renewal: good as well, until it ends.
ALTER TABLE mandates ADD COLUMN previous BYTEA NOT NULL DEFAULT '';
-- Terminals that nobody uses.
CREATE INDEX mandates_idle ON mandates (last_used_us) WHERE kind = 'terminal' AND ended_us = 0 AND enrolled_us > 0;
