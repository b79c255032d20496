{%- import 'parts.sql' as parts -%}
-- {{ m.name }}: computes only the groups that merges of {{ m.source }} left or entered since the last time.
-- Everything, when it was never loaded, its SELECT has changed, or {{ m.source }} was loaded in full.
CREATE OR REPLACE PROCEDURE {{ m.touched_procedure }}(p_run_id VARCHAR(64)) LANGUAGE plpgsql AS $$
DECLARE
{{- parts.declarations() }}
BEGIN
{{- parts.take_lock() }}
  SELECT COUNT(*) INTO v_rows FROM etl.position WHERE model = {{ m.source_literal }};
  IF v_rows = 0 THEN
    RETURN;
  END IF;
  SELECT MAX(to_position), MAX(select_hash) INTO v_from, v_hash FROM etl.position WHERE model = {{ m.literal }};
  IF v_hash IS NULL OR v_hash <> {{ m.hash_literal }} THEN
    CALL {{ m.procedure }}(p_run_id);
    RETURN;
  END IF;

  CREATE TEMP TABLE {{ m.touched }} ({% for column, kind in m.key_types %}{{ column }} {{ kind }}{{ ", " if not loop.last }}{% endfor %});
  INSERT INTO {{ m.touched }} ({{ m.key | join(', ') }}) SELECT DISTINCT {{ m.key | join(', ') }} FROM {{ m.pending }};
  GET DIAGNOSTICS v_rows := ROW_COUNT;
  IF v_rows > 0 THEN
    SELECT COUNT(*) INTO v_rows FROM {{ m.touched }} WHERE {% for column in m.key %}{{ column }} IS NULL{{ " OR " if not loop.last }}{% endfor %};
    IF v_rows > 0 THEN
      RAISE EXCEPTION '{{ m.name }}: {{ m.source }} has rows without {{ m.key | join(" or ") }}; give them a value such as -1';
    END IF;
    SELECT COUNT(*) INTO v_loaded FROM etl.load WHERE run_id = p_run_id AND model = {{ m.literal }};
    SELECT MAX(to_position) INTO v_to FROM etl.position WHERE model = {{ m.source_literal }};
    v_full := FALSE;

    CREATE TEMP TABLE {{ m.source_rows }} (LIKE {{ m.source_gold }});
    INSERT INTO {{ m.source_rows }} ({{ m.source_columns | join(', ') }})
    SELECT {{ m.source_columns | prefixed('f') }} FROM {{ m.source_gold }} f
    JOIN {{ m.touched }} t ON {{ m.key | matched('f', 't') }};
    CREATE TEMP TABLE {{ m.merging }} (LIKE {{ m.gold }});
    INSERT INTO {{ m.merging }} ({{ m.gold_columns | join(', ') }})
    SELECT {{ m.columns | prefixed('q') }}, p_run_id FROM (
{{ m.touched_select | indent(6, first=true) }}
    ) q;

{{- parts.count_changes(m, m.merging) }}
    DELETE FROM {{ m.gold }} USING {{ m.touched }} t WHERE {{ m.key | matched(m.bare, 't') }};
    GET DIAGNOSTICS v_deleted := ROW_COUNT;
    v_deleted := v_deleted - v_matched;
    INSERT INTO {{ m.gold }} ({{ m.gold_columns | join(', ') }})
    SELECT {{ m.gold_columns | join(', ') }} FROM {{ m.merging }};
    DROP TABLE {{ m.merging }};
    DROP TABLE {{ m.source_rows }};
    DELETE FROM {{ m.pending }};
{{ parts.note_position(m) }}
{{- parts.note_load(m) }}
  END IF;
  DROP TABLE {{ m.touched }};
END;
$$
