{%- import 'parts.sql' as parts -%}
-- Merges what a run has staged, in the order of the pipeline and in one transaction: gold is never half.
-- p_models: 'all', or names separated by commas. Merging a run twice changes nothing.
CREATE OR REPLACE PROCEDURE gold.merge_run(p_run_id VARCHAR(64), p_models VARCHAR(8000)) LANGUAGE plpgsql AS $$
DECLARE
  v_models VARCHAR(8002) := ',' || REPLACE(p_models, ' ', '') || ',';
  v_named INTEGER := LENGTH(p_models) - LENGTH(REPLACE(p_models, ',', '')) + 1;
  v_merged INTEGER := 0;
BEGIN
{{- parts.take_lock() }}
{%- for m in models %}
  IF p_models = 'all' OR POSITION(',{{ m.name }},' IN v_models) > 0 THEN
    CALL {{ m.touched_procedure if m.kind == 'refresh' else m.procedure }}(p_run_id);
    v_merged := v_merged + 1;
  END IF;
{%- endfor %}
  IF p_models <> 'all' AND v_merged <> v_named THEN
    RAISE EXCEPTION 'no model % (% of the % named are there)', p_models, v_merged, v_named;
  END IF;
END;
$$
