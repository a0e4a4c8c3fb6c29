-- Offices and the keys that parcels for them are sealed to.
CREATE TABLE offices (
    number TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    kana TEXT NOT NULL,
    services TEXT NOT NULL,
    standard_ready BIGINT NOT NULL,
    state TEXT NOT NULL,
    -- number, name and kana, normalised for searching; see store::search_key
    search_key TEXT NOT NULL,
    changed_us BIGINT NOT NULL
);

CREATE TABLE office_keys (
    office TEXT NOT NULL,
    fingerprint BYTEA NOT NULL,
    kind TEXT NOT NULL,
    key BYTEA NOT NULL,
    approval BYTEA NOT NULL,
    not_after_us BIGINT NOT NULL,
    registered_us BIGINT NOT NULL,
    PRIMARY KEY (office, fingerprint)
);

-- Parcels: what the relay knows in the clear. `seq` is given out under the head's lock.
CREATE TABLE parcels (
    seq BIGINT PRIMARY KEY,
    sender TEXT NOT NULL,
    id BYTEA NOT NULL,
    recipient TEXT NOT NULL,
    state TEXT NOT NULL,
    digest BYTEA NOT NULL,
    sealed_digest BYTEA NOT NULL,
    container_size BIGINT NOT NULL,
    sealed_size BIGINT NOT NULL,
    -- one file a line: kind, month, serial, size
    files TEXT NOT NULL,
    signer BYTEA NOT NULL,
    accepted_us BIGINT NOT NULL,
    fetched_us BIGINT NOT NULL,
    acknowledged_us BIGINT NOT NULL,
    -- position of the acceptance in the log
    pos BIGINT NOT NULL
);
-- By id first: ids grow with time, so that new entries stand together and not on a page for each sender.
CREATE UNIQUE INDEX parcels_by_id ON parcels (id, sender);
CREATE INDEX parcels_by_sender ON parcels (sender, seq);
CREATE INDEX parcels_by_recipient ON parcels (recipient, seq);

-- Sealed content, apart from the rows that lists read.
CREATE TABLE contents (
    seq BIGINT PRIMARY KEY,
    sealed BYTEA NOT NULL
);

-- Signed statements (CMS) that events name by digest.
CREATE TABLE statements (
    digest BYTEA PRIMARY KEY,
    seq BIGINT NOT NULL,
    kind TEXT NOT NULL,
    cms BYTEA NOT NULL
);
CREATE INDEX statements_by_parcel ON statements (seq);

-- Certificates and CRLs as they were when a signature was accepted.
CREATE TABLE archive (
    fingerprint BYTEA PRIMARY KEY,
    kind TEXT NOT NULL,
    der BYTEA NOT NULL,
    -- for a signer's certificate: fingerprints of its chain up to the anchor, 32 bytes each
    chain BYTEA NOT NULL
);

-- The log: leaves (canonical event texts), tiles of hashes, checkpoints, one head.
CREATE TABLE leaves (
    -- epoch * 2^40 + index in that epoch's log
    pos BIGINT PRIMARY KEY,
    -- the parcel that the event is about; 0: none
    seq BIGINT NOT NULL,
    text BYTEA NOT NULL
);
CREATE INDEX leaves_by_parcel ON leaves (seq) WHERE seq > 0;

CREATE TABLE tiles (
    epoch BIGINT NOT NULL,
    level BIGINT NOT NULL,
    tile BIGINT NOT NULL,
    hashes BYTEA NOT NULL,
    PRIMARY KEY (epoch, level, tile)
);

CREATE TABLE checkpoints (
    epoch BIGINT NOT NULL,
    size BIGINT NOT NULL,
    note BYTEA NOT NULL,
    PRIMARY KEY (epoch, size)
);

CREATE TABLE head (
    one BIGINT PRIMARY KEY CHECK (one = 1),
    epoch BIGINT NOT NULL,
    size BIGINT NOT NULL,
    time_us BIGINT NOT NULL,
    next_seq BIGINT NOT NULL,
    -- counts changes of offices, keys and overrides, so that caches know when to forget
    directory BIGINT NOT NULL,
    note BYTEA NOT NULL
);

-- Each office's slice of the log.
CREATE TABLE feeds (
    office TEXT NOT NULL,
    epoch BIGINT NOT NULL,
    number BIGINT NOT NULL,
    pos BIGINT NOT NULL,
    salt BYTEA NOT NULL,
    previous BYTEA NOT NULL,
    PRIMARY KEY (office, epoch, number)
);
CREATE INDEX feeds_by_leaf ON feeds (pos);

-- Settings that administrative commands change while the relay runs.
CREATE TABLE settings (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
);

-- Sealed content does not compress: keep it out of line and as it is.
ALTER TABLE contents ALTER COLUMN sealed SET STORAGE EXTERNAL;
