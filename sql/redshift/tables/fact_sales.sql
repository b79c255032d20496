-- Grain: one row an order item, whatever its order's status; is_sale says whether it counts as revenue.
CREATE TABLE IF NOT EXISTS gold.fact_sales (
  order_id BIGINT NOT NULL,
  line_no INTEGER NOT NULL,
  customer_id BIGINT NOT NULL,
  product_id BIGINT NOT NULL,
  status VARCHAR(40),
  is_sale BOOLEAN NOT NULL,
  ordered_at TIMESTAMP NOT NULL,
  sales_date DATE NOT NULL,
  sales_month DATE NOT NULL,
  quantity INTEGER,
  unit_price DECIMAL(10,2),
  discount DECIMAL(10,2),
  revenue DECIMAL(18,2),
  customer_sk BIGINT NOT NULL,
  product_sk BIGINT NOT NULL,
  _run_id VARCHAR(64),
  PRIMARY KEY (order_id, line_no)
)
DISTSTYLE KEY
DISTKEY (customer_id)
SORTKEY (sales_date);
