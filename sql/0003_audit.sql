-- What an incremental run found when it held the days before its window against the source.
ALTER TABLE sync_runs
    ADD COLUMN days_compared bigint NOT NULL DEFAULT 0,
    ADD COLUMN days_differing bigint NOT NULL DEFAULT 0, -- and were read again
    ADD COLUMN days_unsettled bigint NOT NULL DEFAULT 0; -- differ even so: bad lines, or the source changed meanwhile
