-- Submissions that were not accepted, kept for a while for the office that handed them in: why, and what was found. No content:
-- `findings` has a line for each finding, and names an attachment by its place. `parcel` and `recipient` are empty where they
-- could not be read.
CREATE TABLE refusals (
    office TEXT NOT NULL,
    refused_us BIGINT NOT NULL,
    parcel BLOB NOT NULL,
    recipient TEXT NOT NULL,
    reason TEXT NOT NULL,
    findings TEXT NOT NULL,
    left_out BIGINT NOT NULL,
    PRIMARY KEY (office, refused_us)
);
CREATE INDEX refusals_by_parcel ON refusals (office, parcel);
CREATE INDEX refusals_by_time ON refusals (refused_us);
