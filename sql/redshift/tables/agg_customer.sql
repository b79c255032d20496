-- Grain: one row a customer who bought something.
CREATE TABLE IF NOT EXISTS gold.agg_customer (
  customer_id BIGINT NOT NULL,
  orders BIGINT,
  units BIGINT,
  revenue DECIMAL(18,2),
  first_sale_date DATE,
  last_sale_date DATE,
  _run_id VARCHAR(64),
  PRIMARY KEY (customer_id)
)
DISTSTYLE KEY
DISTKEY (customer_id)
SORTKEY (customer_id);
