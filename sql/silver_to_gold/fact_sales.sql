-- Grain: one row an order item whose order is there. Moments are UTC, days and months the business's.
{%- set ordered_at = "to_utc_timestamp(o.ordered_at, '" ~ source.time_zone ~ "')" %}
{%- set ordered_here = "from_utc_timestamp(" ~ ordered_at ~ ", '" ~ business.time_zone ~ "')" %}
SELECT
  i.order_id,
  i.line_no,
  o.customer_id,
  i.product_id,
  o.status,
  o.status IN ({{ business.sales_statuses | sql_list }}) AS is_sale,
  {{ ordered_at }} AS ordered_at,
  to_date({{ ordered_here }}) AS sales_date,
  to_date(date_trunc('month', {{ ordered_here }})) AS sales_month,
  i.quantity,
  i.unit_price,
  i.discount,
  CAST(i.quantity * i.unit_price - i.discount AS DECIMAL(18,2)) AS revenue
FROM order_items i
JOIN orders o ON o.order_id = i.order_id
