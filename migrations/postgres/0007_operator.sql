-- The operator's list of overdue parcels. Accepting a parcel does not touch it.
CREATE INDEX parcels_overdue ON parcels (seq) WHERE state = 'delivered' AND overdue_us > 0;

-- What no parcel tells: counted by month (Japan, yyyymm), added to in batches by each relay. `name`: rejected; `detail`: the reason.
CREATE TABLE monthly_counts (
    month TEXT NOT NULL,
    name TEXT NOT NULL,
    detail TEXT NOT NULL,
    count BIGINT NOT NULL,
    PRIMARY KEY (month, name, detail)
);

-- Notices of the operator: the event, and the office that it is for; empty: all of them.
CREATE TABLE notices (
    office TEXT NOT NULL,
    pos BIGINT NOT NULL,
    PRIMARY KEY (office, pos)
);

-- What was unusual of an office, once for each span of time.
CREATE TABLE alerts (
    code TEXT NOT NULL,
    office TEXT NOT NULL,
    period_us BIGINT NOT NULL,
    at_us BIGINT NOT NULL,
    count BIGINT NOT NULL,
    usual BIGINT NOT NULL,
    PRIMARY KEY (code, office, period_us)
);
CREATE INDEX alerts_by_time ON alerts (at_us);
