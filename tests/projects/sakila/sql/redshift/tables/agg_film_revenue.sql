-- Grain: one row a film that was paid for (-1: payments without a rental).
CREATE TABLE IF NOT EXISTS gold.agg_film_revenue (
  film_id INTEGER NOT NULL,
  payments BIGINT,
  revenue DECIMAL(18,2),
  last_payment TIMESTAMP,
  _run_id VARCHAR(64),
  PRIMARY KEY (film_id)
)
DISTSTYLE AUTO;
