-- Grain: one row a payment, whatever its status.
CREATE TABLE IF NOT EXISTS gold.fact_payments (
  payment_id BIGINT NOT NULL,
  order_id BIGINT NOT NULL,
  method VARCHAR(40),
  status VARCHAR(40),
  is_captured BOOLEAN NOT NULL,
  amount DECIMAL(12,2),
  reference VARCHAR(64),
  paid_at TIMESTAMP,
  paid_date DATE,
  _run_id VARCHAR(64),
  PRIMARY KEY (payment_id)
)
DISTSTYLE KEY
DISTKEY (order_id)
SORTKEY (paid_date);
