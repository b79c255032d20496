{#- What the merge procedures have in common. `m` is the model (medallion_cli.warehouse.Merge). -#}

{%- macro declarations() %}
  v_loaded BIGINT;
  v_from VARCHAR(8000);
  v_to VARCHAR(8000);
  v_hash VARCHAR(64);
  v_full BOOLEAN;
  v_position VARCHAR(8000);
  v_expected VARCHAR(8000);
  v_staged BIGINT := 0;
  v_rows BIGINT;
  v_matched BIGINT := 0;
  v_inserted BIGINT := 0;
  v_updated BIGINT := 0;
  v_deleted BIGINT := 0;
{%- endmacro %}

{%- macro take_lock() %}
  LOCK etl.merge_lock;
  UPDATE etl.merge_lock SET run_id = p_run_id;
{%- endmacro %}

{%- macro read_staged(m) %}
  -- v_full stays NULL when the run has staged nothing for this model, or it is merged already. A run that is retried after
  -- its merge stages what has come since: that is not merged yet.
  SELECT COUNT(*) INTO v_loaded FROM etl.load WHERE run_id = p_run_id AND model = {{ m.literal }};
  SELECT s.from_position, s.to_position, s.select_hash, s.is_full, s.staged_rows INTO v_from, v_to, v_hash, v_full, v_staged
  FROM etl.staged s WHERE s.run_id = p_run_id AND s.model = {{ m.literal }} AND NOT EXISTS (
    SELECT 1 FROM etl.load l
    WHERE l.run_id = s.run_id AND l.model = s.model AND l.to_position = s.to_position AND l.select_hash = s.select_hash
  );
{%- endmacro %}

{%- macro check_staged(m, key) %}
    -- COPY goes by position: rows that were staged for other columns lie in this table under the wrong names. The ledger says
    -- for which columns the table was made, the literal for which this procedure was.
    SELECT COUNT(*) INTO v_rows FROM etl.shape
    WHERE model = {{ m.literal }} AND shape LIKE v_hash || '-%' AND v_hash = {{ m.hash_literal }};
    IF v_rows = 0 THEN
      RAISE EXCEPTION '{{ m.name }} has changed since run % staged it. restage: run `medallion run --layer gold`', p_run_id;
    END IF;
    SELECT MAX(to_position) INTO v_position FROM etl.position WHERE model = {{ m.literal }};
    v_position := COALESCE(v_position, 'nothing');
    v_expected := COALESCE(v_from, 'nothing');
    -- In full, too: rows of a run that others came after would take gold back.
    IF v_expected <> v_position THEN
      RAISE EXCEPTION '{{ m.name }} stands at % in gold, but run % was staged from %. restage: run `medallion run --layer gold`',
        v_position, p_run_id, v_expected;
    END IF;
    SELECT COUNT(*) INTO v_rows FROM {{ m.staging }};
    IF v_rows <> v_staged THEN
      RAISE EXCEPTION '{{ m.name }}: staging holds % rows, run % staged %. restage: run `medallion run --layer gold`',
        v_rows, p_run_id, v_staged;
    END IF;
    SELECT COUNT(*) INTO v_rows FROM (
      SELECT 1 AS one FROM {{ m.staging }} GROUP BY {{ key | join(', ') }} HAVING COUNT(*) > 1
    ) repeated;
    IF v_rows > 0 THEN
      RAISE EXCEPTION '{{ m.name }}: % keys ({{ key | join(", ") }}) are staged more than once by run %', v_rows, p_run_id;
    END IF;
{%- endmacro %}

{%- macro mark_groups(m, relation) %}
{%- for group in m.groups %}
      INSERT INTO {{ group.pending }} ({{ group.key | join(', ') }})
      SELECT DISTINCT {{ group.key | prefixed('f') }} FROM {{ relation }};
{%- endfor %}
{%- endmacro %}

{#- Redshift compares texts without their trailing blanks: good enough to count by, not to leave a row out of the merge. -#}
{%- macro count_changes(m, merging) %}
      -- New keys are inserted rows, other values under a known key updated ones; a row as gold has it is neither.
      SELECT COUNT(*) INTO v_matched FROM {{ merging }} s JOIN {{ m.gold }} f ON {{ m.key | matched('f', 's') }};
      SELECT COUNT(*) INTO v_inserted FROM {{ merging }};
      v_inserted := v_inserted - v_matched;
      IF v_matched > 0 THEN
        SELECT COUNT(*) INTO v_updated FROM (
          SELECT {{ m.compared | join(', ') }} FROM {{ merging }}
          EXCEPT
          SELECT {{ m.compared | prefixed('f') }} FROM {{ m.gold }} f JOIN {{ merging }} s ON {{ m.key | matched('f', 's') }}
        ) differing;
        v_updated := v_updated - v_inserted;
      END IF;
{%- endmacro %}

{%- macro replace_all(m, merging) %}
      -- Everything anew, in this transaction.
{{- count_changes(m, merging) }}
      DELETE FROM {{ m.gold }};
      GET DIAGNOSTICS v_deleted := ROW_COUNT;
      v_deleted := v_deleted - v_matched;
      INSERT INTO {{ m.gold }} ({{ m.gold_columns | join(', ') }})
      SELECT {{ m.gold_columns | join(', ') }} FROM {{ merging }};
{%- for group in m.groups %}
      DELETE FROM {{ group.pending }};
      UPDATE etl.position SET select_hash = 'stale' WHERE model = {{ group.literal }};
{%- endfor %}
{%- endmacro %}

{%- macro apply_changes(m, merging) %}
{%- if m.groups %}
      -- Groups of aggregates that these rows leave and enter.
{{- mark_groups(m, m.gold ~ " f JOIN " ~ m.staging ~ " s ON " ~ (m.key | matched("f", "s"))) }}
{{- mark_groups(m, merging ~ " f") }}
{%- endif %}
      DELETE FROM {{ m.gold }} USING {{ m.staging }} s WHERE {{ m.key | matched(m.bare, 's') }} AND s._op = 'D';
      GET DIAGNOSTICS v_deleted := ROW_COUNT;
{{- count_changes(m, merging) }}
      MERGE INTO {{ m.gold }} USING {{ merging }} s ON {{ m.key | matched(m.bare, 's') }}
      WHEN MATCHED THEN UPDATE SET
        {{ m.other_columns | assigned('s') | join(',\n        ') }}
      WHEN NOT MATCHED THEN INSERT ({{ m.gold_columns | join(', ') }})
      VALUES ({{ m.gold_columns | prefixed('s') }});
{%- endmacro %}

{%- macro note_position(m) %}
    DELETE FROM etl.position WHERE model = {{ m.literal }};
    INSERT INTO etl.position (model, to_position, select_hash) VALUES ({{ m.literal }}, v_to, v_hash);
    UPDATE etl.load SET to_position = v_to, select_hash = v_hash, is_full = is_full OR v_full, staged_rows = staged_rows + v_staged
    WHERE run_id = p_run_id AND model = {{ m.literal }};
{%- endmacro %}

{%- macro note_load(m) %}
    SELECT COUNT(*) INTO v_rows FROM {{ m.gold }};
    IF v_loaded = 0 THEN
      INSERT INTO etl.load (run_id, model, from_position, to_position, select_hash, is_full, staged_rows,
        inserted, updated, deleted, rows_after, merged_at)
      VALUES (p_run_id, {{ m.literal }}, v_from, v_to, v_hash, v_full, v_staged,
        v_inserted, v_updated, v_deleted, v_rows, SYSDATE);
    ELSE
      UPDATE etl.load SET inserted = inserted + v_inserted, updated = updated + v_updated,
        deleted = deleted + v_deleted, rows_after = v_rows, merged_at = SYSDATE
      WHERE run_id = p_run_id AND model = {{ m.literal }};
    END IF;
    DELETE FROM etl.model_state WHERE model = {{ m.literal }};
    INSERT INTO etl.model_state (model, rows, last_loaded_at, run_id) VALUES ({{ m.literal }}, v_rows, SYSDATE, p_run_id);
    RAISE INFO '{{ m.name }}: % inserted, % updated, % deleted', v_inserted, v_updated, v_deleted;
{%- endmacro %}
