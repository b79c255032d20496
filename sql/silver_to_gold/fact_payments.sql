-- Grain: one row a payment. Moments are UTC, days the business's.
{%- set paid_at = "to_utc_timestamp(p.paid_at, '" ~ source.time_zone ~ "')" %}
SELECT
  p.payment_id,
  p.order_id,
  p.method,
  p.status,
  p.status = 'captured' AS is_captured,
  p.amount,
  p.reference,
  {{ paid_at }} AS paid_at,
  to_date(from_utc_timestamp({{ paid_at }}, '{{ business.time_zone }}')) AS paid_date
FROM payments p
