{%- import 'parts.sql' as parts -%}
-- {{ m.name }} is a copy of a source table: staged rows replace gold's of the same key, or all of them when staged in full.
CREATE OR REPLACE PROCEDURE {{ m.procedure }}(p_run_id VARCHAR(64)) LANGUAGE plpgsql AS $$
DECLARE
{{- parts.declarations() }}
BEGIN
{{- parts.take_lock() }}
{{- parts.read_staged(m) }}
  IF v_full IS NOT NULL THEN
{{- parts.check_staged(m, m.key) }}

    CREATE TEMP TABLE {{ m.merging }} (LIKE {{ m.gold }});
    INSERT INTO {{ m.merging }} ({{ m.gold_columns | join(', ') }})
    SELECT {{ m.columns | join(', ') }}, p_run_id FROM {{ m.staging }} WHERE _op = 'U';

    IF v_full THEN
{{- parts.replace_all(m, m.merging) }}
    ELSE
{{- parts.apply_changes(m, m.merging) }}
    END IF;
    DROP TABLE {{ m.merging }};
{{ parts.note_position(m) }}
{{- parts.note_load(m) }}
  END IF;
END;
$$
