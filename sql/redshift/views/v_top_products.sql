-- Grain: one row a product that sold, by the names that it has now. All counts and amounts add up over products.
CREATE OR REPLACE VIEW gold.v_top_products AS
SELECT
  sold.product_id,
  COALESCE(now_known.product_name, 'Unknown product') AS product_name,
  COALESCE(now_known.brand_name, 'Unknown brand') AS brand_name,
  COALESCE(now_known.category_name, 'Unknown category') AS category_name,
  sold.order_items,
  sold.units,
  sold.revenue,
  CAST(sold.revenue / NULLIF(sold.units, 0) AS DECIMAL(18,2)) AS average_unit_revenue
FROM (
  SELECT
    COALESCE(p.product_id, -1) AS product_id,
    CAST(SUM(s.order_items) AS BIGINT) AS order_items,
    CAST(SUM(s.units) AS BIGINT) AS units,
    CAST(SUM(s.revenue) AS DECIMAL(18,2)) AS revenue
  FROM gold.agg_sales_product_monthly s
  LEFT JOIN gold.dim_product p ON p.product_sk = s.product_sk
  GROUP BY COALESCE(p.product_id, -1)
) sold
LEFT JOIN (
  SELECT
    product_id,
    product_name,
    brand_name,
    category_name,
    ROW_NUMBER() OVER (PARTITION BY product_id ORDER BY version DESC) AS from_newest
  FROM gold.dim_product
) now_known ON now_known.product_id = sold.product_id AND now_known.from_newest = 1
