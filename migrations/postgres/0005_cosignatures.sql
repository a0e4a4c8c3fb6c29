-- What other parties vouch for: the last cosignature of each witness in each epoch of the log. `line` is its signature line
-- of the checkpoint of that size (C2SP tlog-cosignature).
CREATE TABLE cosignatures (
    epoch BIGINT NOT NULL,
    witness TEXT NOT NULL,
    size BIGINT NOT NULL,
    time_s BIGINT NOT NULL,
    line BYTEA NOT NULL,
    PRIMARY KEY (epoch, witness)
);
