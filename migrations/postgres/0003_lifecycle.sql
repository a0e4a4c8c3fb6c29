-- What is true of few parcels has a default, so that accepting one writes no more columns than before.
-- It was held after acceptance; when it is to be released (0: when its sender says so); when it was.
ALTER TABLE parcels ADD COLUMN held BIGINT NOT NULL DEFAULT 0;
ALTER TABLE parcels ADD COLUMN release_us BIGINT NOT NULL DEFAULT 0;
ALTER TABLE parcels ADD COLUMN released_us BIGINT NOT NULL DEFAULT 0;
-- When it came into a final state; when it was called overdue.
ALTER TABLE parcels ADD COLUMN ended_us BIGINT NOT NULL DEFAULT 0;
ALTER TABLE parcels ADD COLUMN overdue_us BIGINT NOT NULL DEFAULT 0;
-- Ids of parcels of the same sender: what this one supersedes, and what supersedes this one.
ALTER TABLE parcels ADD COLUMN supersedes BYTEA;
ALTER TABLE parcels ADD COLUMN superseded_by BYTEA;
ALTER TABLE parcels ADD COLUMN urgent BIGINT NOT NULL DEFAULT 0;
-- Why its receiver refused it.
ALTER TABLE parcels ADD COLUMN refusal TEXT NOT NULL DEFAULT '';
CREATE INDEX parcels_held ON parcels (release_us) WHERE state = 'held';
CREATE INDEX parcels_superseding ON parcels (sender, supersedes) WHERE supersedes IS NOT NULL;

-- Who signed a statement (SHA-256 of the certificate); the sealed text that it names; for a request (seq 0) its parties and when it was made.
ALTER TABLE statements ADD COLUMN signer BYTEA;
ALTER TABLE statements ADD COLUMN text BYTEA NOT NULL DEFAULT '';
ALTER TABLE statements ADD COLUMN from_office TEXT NOT NULL DEFAULT '';
ALTER TABLE statements ADD COLUMN to_office TEXT NOT NULL DEFAULT '';
ALTER TABLE statements ADD COLUMN made_us BIGINT NOT NULL DEFAULT 0;
CREATE INDEX statements_requests ON statements (from_office, made_us) WHERE seq = 0;
