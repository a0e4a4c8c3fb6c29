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
) WITHOUT ROWID;

CREATE TABLE office_keys (
    office TEXT NOT NULL,
    fingerprint BLOB NOT NULL,
    kind TEXT NOT NULL,
    key BLOB NOT NULL,
    approval BLOB NOT NULL,
    not_after_us BIGINT NOT NULL,
    registered_us BIGINT NOT NULL,
    PRIMARY KEY (office, fingerprint)
) WITHOUT ROWID;

-- Parcels: what the relay knows in the clear. `seq` is given out under the head's lock.
CREATE TABLE parcels (
    seq INTEGER PRIMARY KEY,
    sender TEXT NOT NULL,
    id BLOB NOT NULL,
    recipient TEXT NOT NULL,
    state TEXT NOT NULL,
    digest BLOB NOT NULL,
    sealed_digest BLOB NOT NULL,
    container_size BIGINT NOT NULL,
    sealed_size BIGINT NOT NULL,
    -- one file a line: kind, month, serial, size
    files TEXT NOT NULL,
    signer BLOB NOT NULL,
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
    seq INTEGER PRIMARY KEY,
    sealed BLOB NOT NULL
);

-- Signed statements (CMS) that events name by digest.
CREATE TABLE statements (
    digest BLOB PRIMARY KEY,
    seq BIGINT NOT NULL,
    kind TEXT NOT NULL,
    cms BLOB NOT NULL
);
CREATE INDEX statements_by_parcel ON statements (seq);

-- Certificates and CRLs as they were when a signature was accepted.
CREATE TABLE archive (
    fingerprint BLOB PRIMARY KEY,
    kind TEXT NOT NULL,
    der BLOB NOT NULL,
    -- for a signer's certificate: fingerprints of its chain up to the anchor, 32 bytes each
    chain BLOB NOT NULL
);

-- The log: leaves (canonical event texts), tiles of hashes, checkpoints, one head.
CREATE TABLE leaves (
    -- epoch * 2^40 + index in that epoch's log
    pos INTEGER PRIMARY KEY,
    -- the parcel that the event is about; 0: none
    seq BIGINT NOT NULL,
    text BLOB NOT NULL
);
CREATE INDEX leaves_by_parcel ON leaves (seq) WHERE seq > 0;

CREATE TABLE tiles (
    epoch BIGINT NOT NULL,
    level BIGINT NOT NULL,
    tile BIGINT NOT NULL,
    hashes BLOB NOT NULL,
    PRIMARY KEY (epoch, level, tile)
);

CREATE TABLE checkpoints (
    epoch BIGINT NOT NULL,
    size BIGINT NOT NULL,
    note BLOB NOT NULL,
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
    note BLOB NOT NULL
);

-- Each office's slice of the log.
CREATE TABLE feeds (
    office TEXT NOT NULL,
    epoch BIGINT NOT NULL,
    number BIGINT NOT NULL,
    pos BIGINT NOT NULL,
    salt BLOB NOT NULL,
    previous BLOB NOT NULL,
    PRIMARY KEY (office, epoch, number)
) WITHOUT ROWID;
CREATE INDEX feeds_by_leaf ON feeds (pos);

-- Settings that administrative commands change while the relay runs.
CREATE TABLE settings (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;
