-- Brings gold to the models of the project, in one transaction: what was due when this was written, then the views.
CREATE OR REPLACE PROCEDURE etl.migrate() LANGUAGE plpgsql AS $$
BEGIN
  LOCK etl.merge_lock;
  UPDATE etl.merge_lock SET run_id = 'migration';
{%- for migration in migrations %}
  CALL etl.migrate_{{ migration.model }}();
{%- endfor %}
{%- for statement in extra %}
{{ statement | indent(2, first=true) }};
{%- endfor %}
  CALL etl.renew_views();
  CALL etl.grant_roles();
END;
$$
