-- Transmission proxies (伝送代行業者), and the keys that parcels are sealed to where a proxy receives for an office.
CREATE TABLE proxies (
    number TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    -- active, suspended
    state TEXT NOT NULL,
    changed_us BIGINT NOT NULL
) WITHOUT ROWID;

CREATE TABLE proxy_keys (
    proxy TEXT NOT NULL,
    fingerprint BLOB NOT NULL,
    -- certificate (DER)
    key BLOB NOT NULL,
    not_after_us BIGINT NOT NULL,
    registered_us BIGINT NOT NULL,
    PRIMARY KEY (proxy, fingerprint)
) WITHOUT ROWID;

-- Who else may act for an office: proxies by delegation, terminals by invitation.
CREATE TABLE mandates (
    -- SHA-256 of the statement (CMS), or of its text where the operator registered it
    digest BLOB PRIMARY KEY,
    office TEXT NOT NULL,
    -- proxy, terminal
    kind TEXT NOT NULL,
    -- a proxy's number, a terminal's name
    holder TEXT NOT NULL,
    scopes TEXT NOT NULL,
    from_us BIGINT NOT NULL,
    -- of an invitation: until when it can be taken up; afterwards the end of the terminal's certificate
    until_us BIGINT NOT NULL,
    -- the statement (CMS); empty: the operator registered it
    cms BLOB NOT NULL,
    -- SHA-256 of the certificate that signed it
    signer BLOB NOT NULL,
    -- a terminal's: public key of the code; its certificate (DER) with SHA-256; its key signed with the code's
    code_key BLOB NOT NULL,
    certificate BLOB NOT NULL,
    fingerprint BLOB NOT NULL,
    enrolment BLOB NOT NULL,
    made_us BIGINT NOT NULL,
    enrolled_us BIGINT NOT NULL,
    -- 0: it was not ended; the statement that ended it
    ended_us BIGINT NOT NULL,
    end_cms BLOB NOT NULL,
    last_used_us BIGINT NOT NULL
) WITHOUT ROWID;
CREATE INDEX mandates_by_office ON mandates (office, made_us);
CREATE INDEX mandates_by_proxy ON mandates (holder, office) WHERE kind = 'proxy';
CREATE INDEX mandates_by_code ON mandates (code_key) WHERE kind = 'terminal';

-- The proxy through which a parcel was sent; empty: none.
ALTER TABLE parcels ADD COLUMN proxy TEXT NOT NULL DEFAULT '';

-- What let who is not the office itself sign a statement: SHA-256 of the mandate.
ALTER TABLE statements ADD COLUMN mandate BLOB;
