-- Grain: one row a customer who bought something: what recency, frequency and monetary value are taken from.
SELECT
  customer_id,
  COUNT(DISTINCT order_id) AS orders,
  CAST(SUM(quantity) AS BIGINT) AS units,
  CAST(SUM(revenue) AS DECIMAL(18,2)) AS revenue,
  MIN(sales_date) AS first_sale_date,
  MAX(sales_date) AS last_sale_date
FROM gold.fact_sales
WHERE is_sale
GROUP BY customer_id
