-- Grain: one row a day with sales. orders, order_items, units, discount and revenue add up over days;
-- average_order_value and its like do not.
CREATE OR REPLACE VIEW gold.v_sales_over_time AS
SELECT
  s.sales_date,
  CAST(DATE_TRUNC('month', s.sales_date) AS DATE) AS sales_month,
  d.iso_week,
  d.day_name,
  d.is_weekend,
  s.orders,
  s.order_items,
  s.units,
  s.discount,
  s.revenue,
  CAST(s.revenue / NULLIF(s.orders, 0) AS DECIMAL(18,2)) AS average_order_value
FROM gold.agg_sales_daily s
LEFT JOIN gold.dim_date d ON d.date_day = s.sales_date
