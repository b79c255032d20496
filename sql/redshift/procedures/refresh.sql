{%- import 'parts.sql' as parts -%}
-- {{ m.name }} is computed from {{ m.source }} as a whole; merge_run calls {{ m.touched_procedure }} instead where that will do.
CREATE OR REPLACE PROCEDURE {{ m.procedure }}(p_run_id VARCHAR(64)) LANGUAGE plpgsql AS $$
DECLARE
{{- parts.declarations() }}
BEGIN
{{- parts.take_lock() }}
  SELECT COUNT(*) INTO v_loaded FROM etl.load WHERE run_id = p_run_id AND model = {{ m.literal }};
  SELECT MAX(to_position) INTO v_from FROM etl.position WHERE model = {{ m.literal }};
  SELECT MAX(to_position) INTO v_to FROM etl.position WHERE model = {{ m.source_literal }};
  v_hash := {{ m.hash_literal }};
  v_full := TRUE;

  CREATE TEMP TABLE {{ m.merging }} (LIKE {{ m.gold }});
  INSERT INTO {{ m.merging }} ({{ m.gold_columns | join(', ') }})
  SELECT {{ m.columns | prefixed('q') }}, p_run_id FROM (
{{ m.select | indent(4, first=true) }}
  ) q;
{{- parts.replace_all(m, m.merging) }}
  DROP TABLE {{ m.merging }};
  DELETE FROM {{ m.pending }};
{{ parts.note_position(m) }}
{{- parts.note_load(m) }}
END;
$$
