-- What showed a mandate before a later certificate of the office signed it anew: what its holder did meanwhile rests on it.
CREATE TABLE mandate_papers (
    -- the mandate (its digest), and in which turn it was put aside, from 1
    mandate BYTEA NOT NULL,
    turn BIGINT NOT NULL,
    -- the statement (CMS), with SHA-256 of the certificate that signed it
    cms BYTEA NOT NULL,
    signer BYTEA NOT NULL,
    replaced_us BIGINT NOT NULL,
    PRIMARY KEY (mandate, turn)
);
