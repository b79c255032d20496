-- Grain: one row, over all time. customers is a distinct count and adds up with nothing.
CREATE OR REPLACE VIEW gold.v_total_sales AS
SELECT
  sales.revenue,
  sales.discount,
  sales.orders,
  sales.units,
  buyers.customers,
  CAST(sales.revenue / NULLIF(sales.orders, 0) AS DECIMAL(18,2)) AS average_order_value,
  CAST(CAST(sales.units AS DECIMAL(18,4)) / NULLIF(sales.orders, 0) AS DECIMAL(18,2)) AS units_per_order,
  CAST(CAST(buyers.returning_customers AS DECIMAL(18,6)) / NULLIF(buyers.customers, 0) AS DECIMAL(9,4)) AS returning_customer_share,
  sales.first_sale_date,
  sales.last_sale_date
FROM (
  SELECT
    CAST(COALESCE(SUM(revenue), 0) AS DECIMAL(18,2)) AS revenue,
    CAST(COALESCE(SUM(discount), 0) AS DECIMAL(18,2)) AS discount,
    CAST(COALESCE(SUM(orders), 0) AS BIGINT) AS orders,
    CAST(COALESCE(SUM(units), 0) AS BIGINT) AS units,
    MIN(sales_date) AS first_sale_date,
    MAX(sales_date) AS last_sale_date
  FROM gold.agg_sales_daily
) sales
CROSS JOIN (
  SELECT
    COUNT(*) AS customers,
    CAST(COALESCE(SUM(CASE WHEN orders > 1 THEN 1 ELSE 0 END), 0) AS BIGINT) AS returning_customers
  FROM gold.agg_customer
) buyers
