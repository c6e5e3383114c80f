-- What the scoring needs of a customer's past, and what it says of every customer.

ALTER TABLE customer_facts
    ADD COLUMN day_list int[] NOT NULL DEFAULT '{}', -- days with an order, ascending: 2 * day + 1 for a purchase day
    ADD COLUMN order_list int[] NOT NULL DEFAULT '{}', -- orders of those days
    ADD COLUMN net_list bigint[] NOT NULL DEFAULT '{}'; -- net sales of those days in cents

ALTER TABLE sync_state
    ADD COLUMN refit boolean NOT NULL DEFAULT true; -- a full load has changed lines since the models were fitted
UPDATE sync_state SET facts_all = true;

-- The fit that scorings of the as-of day use, as bytes of this program: where it can't read them, it fits anew.
ALTER TABLE model_runs
    ADD COLUMN state bytea,
    ADD COLUMN fit_number int NOT NULL DEFAULT 1, -- of the as-of day
    ADD COLUMN fits jsonb; -- work and time of each step

-- Ours: the newest scores. A row is rewritten when anything in it or in fact_customer_current changes (digest).
CREATE TABLE customer_scores (
    customer_id bigint PRIMARY KEY,
    digest bigint NOT NULL,
    churn real NOT NULL,
    p_alive real NOT NULL,
    expected_orders real NOT NULL, -- in CLV_MONTHS
    expected_orders_90 real NOT NULL,
    predicted_clv real NOT NULL,
    predicted_clv_discounted real NOT NULL,
    risk_level varchar(20) NOT NULL,
    rfm_group varchar(20) NOT NULL,
    axes int[] NOT NULL, -- a position each: lower word + 256 * higher word + 65536 * weight of the lower one / 10000
    archetype_l1 bigint NOT NULL, -- arch_ and these 12 digits
    archetype_l2 bigint NOT NULL,
    data_version bigint NOT NULL
);

-- The words behind the numbers of customer_scores.axes, written by every scoring.
CREATE TABLE axis_words (
    axis_number int,
    word_number int,
    axis varchar(50) NOT NULL,
    word varchar(50) NOT NULL,
    PRIMARY KEY (axis_number, word_number)
);

-- Nine rows a customer would be most of the writing of a scoring: other tools read them through a view instead.
DROP TABLE customer_axis;
CREATE VIEW customer_axis AS
    SELECT f.customer_id, low.axis,
           CASE WHEN p.weight >= 5000 THEN low.word ELSE high.word END AS dominant,
           (CASE WHEN low.word = 'insufficient' THEN 'weak'
                 WHEN p.weight > 7000 OR p.weight < 3000 THEN 'strong'
                 ELSE 'balanced' END)::varchar(20) AS strength,
           CASE WHEN p.weight = 10000 THEN jsonb_build_object(low.word, 1.0)
                WHEN p.weight = 0 THEN jsonb_build_object(high.word, 1.0)
                ELSE jsonb_build_object(low.word, p.weight / 10000.0, high.word, 1 - p.weight / 10000.0)
           END AS memberships,
           s.data_version
    FROM fact_customer_current f
    JOIN customer_scores s ON s.customer_id = f.customer_id::bigint
    CROSS JOIN LATERAL (SELECT ordinality::int - 1 AS axis_number, v & 255 AS low, v >> 8 & 255 AS high,
                               v >> 16 AS weight FROM unnest(s.axes) WITH ORDINALITY AS a (v, ordinality)) p
    JOIN axis_words low ON low.axis_number = p.axis_number AND low.word_number = p.low
    JOIN axis_words high ON high.axis_number = p.axis_number AND high.word_number = p.high;

-- What the population file holds beside its rows: bytes of this program in the form of its population format.
CREATE TABLE population_sections (
    name text PRIMARY KEY,
    format int NOT NULL,
    data bytea NOT NULL
);
