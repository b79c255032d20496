"""What may be called in Redshift's SQL (developer guide, SQL functions), and the words before a parenthesis."""

from __future__ import annotations

from medallion_cli.operations.validation.documents import words

FUNCTIONS = words(
    """
    any_value approximate avg count listagg max median min percentile_cont percentile_disc stddev
    stddev_pop stddev_samp sum var_pop var_samp variance bit_and bit_or bool_and bool_or cume_dist
    dense_rank first_value lag last_value lead nth_value ntile percent_rank rank ratio_to_report
    row_number grouping grouping_id coalesce decode greatest least nvl nvl2 nullif isnull add_months
    at convert_timezone current_date date_cmp date_cmp_timestamp date_cmp_timestamptz date_part
    date_part_year date_trunc dateadd datediff extract getdate interval_cmp last_day months_between
    next_day sysdate timeofday timestamp_cmp timezone to_timestamp trunc to_date abs acos asin atan
    atan2 cbrt ceil ceiling cos cot degrees dexp dlog1 dlog10 exp floor ln log mod pi power pow
    radians random round sign sin sqrt tan ascii bpcharcmp btrim char_length character_length
    charindex chr collate concat crc32 difference initcap left len length levenshtein lower lpad
    ltrim octetindex octet_length position quote_ident quote_literal regexp_count regexp_instr
    regexp_replace regexp_substr repeat replace replicate reverse right rpad rtrim soundex
    split_part split_to_array strpos strtol substr substring textlen translate trim upper checksum
    farmfingerprint64 fnv_hash func_sha1 md5 sha sha1 sha2 murmur3_32_hash from_hex from_varbyte
    getbit to_hex to_varbyte can_json_parse is_valid_json is_valid_json_array json_array_length
    json_extract_array_element_text json_extract_path_text json_parse json_serialize
    json_serialize_to_varbyte json_size json_typeof json_template array array_concat array_flatten
    get_array_length get_number_attributes object object_transform split subarray
    lower_attribute_names upper_attribute_names array_contains array_distinct array_except
    array_intersection array_position array_positions array_sort array_union is_array is_bigint
    is_boolean is_char is_decimal is_float is_integer is_object is_scalar is_smallint is_varchar
    cast convert try_cast text_to_int_alt text_to_numeric_alt to_char to_number current_database
    current_schema current_schemas current_setting current_user has_database_privilege
    has_schema_privilege has_table_privilege pg_backend_pid pg_get_cols
    pg_get_late_binding_view_cols pg_last_copy_count pg_last_copy_id pg_last_query_id
    pg_last_unload_count session_user set_config user version user_is_member_of role_is_member_of
    is_member_of has_assumerole_privilege change_query_priority pg_terminate_backend
    """
)
# Words that stand before a parenthesis and call nothing.
WORDS = words(
    """
    in and or not on using exists values as select from where when then else case over partition by
    between any some all union except intersect having like ilike similar is distinct join into
    table key distkey sortkey primary unique references foreign check default char character varchar
    nchar nvarchar bpchar varbyte varbinary varying decimal numeric float real double precision
    timestamp timestamptz time timetz date integer int bigint smallint boolean bool super geometry
    hllsketch identity encode diststyle compound interleaved constraint returns return returning
    call execute raise if elsif while for loop exit begin declare end perform language procedure
    function view temp temporary create replace insert delete update set merge matched with
    recursive group order limit offset qualify pivot unpivot filter column add alter drop cursor
    fetch open close info notice warning exception log lock grant to role revoke usage cascade
    restrict window rows range preceding following current row unbounded sets cube rollup like_regex
    null true false out inout copy unload options
    """
)
# Of PostgreSQL, or of others, with what to write instead.
INSTEAD = {
    "string_agg": "LISTAGG",
    "array_agg": "LISTAGG",
    "generate_series": "a join of digits",
    "now": "SYSDATE",
    "clock_timestamp": "SYSDATE",
    "statement_timestamp": "SYSDATE",
    "transaction_timestamp": "SYSDATE",
    "age": "DATEDIFF",
    "ifnull": "COALESCE",
    "iif": "CASE",
    "group_concat": "LISTAGG",
    "date_add": "DATEADD",
    "date_sub": "DATEADD",
    "date_format": "TO_CHAR",
    "str_to_date": "TO_DATE",
    "make_date": "TO_DATE",
    "json_build_object": "OBJECT",
    "to_json": "JSON_SERIALIZE",
    "regexp_matches": "REGEXP_SUBSTR",
    "format": "concatenation with ||",
    "gen_random_uuid": "MD5 of something unique",
    "unnest": "a FROM over the SUPER column",
    "instr": "STRPOS",
    "bool": "CAST(… AS BOOLEAN)",
}
