-- When a certificate or CRL of the archive was last handed over with something that names it, so that it can go when nothing
-- does any more. 0: kept before this was noted.
ALTER TABLE archive ADD COLUMN used_us BIGINT NOT NULL DEFAULT 0;
CREATE INDEX archive_by_use ON archive (used_us, fingerprint);
