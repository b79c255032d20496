-- Grain: one row a film.
SELECT
  film_id,
  COUNT(*) AS payments,
  CAST(SUM(amount) AS DECIMAL(18,2)) AS revenue,
  MAX(payment_date) AS last_payment
FROM gold.fact_payment
GROUP BY film_id
