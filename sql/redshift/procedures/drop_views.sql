-- Drops the views that were made from files, also from those that are gone since. A view that somebody added by hand stays.
CREATE OR REPLACE PROCEDURE etl.drop_views() LANGUAGE plpgsql AS $$
DECLARE
  v_view VARCHAR(256);
BEGIN
  -- From the last name to the first: a view may read those before it.
  SELECT MAX(name) INTO v_view FROM etl.views;
  WHILE v_view IS NOT NULL LOOP
    EXECUTE 'DROP VIEW IF EXISTS ' || v_view;
    DELETE FROM etl.views WHERE name = v_view;
    SELECT MAX(name) INTO v_view FROM etl.views;
  END LOOP;
END;
$$
