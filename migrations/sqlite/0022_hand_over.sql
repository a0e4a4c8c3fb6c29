-- What a sender's proxy hands in waits for the office's own word (mandates: it shall; parcels: it does).
ALTER TABLE mandates ADD COLUMN confirm BIGINT NOT NULL DEFAULT 0;
ALTER TABLE parcels ADD COLUMN confirm BIGINT NOT NULL DEFAULT 0;

-- The proxy that fetched a parcel for its receiver, empty: none; and when it said that it had handed it over, 0: it did not.
ALTER TABLE parcels ADD COLUMN recipient_proxy TEXT NOT NULL DEFAULT '';
ALTER TABLE parcels ADD COLUMN handed_us BIGINT NOT NULL DEFAULT 0;
