-- Who reads what: privileged people all of gold, analysts the masked views and what holds nothing personal.
CREATE OR REPLACE PROCEDURE etl.grant_roles() LANGUAGE plpgsql AS $$
BEGIN
{%- for role in roles %}
  GRANT USAGE ON SCHEMA gold TO ROLE {{ role }};
  GRANT USAGE ON SCHEMA {{ masked }} TO ROLE {{ role }};
  GRANT SELECT ON ALL TABLES IN SCHEMA {{ masked }} TO ROLE {{ role }};
{%- endfor %}
  GRANT SELECT ON ALL TABLES IN SCHEMA gold TO ROLE {{ privileged }};
{%- for name in open %}
  GRANT SELECT ON {{ name }} TO ROLE {{ analyst }};
{%- endfor %}
{%- for name in closed %}
  REVOKE ALL ON {{ name }} FROM ROLE {{ analyst }};
{%- endfor %}
{%- for schema in readable %}
  GRANT USAGE ON SCHEMA {{ schema }} TO {{ reader }};
  GRANT SELECT ON ALL TABLES IN SCHEMA {{ schema }} TO {{ reader }};
{%- endfor %}
END;
$$
