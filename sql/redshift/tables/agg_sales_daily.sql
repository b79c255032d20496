-- Grain: one row a day with sales. An order has one day, so that orders add up over days.
CREATE TABLE IF NOT EXISTS gold.agg_sales_daily (
  sales_date DATE NOT NULL,
  orders BIGINT,
  order_items BIGINT,
  units BIGINT,
  discount DECIMAL(18,2),
  revenue DECIMAL(18,2),
  _run_id VARCHAR(64),
  PRIMARY KEY (sales_date)
)
DISTSTYLE ALL
SORTKEY (sales_date);
