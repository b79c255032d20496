-- {{ m.model }}, {{ m.change }}: {{ m.what }}. Once it is done it does nothing.
CREATE OR REPLACE PROCEDURE etl.migrate_{{ m.model }}() LANGUAGE plpgsql AS $$
DECLARE
  v_shape VARCHAR(64);
BEGIN
  SELECT MAX(shape) INTO v_shape FROM etl.shape WHERE model = '{{ m.model }}';
  IF COALESCE(v_shape, 'none') <> '{{ m.before or "none" }}' THEN
    RETURN;
  END IF;
{%- for statement in m.statements %}
{{ statement | indent(2, first=true) }};
{%- endfor %}
  INSERT INTO etl.migration (version, model, change, what, evaluation, tool_version, applied_at)
  VALUES ('{{ m.version }}', '{{ m.model }}', '{{ m.change }}', {{ [m.what] | sql_list }}, {{ m.evaluation | lower }}, '{{ tool }}', SYSDATE);
END;
$$
