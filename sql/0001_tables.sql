-- The tables other tools read (columns are never removed or retyped; only added), and our own.

CREATE TABLE combined_sales (
    id bigserial PRIMARY KEY,
    sync_timestamp timestamp NOT NULL DEFAULT (now() AT TIME ZONE 'utc'),
    order_id bigint NOT NULL,
    order_number bigint,
    customer_id bigint, -- null: a guest order
    order_date timestamp NOT NULL,
    created_at timestamp,
    year int,
    quarter int,
    month int,
    month_name varchar(20),
    week int,
    day int,
    week_day varchar(20),
    sku varchar(255),
    product_id bigint,
    product_name text,
    variant_name text,
    product_type varchar(255),
    category varchar(255),
    quantity bigint,
    line_item_sales numeric(18,2),
    line_item_discount numeric(18,2),
    line_item_refunds numeric(18,2),
    currency varchar(10),
    sales_channel varchar(255),
    latitude double precision,
    longitude double precision,
    fulfillment_status varchar(100),
    financial_status varchar(100),
    order_total numeric(18,2),
    order_total_items bigint,
    line_hash bigint NOT NULL -- of the 30 source columns: orders are compared by it
);
CREATE INDEX idx_combined_sales_customer ON combined_sales (customer_id, order_date DESC);
CREATE INDEX idx_combined_sales_order_date ON combined_sales (order_date);
CREATE INDEX idx_combined_sales_product ON combined_sales (product_id);
CREATE INDEX idx_combined_sales_category ON combined_sales (category);
CREATE INDEX idx_combined_sales_sku ON combined_sales (sku);
CREATE INDEX idx_combined_sales_order_id ON combined_sales (order_id);
COMMENT ON TABLE combined_sales IS 'Order lines as last synced; an order is replaced as a whole';

CREATE TABLE fact_customer_current (
    customer_id varchar(100) PRIMARY KEY,
    store_id varchar(100) NOT NULL,
    archetype_l1_id varchar(50),
    archetype_l2_id varchar(50),
    archetype_l3_id varchar(50), -- always null
    lifetime_value float,
    total_orders int,
    avg_order_value float,
    days_since_last_purchase int,
    customer_tenure_days int,
    churn_risk_score float,
    last_updated timestamptz NOT NULL DEFAULT now(),
    created_at timestamptz DEFAULT now(),
    tenant_id uuid,
    gross_sales numeric(18,2),
    refunds numeric(18,2),
    first_order_date date,
    last_order_date date,
    avg_days_between_orders float,
    risk_level varchar(20),
    rfm_group varchar(20),
    predicted_clv float,
    p_alive float,
    data_version bigint
);
CREATE INDEX idx_customer_ltv ON fact_customer_current (lifetime_value DESC);
CREATE INDEX idx_fact_current_store ON fact_customer_current (store_id);
CREATE INDEX idx_fact_current_l1 ON fact_customer_current (archetype_l1_id);
CREATE INDEX idx_fact_current_l2 ON fact_customer_current (archetype_l2_id);
CREATE INDEX idx_fact_current_l3 ON fact_customer_current (archetype_l3_id);
CREATE INDEX idx_fact_current_tenant ON fact_customer_current (tenant_id);
CREATE INDEX idx_fact_current_tenant_customer ON fact_customer_current (tenant_id, customer_id);

CREATE TABLE dim_archetype_l1 (
    archetype_id varchar(50) PRIMARY KEY,
    store_id varchar(100),
    dominant_segments jsonb,
    description text,
    behavioral_traits varchar[],
    member_count int,
    population_percentage float,
    avg_lifetime_value float,
    avg_order_frequency float,
    last_calculated timestamptz,
    created_at timestamptz DEFAULT now(),
    updated_at timestamptz DEFAULT now(),
    tenant_id uuid
);
CREATE TABLE dim_archetype_l2 (
    archetype_id varchar(50) PRIMARY KEY,
    store_id varchar(100),
    dominant_segments jsonb,
    membership_strengths jsonb,
    description text,
    behavioral_traits varchar[],
    member_count int,
    population_percentage float,
    avg_lifetime_value float,
    avg_order_frequency float,
    last_calculated timestamptz,
    created_at timestamptz DEFAULT now(),
    updated_at timestamptz DEFAULT now(),
    tenant_id uuid
);
CREATE VIEW dim_archetype AS
    SELECT archetype_id, store_id, dominant_segments, NULL::jsonb AS membership_strengths, description, behavioral_traits,
           member_count, population_percentage, avg_lifetime_value, avg_order_frequency, last_calculated, created_at,
           updated_at, tenant_id, 'l1' AS archetype_level
    FROM dim_archetype_l1
    UNION ALL
    SELECT archetype_id, store_id, dominant_segments, membership_strengths, description, behavioral_traits, member_count,
           population_percentage, avg_lifetime_value, avg_order_frequency, last_calculated, created_at, updated_at,
           tenant_id, 'l2'
    FROM dim_archetype_l2;

CREATE TABLE customer_axis (
    customer_id varchar(100),
    axis varchar(50),
    dominant varchar(50) NOT NULL,
    strength varchar(20) NOT NULL,
    memberships jsonb NOT NULL,
    data_version bigint,
    PRIMARY KEY (customer_id, axis)
);

CREATE TABLE segment_history (
    day date,
    axis varchar(50),
    segment varchar(50),
    members int NOT NULL,
    PRIMARY KEY (day, axis, segment)
);

CREATE TABLE api_keys (
    id serial PRIMARY KEY,
    key_hash varchar(128) NOT NULL UNIQUE, -- SHA-256, hexadecimal
    key_prefix varchar(10) NOT NULL,
    name varchar(100) NOT NULL,
    scopes text[] NOT NULL,
    rate_limit_per_hour int,
    created_at timestamptz NOT NULL DEFAULT now(),
    created_by varchar(100),
    expires_at timestamptz NOT NULL,
    last_used_at timestamptz,
    usage_count bigint NOT NULL DEFAULT 0,
    is_active boolean NOT NULL DEFAULT true,
    revoked_at timestamptz,
    revocation_reason varchar(200),
    rotated_to int,
    notes text
);

CREATE TABLE sync_runs (
    run_id bigserial PRIMARY KEY,
    mode varchar(20) NOT NULL,
    status varchar(20) NOT NULL,
    trigger varchar(20) NOT NULL,
    started_at timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz,
    duration_seconds float,
    rows_read bigint NOT NULL DEFAULT 0,
    rows_inserted bigint NOT NULL DEFAULT 0,
    rows_updated bigint NOT NULL DEFAULT 0,
    rows_deleted bigint NOT NULL DEFAULT 0,
    rows_skipped bigint NOT NULL DEFAULT 0,
    customers_scored bigint NOT NULL DEFAULT 0,
    data_version bigint,
    error text,
    phase varchar(20),
    heartbeat_at timestamptz,
    deadline_at timestamptz,
    watermark timestamp,
    error_code varchar(30),
    oom_kills bigint -- the kernel's count when the run began: was it what ended the process?
);
CREATE INDEX idx_sync_runs_started ON sync_runs (started_at DESC);

CREATE TABLE model_runs (
    model_version varchar(50) PRIMARY KEY,
    as_of date NOT NULL,
    trained_at timestamptz NOT NULL DEFAULT now(),
    status varchar(20) NOT NULL,
    calibrated boolean,
    params jsonb,
    metrics jsonb
);

CREATE TABLE data_versions (
    data_version bigint PRIMARY KEY,
    published_at timestamptz NOT NULL DEFAULT now(),
    as_of date NOT NULL,
    run_id bigint,
    model_version varchar(50),
    customers bigint NOT NULL,
    orders bigint NOT NULL,
    rows bigint NOT NULL,
    archetypes bigint NOT NULL DEFAULT 0
);

CREATE TABLE sync_quarantine (
    id bigserial PRIMARY KEY,
    run_id bigint,
    line_number bigint, -- null: not from a file
    order_id text,
    reason text NOT NULL,
    "row" jsonb,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX idx_sync_quarantine_run ON sync_quarantine (run_id);

-- Ours: what the lines say about a customer up to the as-of day; the population is compiled from it.
CREATE TABLE customer_facts (
    customer_id bigint PRIMARY KEY,
    gross_cents bigint NOT NULL,
    refunds_cents bigint NOT NULL,
    first_day int NOT NULL, -- day numbers since 1970-01-01
    last_day int NOT NULL,
    orders int NOT NULL,
    lines int NOT NULL,
    products int NOT NULL,
    orders_90 int NOT NULL,
    orders_prev_90 int NOT NULL,
    purchase_days int NOT NULL, -- days with gross sales above zero
    purchase_first_day int NOT NULL,
    purchase_last_day int NOT NULL,
    spend_days int NOT NULL, -- purchase days with net sales above zero
    spend_cents bigint NOT NULL,
    list_cents bigint NOT NULL,
    discount_cents bigint NOT NULL,
    discounted_cents bigint NOT NULL,
    category_lines int NOT NULL,
    category_entropy float NOT NULL,
    weekend_orders int NOT NULL,
    holiday_orders int NOT NULL,
    quarter_orders int[] NOT NULL,
    order_years int NOT NULL,
    repeat_products int NOT NULL,
    later_products int NOT NULL
);

-- Customers whose lines changed since their facts were computed.
CREATE TABLE customer_dirty (
    customer_id bigint PRIMARY KEY
);

-- One row: what the last scoring was made for, and how far the source was read.
CREATE TABLE sync_state (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    watermark timestamp,
    facts_as_of date,         -- day for which customer_facts holds
    facts_settings text,      -- settings that change the population
    currency varchar(10),     -- the commonest of the lines
    facts_all boolean NOT NULL DEFAULT true -- every customer must be computed anew
);
INSERT INTO sync_state DEFAULT VALUES;
