-- What else the directory says of an office, and in which order offices changed.
ALTER TABLE offices ADD COLUMN municipality TEXT NOT NULL DEFAULT '';
-- What it takes, separated by spaces: csv-4.1 csv-3.2 pdf
ALTER TABLE offices ADD COLUMN accepts TEXT NOT NULL DEFAULT '';
-- When it came into the directory; 0: before that was written down
ALTER TABLE offices ADD COLUMN since_us BIGINT NOT NULL DEFAULT 0;
-- head.directory of the change that wrote the row, or a key of the office, last. It is given out under the head's lock: whoever sees a
-- number sees everything with a lower one.
ALTER TABLE offices ADD COLUMN generation BIGINT NOT NULL DEFAULT 0;
CREATE UNIQUE INDEX offices_by_generation ON offices (generation, number);
