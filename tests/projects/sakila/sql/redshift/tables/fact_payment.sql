-- Grain: one row a payment.
CREATE TABLE IF NOT EXISTS gold.fact_payment (
  payment_id INTEGER NOT NULL,
  customer_id INTEGER,
  staff_id INTEGER,
  rental_id INTEGER,
  store_id INTEGER,
  film_id INTEGER,
  film_title VARCHAR(1020),
  amount DECIMAL(5,2),
  payment_date TIMESTAMP,
  _run_id VARCHAR(64),
  PRIMARY KEY (payment_id)
)
DISTSTYLE AUTO
SORTKEY (payment_date);
