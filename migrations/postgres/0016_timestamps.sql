-- Time stamps (RFC 3161) of checkpoints, by an authority outside the relay. `note` is the checkpoint as it was stamped, `response`
-- the authority's answer (TimeStampResp, DER).
CREATE TABLE timestamps (
    epoch BIGINT NOT NULL,
    size BIGINT NOT NULL,
    time_us BIGINT NOT NULL,
    note BYTEA NOT NULL,
    response BYTEA NOT NULL,
    PRIMARY KEY (epoch, size)
);
