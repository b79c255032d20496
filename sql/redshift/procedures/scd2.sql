{%- import 'parts.sql' as parts -%}
-- {{ m.name }}: a staged key comes with its whole history, which replaces gold's. A row staged 'D' has none left.
CREATE OR REPLACE PROCEDURE {{ m.procedure }}(p_run_id VARCHAR(64)) LANGUAGE plpgsql AS $$
DECLARE
{{- parts.declarations() }}
BEGIN
{{- parts.take_lock() }}
{{- parts.read_staged(m) }}
  IF v_full IS NOT NULL THEN
{{- parts.check_staged(m, m.key + ['version']) }}
    SELECT COUNT(*) INTO v_rows FROM (
      SELECT 1 AS one FROM {{ m.staging }} WHERE _op = 'U' GROUP BY {{ m.surrogate }} HAVING COUNT(*) > 1
    ) repeated;
    IF v_rows > 0 THEN
      RAISE EXCEPTION '{{ m.name }}: % values of {{ m.surrogate }} are staged more than once by run %', v_rows, p_run_id;
    END IF;

    CREATE TEMP TABLE {{ m.merging }} ({% for column, kind in m.key_types %}{{ column }} {{ kind }}{{ ", " if not loop.last }}{% endfor %});
    INSERT INTO {{ m.merging }} ({{ m.key | join(', ') }}) SELECT DISTINCT {{ m.key | join(', ') }} FROM {{ m.staging }};
    IF v_full THEN
      INSERT INTO {{ m.merging }} ({{ m.key | join(', ') }})
      SELECT DISTINCT {{ m.key | prefixed('f') }} FROM {{ m.gold }} f
      LEFT JOIN {{ m.staging }} s ON {{ m.key | matched('s', 'f') }}
      WHERE s._op IS NULL;
    END IF;

    -- Versions by surrogate: new, gone, and those that stay but differ (closed, mostly).
    SELECT COUNT(*) INTO v_inserted FROM {{ m.staging }} s
    LEFT JOIN {{ m.gold }} f ON f.{{ m.surrogate }} = s.{{ m.surrogate }}
    WHERE s._op = 'U' AND f.{{ m.surrogate }} IS NULL;
    SELECT COUNT(*) INTO v_updated FROM (
      SELECT {{ m.columns | join(', ') }} FROM {{ m.staging }} WHERE _op = 'U'
      EXCEPT
      SELECT {{ m.columns | join(', ') }} FROM {{ m.gold }}
    ) differing;
    v_updated := v_updated - v_inserted;
    SELECT COUNT(*) INTO v_deleted FROM {{ m.gold }} f
    JOIN {{ m.merging }} t ON {{ m.key | matched('f', 't') }}
    LEFT JOIN {{ m.staging }} s ON s.{{ m.surrogate }} = f.{{ m.surrogate }} AND s._op = 'U'
    WHERE s.{{ m.surrogate }} IS NULL;

    DELETE FROM {{ m.gold }} USING {{ m.merging }} t WHERE {{ m.key | matched(m.bare, 't') }};
    INSERT INTO {{ m.gold }} ({{ m.gold_columns | join(', ') }})
    SELECT {{ m.columns | join(', ') }}, p_run_id FROM {{ m.staging }} WHERE _op = 'U';
{%- for look in m.dependents %}

    -- {{ look.fact_name }} looks these keys up again when it is merged.
    SELECT COUNT(*) INTO v_rows FROM (SELECT 1 AS one FROM {{ look.fact }} LIMIT 1) some_row;
    IF v_rows > 0 THEN
      INSERT INTO {{ look.pending }} ({{ look.match | join(', ') }}) SELECT {{ look.keys | join(', ') }} FROM {{ m.merging }};
    END IF;
{%- endfor %}
    DROP TABLE {{ m.merging }};
{{ parts.note_position(m) }}
{{- parts.note_load(m) }}
  END IF;
END;
$$
