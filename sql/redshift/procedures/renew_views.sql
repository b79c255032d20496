-- The views stay until one of them changes; then all are made anew, in one transaction: no reader misses one.
-- CREATE OR REPLACE VIEW alone takes the very same columns only (Redshift: CREATE VIEW).
CREATE OR REPLACE PROCEDURE etl.renew_views() LANGUAGE plpgsql AS $$
DECLARE
  v_same BIGINT;
BEGIN
  SELECT COUNT(*) INTO v_same FROM etl.views WHERE shape = '{{ shape }}';
  IF v_same = {{ views | length }} AND v_same > 0 THEN
    RETURN;
  END IF;
  CALL etl.drop_views();
{%- for view in views %}
  CALL {{ view.procedure }}();
  INSERT INTO etl.views (name, shape) VALUES ('{{ view.name }}', '{{ shape }}');
{%- endfor %}
END;
$$
