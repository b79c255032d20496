-- Grain: one row a version of a product, with the names of its brand and category at that time.
CREATE TABLE IF NOT EXISTS gold.dim_product (
  product_sk BIGINT NOT NULL,
  product_id BIGINT NOT NULL,
  sku VARCHAR(128),
  product_name VARCHAR(800),
  brand_id BIGINT,
  brand_name VARCHAR(320),
  brand_country VARCHAR(8),
  category_id BIGINT,
  category_name VARCHAR(320),
  price DECIMAL(10,2),
  cost DECIMAL(10,2),
  is_active BOOLEAN,
  version INTEGER NOT NULL,
  valid_from TIMESTAMP NOT NULL,
  valid_to TIMESTAMP NOT NULL,
  is_current BOOLEAN NOT NULL,
  _run_id VARCHAR(64),
  PRIMARY KEY (product_sk)
)
DISTSTYLE ALL
SORTKEY (product_id, valid_from);
