-- Grain: one row a payment, with the film it was paid for (NULL for a payment without a rental).
SELECT
  p.payment_id,
  p.customer_id,
  p.staff_id,
  p.rental_id,
  i.store_id,
  COALESCE(i.film_id, -1) AS film_id,
  f.title AS film_title,
  p.amount,
  p.payment_date
FROM payment p
LEFT JOIN rental r ON r.rental_id = p.rental_id
LEFT JOIN inventory i ON i.inventory_id = r.inventory_id
LEFT JOIN film f ON f.film_id = i.film_id
