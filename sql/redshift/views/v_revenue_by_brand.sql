-- Grain: one row a month and brand, by the brand that a product had when it was ordered. All amounts add up.
CREATE OR REPLACE VIEW gold.v_revenue_by_brand AS
SELECT
  s.sales_month,
  COALESCE(p.brand_name, 'Unknown brand') AS brand_name,
  CAST(SUM(s.order_items) AS BIGINT) AS order_items,
  CAST(SUM(s.units) AS BIGINT) AS units,
  CAST(SUM(s.revenue) AS DECIMAL(18,2)) AS revenue
FROM gold.agg_sales_product_monthly s
LEFT JOIN gold.dim_product p ON p.product_sk = s.product_sk
GROUP BY s.sales_month, COALESCE(p.brand_name, 'Unknown brand')
