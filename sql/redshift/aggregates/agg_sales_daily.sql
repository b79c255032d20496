-- Grain: one row a day with sales, in the business's time zone.
SELECT
  sales_date,
  COUNT(DISTINCT order_id) AS orders,
  COUNT(*) AS order_items,
  CAST(SUM(quantity) AS BIGINT) AS units,
  CAST(SUM(discount) AS DECIMAL(18,2)) AS discount,
  CAST(SUM(revenue) AS DECIMAL(18,2)) AS revenue
FROM gold.fact_sales
WHERE is_sale
GROUP BY sales_date
