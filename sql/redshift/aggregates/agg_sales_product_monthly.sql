-- Grain: one row a month and version of a product with sales.
SELECT
  sales_month,
  product_sk,
  COUNT(*) AS order_items,
  CAST(SUM(quantity) AS BIGINT) AS units,
  CAST(SUM(discount) AS DECIMAL(18,2)) AS discount,
  CAST(SUM(revenue) AS DECIMAL(18,2)) AS revenue
FROM gold.fact_sales
WHERE is_sale
GROUP BY sales_month, product_sk
