-- Grain: one row a period in which none of a product's attributes changed, its brand's and category's included.
-- Each input holds periods without gap; those of a brand and a category that do not meet come out empty and are left out.
SELECT
  p.product_id,
  p.sku,
  p.name AS product_name,
  p.brand_id,
  b.name AS brand_name,
  b.country AS brand_country,
  p.category_id,
  c.name AS category_name,
  p.price,
  p.cost,
  p.active <> 0 AS is_active,
  greatest(p._from, b._from, c._from) AS _from,
  least(p._to, b._to, c._to) AS _to
FROM products p
LEFT JOIN brands b ON b.brand_id = p.brand_id AND b._from < p._to AND p._from < b._to
LEFT JOIN categories c ON c.category_id = p.category_id AND c._from < p._to AND p._from < c._to
WHERE NOT p._deleted
