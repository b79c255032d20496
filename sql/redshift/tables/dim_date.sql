-- Grain: one row a day of business.calendar. Not a model: filled here, and again without harm.
CREATE TABLE IF NOT EXISTS gold.dim_date (
  date_day DATE NOT NULL,
  year INTEGER NOT NULL,
  quarter INTEGER NOT NULL,
  month INTEGER NOT NULL,
  month_name VARCHAR(16) NOT NULL,
  month_start DATE NOT NULL,
  iso_week INTEGER NOT NULL,
  day_of_month INTEGER NOT NULL,
  iso_day_of_week INTEGER NOT NULL,
  day_name VARCHAR(16) NOT NULL,
  is_weekend BOOLEAN NOT NULL,
  PRIMARY KEY (date_day)
)
DISTSTYLE ALL
SORTKEY (date_day);

{%- if business.calendar %}

DELETE FROM gold.dim_date
WHERE date_day < DATE '{{ business.calendar.from }}' OR date_day > DATE '{{ business.calendar.to }}';

INSERT INTO gold.dim_date
  (date_day, year, quarter, month, month_name, month_start, iso_week, day_of_month, iso_day_of_week, day_name, is_weekend)
WITH digits AS (
  SELECT 0 AS n UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4
  UNION ALL SELECT 5 UNION ALL SELECT 6 UNION ALL SELECT 7 UNION ALL SELECT 8 UNION ALL SELECT 9
),
numbers AS (
  SELECT a.n + 10 * b.n + 100 * c.n + 1000 * d.n + 10000 * e.n AS n
  FROM digits a CROSS JOIN digits b CROSS JOIN digits c CROSS JOIN digits d CROSS JOIN digits e
),
days AS (
  SELECT CAST(DATEADD(day, n, DATE '{{ business.calendar.from }}') AS DATE) AS date_day
  FROM numbers
  WHERE n <= DATEDIFF(day, DATE '{{ business.calendar.from }}', DATE '{{ business.calendar.to }}')
)
SELECT
  days.date_day,
  CAST(EXTRACT(year FROM days.date_day) AS INTEGER),
  CAST(EXTRACT(quarter FROM days.date_day) AS INTEGER),
  CAST(EXTRACT(month FROM days.date_day) AS INTEGER),
  TRIM(TO_CHAR(days.date_day, 'Month')),
  CAST(DATE_TRUNC('month', days.date_day) AS DATE),
  CAST(EXTRACT(week FROM days.date_day) AS INTEGER),
  CAST(EXTRACT(day FROM days.date_day) AS INTEGER),
  CASE EXTRACT(dow FROM days.date_day) WHEN 0 THEN 7 ELSE CAST(EXTRACT(dow FROM days.date_day) AS INTEGER) END,
  TRIM(TO_CHAR(days.date_day, 'Day')),
  EXTRACT(dow FROM days.date_day) IN (0, 6)
FROM days
LEFT JOIN gold.dim_date held ON held.date_day = days.date_day
WHERE held.date_day IS NULL;
{%- endif %}
