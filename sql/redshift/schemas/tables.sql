-- Grain: one row a model whose staging table holds rows, and what they are.
CREATE TABLE IF NOT EXISTS etl.staged (
  run_id VARCHAR(64) NOT NULL,
  model VARCHAR(128) NOT NULL,
  from_position VARCHAR(8000),
  to_position VARCHAR(8000),
  select_hash VARCHAR(64),
  is_full BOOLEAN NOT NULL,
  staged_rows BIGINT NOT NULL
)
DISTSTYLE ALL;

-- Grain: one row a run and model that it changed; inserted, updated and deleted count gold's rows.
CREATE TABLE IF NOT EXISTS etl.load (
  run_id VARCHAR(64) NOT NULL,
  model VARCHAR(128) NOT NULL,
  from_position VARCHAR(8000),
  to_position VARCHAR(8000),
  select_hash VARCHAR(64),
  is_full BOOLEAN NOT NULL,
  staged_rows BIGINT NOT NULL,
  inserted BIGINT NOT NULL,
  updated BIGINT NOT NULL,
  deleted BIGINT NOT NULL,
  rows_after BIGINT NOT NULL,
  merged_at TIMESTAMP NOT NULL
)
DISTSTYLE AUTO
SORTKEY (merged_at);

-- Grain: one row a model: up to where gold holds its inputs, by which SELECT.
CREATE TABLE IF NOT EXISTS etl.position (
  model VARCHAR(128) NOT NULL,
  to_position VARCHAR(8000),
  select_hash VARCHAR(64)
)
DISTSTYLE ALL;

-- Grain: one row a model: how many rows gold holds since when. What `medallion status` reads.
CREATE TABLE IF NOT EXISTS etl.model_state (
  model VARCHAR(128) NOT NULL,
  rows BIGINT NOT NULL,
  last_loaded_at TIMESTAMP NOT NULL,
  run_id VARCHAR(64)
)
DISTSTYLE ALL;

-- Grain: one row a model: hashes of its SELECT, its tables and their layout; others are a migration (medallion_cli.migrations).
CREATE TABLE IF NOT EXISTS etl.shape (
  model VARCHAR(128) NOT NULL,
  shape VARCHAR(64) NOT NULL
)
DISTSTYLE ALL;

-- Grain: one row a migration that `up` has made: what became of which model, when, by which version of the tool.
CREATE TABLE IF NOT EXISTS etl.migration (
  version VARCHAR(64) NOT NULL,
  model VARCHAR(128) NOT NULL,
  change VARCHAR(64) NOT NULL,
  what VARCHAR(8000) NOT NULL,
  evaluation BOOLEAN NOT NULL,
  tool_version VARCHAR(32) NOT NULL,
  applied_at TIMESTAMP NOT NULL
)
DISTSTYLE AUTO
SORTKEY (applied_at);

-- Grain: one row a run, table and rule: rows that broke it first in this run, rows that break it now, keys of some of them (JSON).
CREATE TABLE IF NOT EXISTS etl.quality (
  run_id VARCHAR(64) NOT NULL,
  table_name VARCHAR(128) NOT NULL,
  rule VARCHAR(256) NOT NULL,
  kind VARCHAR(32) NOT NULL,
  action VARCHAR(32) NOT NULL,
  new_rows BIGINT NOT NULL,
  rows BIGINT NOT NULL,
  sample VARCHAR(8000),
  counted_at TIMESTAMP NOT NULL
)
DISTSTYLE AUTO
SORTKEY (counted_at);

-- Grain: one row a view that was made from a file; shape is a hash over all of those.
CREATE TABLE IF NOT EXISTS etl.views (
  name VARCHAR(256) NOT NULL,
  shape VARCHAR(64) NOT NULL
)
DISTSTYLE ALL;

-- One row. Every merge takes this lock first, and writes it: two at once wait or conflict (error 1023), whatever they touch.
CREATE TABLE IF NOT EXISTS etl.merge_lock (
  run_id VARCHAR(64) NOT NULL
)
DISTSTYLE ALL;

INSERT INTO etl.merge_lock (run_id)
SELECT 'none' FROM (SELECT COUNT(*) AS n FROM etl.merge_lock) held WHERE held.n = 0;
