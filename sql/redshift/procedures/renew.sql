-- The tables of {{ m.name }}. They stay as they are until its columns change; then they are made anew, and the next run fills them.
CREATE OR REPLACE PROCEDURE {{ m.renew_procedure }}() LANGUAGE plpgsql AS $$
DECLARE
  v_shape VARCHAR(64);
BEGIN
  SELECT MAX(shape) INTO v_shape FROM etl.shape WHERE model = {{ m.literal }};
  IF v_shape = '{{ m.shape }}' THEN
    RETURN;
  END IF;
  IF v_shape IS NOT NULL THEN
    CALL etl.drop_views();
    DROP TABLE IF EXISTS {{ m.gold }};
    DELETE FROM etl.position WHERE model = {{ m.literal }};
    DELETE FROM etl.staged WHERE model = {{ m.literal }};
    DELETE FROM etl.model_state WHERE model = {{ m.literal }};
    DELETE FROM etl.shape WHERE model = {{ m.literal }};
{%- for fact in m.dependents | map(attribute='fact_name') | unique %}
    -- {{ fact }} holds surrogates of versions that are gone: the next run stages it in full and looks all of them up again.
    DELETE FROM etl.position WHERE model = '{{ fact }}';
{%- endfor %}
  END IF;
{%- for table, ddl in m.own_tables %}
  DROP TABLE IF EXISTS {{ table }};
{%- endfor %}
{%- for statement in m.gold_ddl %}
{{ statement | indent(2, first=true) }};
{%- endfor %}
{%- for table, ddl in m.own_tables %}
{{ ddl | indent(2, first=true) }};
{%- endfor %}
  INSERT INTO etl.shape (model, shape) VALUES ({{ m.literal }}, '{{ m.shape }}');
END;
$$
