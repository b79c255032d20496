"""Parameters of RDS for MySQL 8.4 that a parameter group may set, and those that change data capture depends on."""

from __future__ import annotations

from medallion_cli.operations.validation.documents import words

# name → the value that DMS needs (its user guide, Source.MySQL), and why
NEEDED = {
    "binlog_format": ("ROW", "DMS reads rows"),
    "binlog_row_image": ("FULL", "updates and deletes would miss columns"),
    "binlog_checksum": ("NONE", "DMS cannot read checksums"),
}
# name → values by which capture or the tool stops working
HARMFUL = {
    "binlog_transaction_compression": ("1", "on", "DMS cannot read compressed transactions"),
    "binlog_row_value_options": ("partial_json", "partial_json", "DMS gets parts of JSON columns"),
    "read_only": ("1", "on", "the tool could write no heartbeat"),
    "local_infile": ("0", "off", "seeding loads files from the client"),
    "skip_networking": ("1", "on", "nothing could connect"),
}
# name → all that it may be, for those that the templates set (MySQL's manual)
CHOICES = {
    "binlog_row_metadata": ("FULL", "MINIMAL"),
    "log_output": ("FILE", "TABLE", "NONE"),
    "time_zone": ("UTC",),  # a TIMESTAMP of the source is read as UTC
}
SWITCHES = words(
    """
    local_infile require_secure_transport binlog_transaction_compression event_scheduler general_log slow_query_log
    log_bin_trust_function_creators innodb_file_per_table innodb_print_all_deadlocks performance_schema read_only
    log_queries_not_using_indexes foreign_key_checks explicit_defaults_for_timestamp
    """
)
KNOWN = words(
    """
    activate_all_roles_on_login allow-suspicious-udfs auto_generate_certs auto_increment_increment
    auto_increment_offset autocommit automatic_sp_privileges back_log basedir binlog_cache_size
    binlog_checksum binlog_error_action binlog_expire_logs_seconds binlog_format
    binlog_group_commit_sync_delay binlog_group_commit_sync_no_delay_count
    binlog_max_flush_queue_time binlog_order_commits binlog_row_image binlog_row_metadata
    binlog_row_value_options binlog_rows_query_log_events binlog_stmt_cache_size
    binlog_transaction_compression binlog_transaction_compression_level_zstd
    binlog_transaction_dependency_history_size bulk_insert_buffer_size
    caching_sha2_password_digest_rounds character-set-client-handshake character_set_client
    character_set_connection character_set_database character_set_filesystem character_set_results
    character_set_server check_proxy_users collation_connection collation_server completion_type
    concurrent_insert connect_timeout connection_memory_limit cte_max_recursion_depth
    default_authentication_plugin default_collation_for_utf8mb4 default_password_lifetime
    default_storage_engine default_time_zone default_tmp_storage_engine default_week_format
    delay_key_write div_precision_increment end_markers_in_json enforce_gtid_consistency
    enforce-gtid-consistency eq_range_index_dive_limit event_scheduler
    explicit_defaults_for_timestamp flush flush_time foreign_key_checks ft_boolean_syntax
    ft_max_word_len ft_min_word_len ft_query_expansion_limit ft_stopword_file general_log
    generated_random_password_length group_concat_max_len gtid_mode gtid-mode
    histogram_generation_max_mem_size host_cache_size init_connect innodb_adaptive_flushing
    innodb_adaptive_hash_index innodb_autoextend_increment innodb_autoinc_lock_mode
    innodb_buffer_pool_chunk_size innodb_buffer_pool_dump_at_shutdown innodb_buffer_pool_dump_pct
    innodb_buffer_pool_instances innodb_buffer_pool_load_at_startup innodb_buffer_pool_size
    innodb_change_buffer_max_size innodb_change_buffering innodb_checksum_algorithm
    innodb_concurrency_tickets innodb_dedicated_server innodb_deadlock_detect
    innodb_default_row_format innodb_fast_shutdown innodb_file_per_table innodb_fill_factor
    innodb_flush_log_at_timeout innodb_flush_log_at_trx_commit innodb_flush_method
    innodb_flush_neighbors innodb_flushing_avg_loops innodb_ft_cache_size innodb_ft_max_token_size
    innodb_ft_min_token_size innodb_io_capacity innodb_io_capacity_max innodb_lock_wait_timeout
    innodb_log_buffer_size innodb_lru_scan_depth innodb_max_dirty_pages_pct
    innodb_max_dirty_pages_pct_lwm innodb_max_purge_lag innodb_max_undo_log_size
    innodb_monitor_enable innodb_numa_interleave innodb_old_blocks_pct innodb_old_blocks_time
    innodb_online_alter_log_max_size innodb_open_files innodb_optimize_fulltext_only
    innodb_page_cleaners innodb_parallel_read_threads innodb_print_all_deadlocks
    innodb_purge_batch_size innodb_purge_threads innodb_random_read_ahead
    innodb_read_ahead_threshold innodb_read_io_threads innodb_redo_log_capacity
    innodb_rollback_on_timeout innodb_rollback_segments innodb_sort_buffer_size
    innodb_spin_wait_delay innodb_stats_auto_recalc innodb_stats_persistent innodb_status_output
    innodb_status_output_locks innodb_strict_mode innodb_sync_array_size innodb_table_locks
    innodb_thread_concurrency innodb_thread_sleep_delay innodb_use_native_aio
    innodb_write_io_threads interactive_timeout internal_tmp_mem_storage_engine join_buffer_size
    keep_files_on_create key_buffer_size lc_time_names local_infile lock_wait_timeout
    log_bin_trust_function_creators log_bin_use_v1_row_events log_error_suppression_list
    log_error_verbosity log_output log_queries_not_using_indexes log_slow_admin_statements
    log_slow_extra log_slow_replica_statements log_throttle_queries_not_using_indexes
    long_query_time low_priority_updates lower_case_table_names mandatory_roles max_allowed_packet
    max_binlog_cache_size max_binlog_size max_connect_errors max_connections max_delayed_threads
    max_error_count max_execution_time max_heap_table_size max_join_size max_length_for_sort_data
    max_points_in_geometry max_prepared_stmt_count max_seeks_for_key max_sort_length
    max_sp_recursion_depth max_user_connections max_write_lock_count min_examined_row_limit
    net_buffer_length net_read_timeout net_retry_count net_write_timeout ngram_token_size
    offline_mode old_alter_table optimizer_prune_level optimizer_search_depth optimizer_switch
    optimizer_trace parser_max_mem_size partial_revokes password_history password_require_current
    password_reuse_interval performance_schema print_identified_with_as_hex query_alloc_block_size
    query_prealloc_size range_alloc_block_size range_optimizer_max_mem_size read_buffer_size
    read_only read_rnd_buffer_size regexp_stack_limit regexp_time_limit relay_log_space_limit
    replica_checkpoint_group replica_checkpoint_period replica_compressed_protocol replica_exec_mode
    replica_net_timeout replica_parallel_type replica_parallel_workers replica_pending_jobs_size_max
    replica_preserve_commit_order replica_sql_verify_checksum replica_transaction_retries
    replica_type_conversions require_secure_transport rpl_stop_replica_timeout
    schema_definition_cache secondary_engine_cost_threshold session_track_gtids session_track_schema
    session_track_state_change show_create_table_verbosity skip-character-set-client-handshake
    skip_external_locking skip_name_resolve skip_show_database slow_launch_time slow_query_log
    sort_buffer_size sql_auto_is_null sql_mode sql_require_primary_key stored_program_cache
    stored_program_definition_cache super_read_only sync_binlog sync_frm sysdate-is-now
    table_definition_cache table_open_cache table_open_cache_instances tablespace_definition_cache
    temptable_max_mmap temptable_max_ram thread_cache_size thread_pool_size thread_stack time_zone
    tls_version tls_ciphersuites tmp_table_size tmpdir transaction_alloc_block_size
    transaction_isolation transaction_prealloc_size unique_checks updatable_views_with_limit
    validate_password.length validate_password.policy wait_timeout windowing_use_high_precision
    skip_networking
    """
)
