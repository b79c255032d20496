-- Grain: one row a month and product that sold, by the product's name now and the brand that it had when it was ordered.
-- All amounts add up, over months and brands to v_top_products.
CREATE OR REPLACE VIEW gold.v_product_months AS
SELECT
  sold.sales_month,
  COALESCE(now_known.product_name, 'Unknown product') AS product_name,
  sold.brand_name,
  CAST(SUM(sold.units) AS BIGINT) AS units,
  CAST(SUM(sold.revenue) AS DECIMAL(18,2)) AS revenue
FROM (
  SELECT
    s.sales_month,
    COALESCE(p.product_id, -1) AS product_id,
    COALESCE(p.brand_name, 'Unknown brand') AS brand_name,
    s.units,
    s.revenue
  FROM gold.agg_sales_product_monthly s
  LEFT JOIN gold.dim_product p ON p.product_sk = s.product_sk
) sold
LEFT JOIN (
  SELECT
    product_id,
    product_name,
    ROW_NUMBER() OVER (PARTITION BY product_id ORDER BY version DESC) AS from_newest
  FROM gold.dim_product
) now_known ON now_known.product_id = sold.product_id AND now_known.from_newest = 1
GROUP BY sold.sales_month, COALESCE(now_known.product_name, 'Unknown product'), sold.brand_name
