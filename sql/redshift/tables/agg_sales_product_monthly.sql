-- Grain: one row a month and version of a product with sales (product_sk -1: a product that gold does not know yet).
CREATE TABLE IF NOT EXISTS gold.agg_sales_product_monthly (
  sales_month DATE NOT NULL,
  product_sk BIGINT NOT NULL,
  order_items BIGINT,
  units BIGINT,
  discount DECIMAL(18,2),
  revenue DECIMAL(18,2),
  _run_id VARCHAR(64),
  PRIMARY KEY (sales_month, product_sk)
)
DISTSTYLE AUTO
SORTKEY (sales_month);
