-- {{ view.name }}, as its file has it.
CREATE OR REPLACE PROCEDURE {{ view.procedure }}() LANGUAGE plpgsql AS $$
BEGIN
{%- for statement in view.statements %}
{{ statement }}
;
{%- endfor %}
END;
$$
