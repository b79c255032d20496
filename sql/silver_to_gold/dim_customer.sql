-- Grain: one row a period in which none of a customer's attributes changed.
SELECT
  c.customer_id,
  c.email,
  c.first_name,
  c.last_name,
  c.phone,
  c.birth_date,
  c.kind,
  c.country,
  c.created_at AS registered_at,
  c._from,
  c._to
FROM customers c
WHERE NOT c._deleted
