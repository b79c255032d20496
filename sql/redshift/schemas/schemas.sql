-- staging: what a run has COPYed and not merged yet. gold: what people read. etl: the ledger of loads.
CREATE SCHEMA IF NOT EXISTS staging;
CREATE SCHEMA IF NOT EXISTS gold;
CREATE SCHEMA IF NOT EXISTS etl;
-- masked: gold with its personal columns masked, for people who may not see them.
CREATE SCHEMA IF NOT EXISTS masked;
