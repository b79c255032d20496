{%- import 'parts.sql' as parts -%}
-- {{ m.name }}: staged rows are merged by key
{%- if m.lookups %}, with the surrogate keys valid at their moment; rows whose dimension changed are looked up again{% endif %}.
CREATE OR REPLACE PROCEDURE {{ m.procedure }}(p_run_id VARCHAR(64)) LANGUAGE plpgsql AS $$
DECLARE
{{- parts.declarations() }}
  v_again BIGINT := 0;
BEGIN
{{- parts.take_lock() }}
{{- parts.read_staged(m) }}
  IF v_full IS NOT NULL THEN
{{- parts.check_staged(m, m.key) }}

    CREATE TEMP TABLE {{ m.merging }} (LIKE {{ m.gold }});
    INSERT INTO {{ m.merging }} ({{ m.gold_columns | join(', ') }})
    SELECT {{ m.columns | prefixed('s') }}
    {%- for look in m.lookups %}, COALESCE({{ look.alias }}.{{ look.surrogate }}, -1){% endfor %}, p_run_id
    FROM {{ m.staging }} s
{%- for look in m.lookups %}
    LEFT JOIN {{ look.dimension }} {{ look.alias }} ON {{ look.on('s') }}
{%- endfor %}
    WHERE s._op = 'U';

    IF v_full THEN
{{- parts.replace_all(m, m.merging) }}
{%- for look in m.lookups %}
      DELETE FROM {{ look.pending }};
{%- endfor %}
    ELSE
{{- parts.apply_changes(m, m.merging) }}
    END IF;
    DROP TABLE {{ m.merging }};
{{ parts.note_position(m) }}
  END IF;
{%- if m.lookups %}

  -- Rows of dimension keys that changed since they were looked up. Rows merged above come out as they are.
  CREATE TEMP TABLE {{ m.again }} (LIKE {{ m.gold }});
{%- for look in m.lookups %}
  INSERT INTO {{ m.again }} ({{ m.gold_columns | join(', ') }})
  SELECT {% for column in m.gold_columns -%}
    {{ "COALESCE(" ~ look.alias ~ "." ~ look.surrogate ~ ", -1)" if column == look.column else "f." ~ column }}
    {{- ", " if not loop.last }}
  {%- endfor %}
  FROM {{ m.gold }} f
  JOIN (SELECT DISTINCT {{ look.match | join(', ') }} FROM {{ look.pending }}) p ON {{ look.match | matched('f', 'p') }}
  LEFT JOIN {{ look.dimension }} {{ look.alias }} ON {{ look.on('f') }}
  WHERE f.{{ look.column }} <> COALESCE({{ look.alias }}.{{ look.surrogate }}, -1);
{{- parts.mark_groups(m, m.gold ~ " f JOIN " ~ m.again ~ " s ON " ~ (m.key | matched("f", "s"))) }}
  UPDATE {{ m.gold }} SET {{ look.column }} = s.{{ look.column }}, _run_id = p_run_id
  FROM {{ m.again }} s WHERE {{ m.key | matched(m.bare, 's') }} AND s.{{ look.column }} <> {{ m.bare }}.{{ look.column }};
{{- parts.mark_groups(m, m.gold ~ " f JOIN " ~ m.again ~ " s ON " ~ (m.key | matched("f", "s"))) }}
  DELETE FROM {{ look.pending }};
{%- endfor %}
  SELECT COUNT(*) INTO v_again FROM (SELECT DISTINCT {{ m.key | join(', ') }} FROM {{ m.again }}) changed;
  v_updated := v_updated + v_again;
  DROP TABLE {{ m.again }};
  IF v_full IS NULL THEN
    SELECT MAX(to_position), MAX(to_position), MAX(select_hash) INTO v_from, v_to, v_hash
    FROM etl.position WHERE model = {{ m.literal }};
  END IF;
{%- endif %}

  IF v_full IS NOT NULL OR v_again > 0 THEN
    v_full := COALESCE(v_full, FALSE);
    v_staged := COALESCE(v_staged, 0);
{{- parts.note_load(m) }}
  END IF;
END;
$$
