-- Grain: one row a customer who bought something. customers (always 1), orders, units and revenue add up.
-- RFM: days since the last sale (as of the newest sale in gold), number of orders, revenue; each scored 1 to 5 by quintile, 5 is best.
CREATE OR REPLACE VIEW gold.v_customer_segments AS
SELECT
  scored.customer_id,
  CASE
    WHEN scored.recency_score >= 4 AND scored.frequency_score >= 4 AND scored.monetary_score >= 4 THEN 'Champions'
    WHEN scored.recency_score >= 3 AND scored.frequency_score >= 3 THEN 'Loyal'
    WHEN scored.recency_score >= 4 AND scored.frequency_score <= 2 THEN 'New or promising'
    WHEN scored.recency_score = 3 THEN 'Needs attention'
    WHEN scored.recency_score <= 2 AND scored.frequency_score >= 3 THEN 'At risk'
    ELSE 'Hibernating'
  END AS segment,
  scored.recency_days,
  scored.recency_score,
  scored.frequency_score,
  scored.monetary_score,
  CAST(1 AS BIGINT) AS customers,
  scored.orders,
  scored.units,
  scored.revenue
FROM (
  SELECT
    c.customer_id,
    c.orders,
    c.units,
    c.revenue,
    DATEDIFF(day, c.last_sale_date, newest.sale_date) AS recency_days,
    NTILE(5) OVER (ORDER BY c.last_sale_date, c.customer_id) AS recency_score,
    NTILE(5) OVER (ORDER BY c.orders, c.customer_id) AS frequency_score,
    NTILE(5) OVER (ORDER BY c.revenue, c.customer_id) AS monetary_score
  FROM gold.agg_customer c
  CROSS JOIN (SELECT MAX(last_sale_date) AS sale_date FROM gold.agg_customer) newest
) scored
