-- Redshift's functions and system views that PostgreSQL lacks, installed into pg_catalog of each database
-- (so that no search_path hides them). Run by the superuser with allow_system_table_mods on; safe to run again.

-- dates --------------------------------------------------------------------------------------------------------
CREATE OR REPLACE FUNCTION pg_catalog.sysdate() RETURNS timestamp LANGUAGE sql STABLE
    RETURN now() AT TIME ZONE 'UTC';
CREATE OR REPLACE FUNCTION pg_catalog.getdate() RETURNS timestamp LANGUAGE sql STABLE
    RETURN date_trunc('second', statement_timestamp() AT TIME ZONE 'UTC');

-- DATEDIFF(unit, a, b) and DATEADD(unit, n, at) are calls of one function a unit: the planner inlines these.
-- DATEDIFF counts the boundaries crossed, not whole units elapsed.
CREATE OR REPLACE FUNCTION pg_catalog.redshift_datediff_year(a timestamp, b timestamp) RETURNS bigint
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN (extract(year FROM b) - extract(year FROM a))::bigint;
CREATE OR REPLACE FUNCTION pg_catalog.redshift_datediff_quarter(a timestamp, b timestamp) RETURNS bigint
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN ((extract(year FROM b) - extract(year FROM a)) * 4
        + extract(quarter FROM b) - extract(quarter FROM a))::bigint;
CREATE OR REPLACE FUNCTION pg_catalog.redshift_datediff_month(a timestamp, b timestamp) RETURNS bigint
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN ((extract(year FROM b) - extract(year FROM a)) * 12
        + extract(month FROM b) - extract(month FROM a))::bigint;
CREATE OR REPLACE FUNCTION pg_catalog.redshift_datediff_week(a timestamp, b timestamp) RETURNS bigint
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN ((date_trunc('week', b)::date - date_trunc('week', a)::date) / 7)::bigint;
CREATE OR REPLACE FUNCTION pg_catalog.redshift_datediff_day(a timestamp, b timestamp) RETURNS bigint
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN (b::date - a::date)::bigint;
CREATE OR REPLACE FUNCTION pg_catalog.redshift_datediff_hour(a timestamp, b timestamp) RETURNS bigint
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN (extract(epoch FROM date_trunc('hour', b) - date_trunc('hour', a)) / 3600)::bigint;
CREATE OR REPLACE FUNCTION pg_catalog.redshift_datediff_minute(a timestamp, b timestamp) RETURNS bigint
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN (extract(epoch FROM date_trunc('minute', b) - date_trunc('minute', a)) / 60)::bigint;
CREATE OR REPLACE FUNCTION pg_catalog.redshift_datediff_second(a timestamp, b timestamp) RETURNS bigint
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN extract(epoch FROM date_trunc('second', b) - date_trunc('second', a))::bigint;
CREATE OR REPLACE FUNCTION pg_catalog.redshift_datediff_millisecond(a timestamp, b timestamp) RETURNS bigint
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN (extract(epoch FROM date_trunc('millisecond', b) - date_trunc('millisecond', a)) * 1000)::bigint;
CREATE OR REPLACE FUNCTION pg_catalog.redshift_datediff_microsecond(a timestamp, b timestamp) RETURNS bigint
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN (extract(epoch FROM b - a) * 1000000)::bigint;
CREATE OR REPLACE FUNCTION pg_catalog.redshift_dateadd_year(n bigint, at timestamp) RETURNS timestamp
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN at + n * interval '1 year';
CREATE OR REPLACE FUNCTION pg_catalog.redshift_dateadd_quarter(n bigint, at timestamp) RETURNS timestamp
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN at + n * interval '3 month';
CREATE OR REPLACE FUNCTION pg_catalog.redshift_dateadd_month(n bigint, at timestamp) RETURNS timestamp
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN at + n * interval '1 month';
CREATE OR REPLACE FUNCTION pg_catalog.redshift_dateadd_week(n bigint, at timestamp) RETURNS timestamp
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN at + n * interval '1 week';
CREATE OR REPLACE FUNCTION pg_catalog.redshift_dateadd_day(n bigint, at timestamp) RETURNS timestamp
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN at + n * interval '1 day';
CREATE OR REPLACE FUNCTION pg_catalog.redshift_dateadd_hour(n bigint, at timestamp) RETURNS timestamp
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN at + n * interval '1 hour';
CREATE OR REPLACE FUNCTION pg_catalog.redshift_dateadd_minute(n bigint, at timestamp) RETURNS timestamp
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN at + n * interval '1 minute';
CREATE OR REPLACE FUNCTION pg_catalog.redshift_dateadd_second(n bigint, at timestamp) RETURNS timestamp
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN at + n * interval '1 second';
CREATE OR REPLACE FUNCTION pg_catalog.redshift_dateadd_millisecond(n bigint, at timestamp) RETURNS timestamp
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN at + n * interval '1 millisecond';
CREATE OR REPLACE FUNCTION pg_catalog.redshift_dateadd_microsecond(n bigint, at timestamp) RETURNS timestamp
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN at + n * interval '1 microsecond';

CREATE OR REPLACE FUNCTION pg_catalog.add_months(at timestamp, n bigint) RETURNS timestamp
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE WHEN at::date = (date_trunc('month', at) + interval '1 month - 1 day')::date
        THEN date_trunc('month', at) + (n + 1) * interval '1 month' - interval '1 day' + at::time
        ELSE at + n * interval '1 month' END;
CREATE OR REPLACE FUNCTION pg_catalog.last_day(at timestamp) RETURNS date LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN (date_trunc('month', at) + interval '1 month - 1 day')::date;
CREATE OR REPLACE FUNCTION pg_catalog.trunc(at timestamp) RETURNS date LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN at::date;
CREATE OR REPLACE FUNCTION pg_catalog.date_trunc(part text, on_day date) RETURNS timestamp
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN date_trunc(part, on_day::timestamp);
CREATE OR REPLACE FUNCTION pg_catalog.convert_timezone(source text, target text, at timestamp) RETURNS timestamp
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN (at AT TIME ZONE source) AT TIME ZONE target;
CREATE OR REPLACE FUNCTION pg_catalog.convert_timezone(target text, at timestamp) RETURNS timestamp
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN (at AT TIME ZONE 'UTC') AT TIME ZONE target;

-- text ---------------------------------------------------------------------------------------------------------
CREATE OR REPLACE FUNCTION pg_catalog.len(value text) RETURNS integer LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN length(value);
CREATE OR REPLACE FUNCTION pg_catalog.charindex(part text, value text) RETURNS integer
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN strpos(value, part);
-- NULL when either is NULL, unlike PostgreSQL's concat.
CREATE OR REPLACE FUNCTION pg_catalog.redshift_concat(a text, b text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN a || b;
-- Replaces every match, unlike PostgreSQL's regexp_replace.
CREATE OR REPLACE FUNCTION pg_catalog.redshift_regexp_replace(value text, pattern text, by text DEFAULT '')
    RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN regexp_replace(value, pattern, regexp_replace(by, '\$(\d)', '\\\1', 'g'), 'g');
-- STRTOL(x, 16) is redshift_hex(x), which the planner inlines: the words of a hash, four a row.
CREATE OR REPLACE FUNCTION pg_catalog.redshift_hex(value text) RETURNS bigint
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN ('x' || lpad(value, 16, '0'))::bit(64)::bigint;
CREATE OR REPLACE FUNCTION pg_catalog.strtol(value text, base integer) RETURNS bigint
    LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    total numeric := 0;
    digit integer;
    body text;
BEGIN
    body := lower(ltrim(value, '-+ '));
    IF base = 16 THEN
        body := lpad(regexp_replace(body, '^0x', ''), 16, '0');
        IF body !~ '^[0-9a-f]{16}$' THEN
            RAISE EXCEPTION 'The input % is not valid to be converted to base %', value, base;
        END IF;
        RETURN CASE WHEN value LIKE '-%' THEN -1 ELSE 1 END * ('x' || body)::bit(64)::bigint;
    END IF;
    FOR at IN 1 .. length(body) LOOP
        digit := strpos('0123456789abcdefghijklmnopqrstuvwxyz', substr(body, at, 1)) - 1;
        IF digit < 0 OR digit >= base THEN
            RAISE EXCEPTION 'The input % is not valid to be converted to base %', value, base;
        END IF;
        total := total * base + digit;
    END LOOP;
    RETURN CASE WHEN value LIKE '-%' THEN -total ELSE total END;
END $$;

-- AVG(x) is redshift_average(avg(x), max(x)): integers average to an integer, decimals at their own scale.
CREATE OR REPLACE FUNCTION pg_catalog.redshift_average(mean numeric, sample bigint) RETURNS bigint
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN trunc(mean)::bigint;
CREATE OR REPLACE FUNCTION pg_catalog.redshift_average(mean numeric, sample integer) RETURNS bigint
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN trunc(mean)::bigint;
CREATE OR REPLACE FUNCTION pg_catalog.redshift_average(mean numeric, sample smallint) RETURNS bigint
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN trunc(mean)::bigint;
CREATE OR REPLACE FUNCTION pg_catalog.redshift_average(mean numeric, sample numeric) RETURNS numeric
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN trunc(mean, scale(sample));
CREATE OR REPLACE FUNCTION pg_catalog.redshift_average(mean double precision, sample double precision)
    RETURNS double precision LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN mean;
CREATE OR REPLACE FUNCTION pg_catalog.redshift_average(mean double precision, sample real)
    RETURNS double precision LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN mean;

-- VARBYTE and hashes -------------------------------------------------------------------------------------------
-- Volatile, so that a hash computed in a subquery is computed once a row and not once for each use of it.
CREATE OR REPLACE FUNCTION pg_catalog.redshift_md5(value text) RETURNS text
    LANGUAGE internal VOLATILE STRICT PARALLEL SAFE AS 'md5_text';
CREATE OR REPLACE FUNCTION pg_catalog.to_hex(value bytea) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN encode(value, 'hex');
CREATE OR REPLACE FUNCTION pg_catalog.from_hex(value text) RETURNS bytea LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN decode(value, 'hex');
CREATE OR REPLACE FUNCTION pg_catalog.to_varbyte(value text, form text) RETURNS bytea
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE lower(form) WHEN 'hex' THEN decode(value, 'hex') WHEN 'base64' THEN decode(value, 'base64')
        ELSE convert_to(value, form) END;
CREATE OR REPLACE FUNCTION pg_catalog.from_varbyte(value bytea, form text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE lower(form) WHEN 'hex' THEN encode(value, 'hex') WHEN 'base64' THEN encode(value, 'base64')
        ELSE convert_from(value, form) END;
CREATE OR REPLACE FUNCTION pg_catalog.sha1(value text) RETURNS text LANGUAGE plpgsql IMMUTABLE STRICT AS $$
BEGIN
    RAISE EXCEPTION 'SHA1 is not supported by the local warehouse: write SHA2(value, 256)';
END $$;
CREATE OR REPLACE FUNCTION pg_catalog.sha2(value text, bits integer) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN encode(CASE bits WHEN 224 THEN sha224(convert_to(value, 'UTF8'))
        WHEN 384 THEN sha384(convert_to(value, 'UTF8')) WHEN 512 THEN sha512(convert_to(value, 'UTF8'))
        ELSE sha256(convert_to(value, 'UTF8')) END, 'hex');

-- JSON and SUPER -----------------------------------------------------------------------------------------------
CREATE OR REPLACE FUNCTION pg_catalog.json_parse(value text) RETURNS jsonb LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN value::jsonb;
CREATE OR REPLACE FUNCTION pg_catalog.redshift_json_serialize(value jsonb) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN value::text;
CREATE OR REPLACE FUNCTION pg_catalog.is_valid_json(value text) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN value IS JSON OBJECT;
CREATE OR REPLACE FUNCTION pg_catalog.can_json_parse(value text) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN value IS JSON;
CREATE OR REPLACE FUNCTION pg_catalog.json_extract_path_text(value varchar, VARIADIC path text[]) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    RETURN coalesce(json_extract_path_text(value::json, VARIADIC path), '');
CREATE OR REPLACE FUNCTION pg_catalog.json_extract_array_element_text(value text, at integer) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN value::json ->> at;

-- system views -------------------------------------------------------------------------------------------------
CREATE SCHEMA IF NOT EXISTS medallion_journal;
REVOKE ALL ON SCHEMA medallion_journal FROM PUBLIC;
CREATE TABLE IF NOT EXISTS medallion_journal.queries (
    query_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, user_name text, query_type text, query_text text,
    status text, error_message text, returned_rows bigint, start_time timestamp, end_time timestamp);
CREATE TABLE IF NOT EXISTS medallion_journal.loads (
    query_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, user_name text, table_name text, data_source text,
    status text, error_message text, file_name text, loaded_rows bigint, loaded_bytes bigint, source_file_count bigint,
    start_time timestamp, end_time timestamp);

CREATE OR REPLACE VIEW pg_catalog.sys_query_history AS
    SELECT query_id, user_name, query_type, query_text, status, error_message, returned_rows, start_time, end_time,
        extract(epoch FROM end_time - start_time) * 1000000 AS elapsed_time
    FROM medallion_journal.queries;
CREATE OR REPLACE VIEW pg_catalog.sys_load_history AS
    SELECT query_id, user_name, table_name, data_source, 'parquet' AS file_format, status, loaded_rows, loaded_bytes,
        source_file_count, start_time, end_time, extract(epoch FROM end_time - start_time) * 1000000 AS duration
    FROM medallion_journal.loads;
CREATE OR REPLACE VIEW pg_catalog.sys_load_error_detail AS
    SELECT query_id, table_name, start_time, file_name, error_message, 0::bigint AS line_number,
        coalesce(substring(error_message FROM $re$column:? [`'"]?(?:s3://\S+\.)?(\w+)$re$), '')::text AS column_name
    FROM medallion_journal.loads WHERE status = 'failed';
CREATE OR REPLACE VIEW pg_catalog.svv_table_info AS
    SELECT current_database()::text AS database, n.nspname::text AS schema, c.oid AS table_id, c.relname::text AS "table",
        'N'::text AS encoded, 'AUTO(ALL)'::text AS diststyle, NULL::text AS sortkey1,
        greatest(1, pg_total_relation_size(c.oid) / 1048576) AS size,
        greatest(c.reltuples, 0)::numeric(38, 0) AS tbl_rows,
        greatest(c.reltuples, 0)::numeric(38, 0) AS estimated_visible_rows
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind = 'r' AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'medallion_journal')
        AND n.nspname NOT LIKE 'pg\_%';
CREATE OR REPLACE VIEW pg_catalog.svv_all_columns AS
    SELECT table_catalog::text AS database_name, table_schema::text AS schema_name, table_name::text, column_name::text,
        ordinal_position::integer, column_default::text, is_nullable::text,
        CASE data_type WHEN 'jsonb' THEN 'super' WHEN 'bytea' THEN 'binary varying' ELSE data_type END::text AS data_type,
        character_maximum_length::integer, numeric_precision::integer, numeric_scale::integer, NULL::text AS remarks
    FROM information_schema.columns WHERE table_schema <> 'medallion_journal';
CREATE OR REPLACE VIEW pg_catalog.svv_columns AS
    SELECT database_name AS table_catalog, schema_name AS table_schema, table_name, column_name, ordinal_position,
        column_default, is_nullable, data_type, character_maximum_length, numeric_precision, numeric_scale, remarks
    FROM pg_catalog.svv_all_columns;
CREATE OR REPLACE VIEW pg_catalog.svv_all_tables AS
    SELECT table_catalog::text AS database_name, table_schema::text AS schema_name, table_name::text,
        CASE table_type WHEN 'BASE TABLE' THEN 'TABLE' ELSE table_type END::text AS table_type, NULL::text AS remarks
    FROM information_schema.tables WHERE table_schema <> 'medallion_journal';
CREATE OR REPLACE VIEW pg_catalog.svv_roles AS
    SELECT r.oid AS role_id, r.rolname::text AS role_name, NULL::text AS role_owner, NULL::text AS external_id
    FROM pg_roles r WHERE NOT r.rolcanlogin AND r.rolname NOT LIKE 'pg\_%';
GRANT SELECT ON pg_catalog.svv_roles, pg_catalog.sys_query_history, pg_catalog.sys_load_history, pg_catalog.sys_load_error_detail,
    pg_catalog.svv_table_info, pg_catalog.svv_all_columns, pg_catalog.svv_columns, pg_catalog.svv_all_tables TO PUBLIC;
