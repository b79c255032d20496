-- Grain: one row a version of a customer; an order joins it by customer_sk.
CREATE TABLE IF NOT EXISTS gold.dim_customer (
  customer_sk BIGINT NOT NULL,
  customer_id BIGINT NOT NULL,
  email VARCHAR(1020),
  first_name VARCHAR(320),
  last_name VARCHAR(320),
  phone VARCHAR(160),
  birth_date DATE,
  kind VARCHAR(40),
  country VARCHAR(8),
  registered_at TIMESTAMP,
  version INTEGER NOT NULL,
  valid_from TIMESTAMP NOT NULL,
  valid_to TIMESTAMP NOT NULL,
  is_current BOOLEAN NOT NULL,
  _run_id VARCHAR(64),
  PRIMARY KEY (customer_sk)
)
DISTSTYLE KEY
DISTKEY (customer_id)
SORTKEY (customer_id, valid_from);
