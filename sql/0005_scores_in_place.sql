-- A day's scoring rewrites nearly every row of these tables: room beside each row keeps the new one on its page, so
-- that indexes of columns that did not change stay untouched.
ALTER TABLE fact_customer_current SET (fillfactor = 45);
ALTER TABLE customer_scores SET (fillfactor = 45);

ALTER TABLE data_versions ADD COLUMN guest_rows bigint; -- of combined_sales, without a customer; null: not counted
