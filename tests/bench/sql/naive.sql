-- The whole job as somebody writes it who knows SQL: one table of credited events, and a query for everything asked of it.

CREATE TEMP TABLE credited AS
WITH matched AS (
  SELECT e.*, r.rule, coalesce(r.touchpoint, 'unmatched') AS touchpoint
  FROM (SELECT *, $rule_of_event AS number FROM read_parquet('$folder/canonical/*.parquet')) e
  LEFT JOIN rules r ON r.rule = e.number)
SELECT m.* EXCLUDE (number), m.occurred_at::DATE AS date,
  CASE WHEN m.occurred_at < t.until THEN t.owner ELSE 'nobody' END AS owner,
  CASE WHEN m.occurred_at < t.until THEN t.team ELSE 'nobody' END AS team
FROM matched m ASOF LEFT JOIN tenures t ON m.touchpoint = t.touchpoint AND m.occurred_at >= t.since;

CREATE TEMP TABLE of_events AS
SELECT date, touchpoint, owner, team, 'events' AS metric, count(*) AS n, 0 AS outside, 0 AS missing, NULL AS good,
  NULL AS total, NULL AS squares, NULL AS promoters, NULL AS detractors
FROM credited GROUP BY ALL
UNION ALL
SELECT date, touchpoint, owner, team, 'amount', count(amount), 0, count(*) - count(amount), NULL, sum(amount),
  sum(amount * amount), NULL, NULL
FROM credited WHERE feed = 'crm' AND touchpoint <> 'unmatched' GROUP BY ALL
UNION ALL
SELECT date, touchpoint, owner, team, scale, count(*) FILTER (score BETWEEN low AND high),
  count(*) FILTER (score NOT BETWEEN low AND high), count(*) FILTER (score IS NULL),
  count(*) FILTER (score BETWEEN top AND high),
  coalesce(sum(score) FILTER (score BETWEEN low AND high), 0),
  coalesce(sum(score * score) FILTER (score BETWEEN low AND high), 0),
  CASE WHEN scale = 'nps' THEN count(*) FILTER (score BETWEEN 9 AND 10) END,
  CASE WHEN scale = 'nps' THEN count(*) FILTER (score BETWEEN 0 AND 6) END
FROM credited JOIN scales USING (scale) WHERE touchpoint <> 'unmatched' GROUP BY date, touchpoint, owner, team, scale;

CREATE TEMP TABLE of_segments AS
SELECT date, touchpoint, coalesce(channel, '(none)') AS segment, count(*) FILTER (score BETWEEN 1 AND 5) AS n,
  count(*) FILTER (score NOT BETWEEN 1 AND 5) AS outside, count(*) FILTER (score IS NULL) AS missing,
  count(*) FILTER (score BETWEEN 4 AND 5) AS good,
  coalesce(sum(score) FILTER (score BETWEEN 1 AND 5), 0) AS total,
  coalesce(sum(score * score) FILTER (score BETWEEN 1 AND 5), 0) AS squares
FROM credited WHERE scale = 'csat' AND touchpoint <> 'unmatched' GROUP BY ALL;

CREATE TEMP TABLE answers AS
SELECT date_trunc('month', date)::DATE AS month_start, touchpoint, scale AS metric, score::BIGINT AS score, count(*) AS n
FROM credited JOIN scales USING (scale) WHERE score BETWEEN low AND high AND touchpoint <> 'unmatched' GROUP BY ALL;

CREATE TEMP TABLE hits AS
SELECT rule, count(*) AS ever, count(*) FILTER (date >= $today::DATE - 28) AS lately
FROM credited WHERE rule IS NOT NULL GROUP BY rule;

CREATE TEMP TABLE recent AS
SELECT touchpoint, count(*) AS events, count(DISTINCT customer_key) AS customers
FROM credited WHERE date >= $today::DATE - 28 GROUP BY touchpoint;

CREATE TEMP TABLE carried AS
SELECT a.owner, count(*) AS events, count(DISTINCT customer_key) AS customers
FROM credited JOIN answering a USING (touchpoint) WHERE date >= $today::DATE - 28 GROUP BY a.owner;

CREATE TEMP TABLE unmatched AS
WITH of_kind AS (
  SELECT feed, kind, count(DISTINCT customer_key) AS kind_customer_count
  FROM credited WHERE touchpoint = 'unmatched' GROUP BY ALL)
SELECT feed, kind, coalesce(channel, '(none)') AS channel, count(*) AS event_count,
  count(DISTINCT customer_key) AS customer_count, any_value(kind_customer_count) AS kind_customer_count,
  min(occurred_at) AS first_at, max(occurred_at) AS last_at
FROM credited JOIN of_kind USING (feed, kind) WHERE touchpoint = 'unmatched' GROUP BY ALL;

CREATE TEMP TABLE told AS
SELECT *, (occurred_at, "sequence", landing, "row") AS place
FROM credited WHERE subject_type = 'ticket' AND subject_id IS NOT NULL;

CREATE TEMP TABLE holdings AS
WITH changed AS (
  SELECT * FROM told WHERE actor_team IS NOT NULL
  QUALIFY lag(actor_team) OVER (PARTITION BY feed, subject_id ORDER BY place) IS DISTINCT FROM actor_team)
SELECT feed, subject_id, place, occurred_at, actor_team,
  row_number() OVER (PARTITION BY feed, subject_id, actor_team ORDER BY place) > 1 AS is_return,
  lag(actor_team) OVER one AS from_group, lag(actor_team, 2) OVER one AS before_it, lag(occurred_at) OVER one AS since
FROM changed WINDOW one AS (PARTITION BY feed, subject_id ORDER BY place);

CREATE TEMP TABLE cases AS
WITH opened AS (
  SELECT feed, subject_id, touchpoint, owner, team, channel, occurred_at AS opened_at
  FROM told WHERE kind = 'ticket.opened'
  QUALIFY row_number() OVER (PARTITION BY feed, subject_id ORDER BY place) = 1),
lived AS (
  SELECT feed, subject_id, arg_max(customer_key, place) AS customer_key,
    arg_max(attribute_priority, place) AS attribute_priority,
    min(occurred_at) FILTER (kind IN ('ticket.replied', 'ticket.worked')) AS first_response_at,
    coalesce(max(place) FILTER (kind = 'ticket.reopened')
      > max(place) FILTER (kind IN ('ticket.resolved', 'ticket.closed')), false) AS is_open_again,
    CASE WHEN NOT is_open_again THEN max(occurred_at) FILTER (kind = 'ticket.resolved') END AS resolved_at,
    CASE WHEN NOT is_open_again THEN max(occurred_at) FILTER (kind = 'ticket.closed') END AS closed_at,
    count(*) AS event_count, count(*) FILTER (kind = 'ticket.reopened') AS reopened_count
  FROM told GROUP BY feed, subject_id),
passed AS (
  SELECT feed, subject_id, count(DISTINCT actor_team) AS group_count, count(*) - 1 AS handoff_count,
    bool_or(is_return) AS is_ping_pong, coalesce(bool_or(before_it = actor_team), false) AS is_direct_ping_pong,
    arg_min(actor_team, place) AS first_group, arg_max(actor_team, place) AS last_group
  FROM holdings GROUP BY feed, subject_id)
SELECT feed, subject_id AS case_id, touchpoint, owner, team, customer_key, channel, opened_at, first_response_at,
  resolved_at, closed_at, opened_at::DATE AS date, (epoch_us(resolved_at) - epoch_us(opened_at)) / 3600e6 AS resolution_hours,
  event_count, reopened_count, coalesce(group_count, 0) AS group_count, coalesce(handoff_count, 0) AS handoff_count,
  coalesce(is_ping_pong, false) AS is_ping_pong, coalesce(is_direct_ping_pong, false) AS is_direct_ping_pong,
  first_group, last_group, attribute_priority
FROM opened JOIN lived USING (feed, subject_id) LEFT JOIN passed USING (feed, subject_id);

CREATE TEMP VIEW handed AS
SELECT feed, subject_id, from_group, actor_team AS to_group, occurred_at, is_return,
  epoch_us(occurred_at) - epoch_us(since) AS held_us
FROM holdings WHERE from_group IS NOT NULL;

-- Every case on every day at whose end it is open.
CREATE TEMP TABLE flow AS
WITH days AS (
  SELECT unnest(generate_series((SELECT min(date) FROM cases), (SELECT max(date) FROM credited), INTERVAL 1 DAY))::DATE AS date),
ends AS (SELECT date, (date + 1)::TIMESTAMPTZ AS ends_at FROM days),
grid AS (
  SELECT date, touchpoint FROM days CROSS JOIN (SELECT DISTINCT touchpoint FROM cases UNION SELECT 'all')),
opened AS (
  SELECT date, coalesce(touchpoint, 'all') AS touchpoint, count(*) AS n
  FROM cases GROUP BY GROUPING SETS ((date, touchpoint), (date))),
resolved AS (
  SELECT resolved_at::DATE AS date, coalesce(touchpoint, 'all') AS touchpoint, count(*) AS n
  FROM cases GROUP BY GROUPING SETS ((resolved_at::DATE, touchpoint), (resolved_at::DATE))),
closed AS (
  SELECT closed_at::DATE AS date, coalesce(touchpoint, 'all') AS touchpoint, count(*) AS n
  FROM cases GROUP BY GROUPING SETS ((closed_at::DATE, touchpoint), (closed_at::DATE))),
waiting AS (
  SELECT date, coalesce(touchpoint, 'all') AS touchpoint, count(*) AS there,
    count(*) FILTER (resolved_at IS NULL OR resolved_at >= ends_at) AS waiting,
    count(*) FILTER (opened_at + INTERVAL 30 DAY < ends_at) AS old, quantile_cont(age, [0.5, 0.9]) AS ages, max(age) AS oldest
  FROM (
    SELECT e.date, ends_at, touchpoint, opened_at, resolved_at, (epoch_us(ends_at) - epoch_us(opened_at)) / 86400e6 AS age
    FROM ends e JOIN cases c ON c.opened_at < ends_at AND coalesce(closed_at, TIMESTAMPTZ '9999-01-01') >= ends_at)
  GROUP BY GROUPING SETS ((date, touchpoint), (date)))
SELECT g.date, g.touchpoint, coalesce(o.n, 0) AS opened, coalesce(r.n, 0) AS resolved, coalesce(c.n, 0) AS closed,
  coalesce(there, 0) AS there, coalesce(waiting, 0) AS waiting, coalesce(old, 0) AS old, ages[1] AS p50, ages[2] AS p90, oldest
FROM grid g
LEFT JOIN opened o USING (date, touchpoint) LEFT JOIN resolved r USING (date, touchpoint)
LEFT JOIN closed c USING (date, touchpoint) LEFT JOIN waiting w USING (date, touchpoint);

CREATE TEMP TABLE active AS
SELECT customer_key, occurred_at, date, amount FROM credited
WHERE (kind LIKE 'crm.%' OR kind LIKE 'survey.%') AND customer_key IS NOT NULL;

CREATE TEMP TABLE spans AS
WITH told_apart AS (
  SELECT *, coalesce(date - lag(date) OVER (PARTITION BY customer_key ORDER BY occurred_at) > 30, true) AS is_new FROM active),
numbered AS (
  SELECT *, count(*) FILTER (is_new) OVER (PARTITION BY customer_key ORDER BY occurred_at) AS number FROM told_apart)
SELECT customer_key, number, min(date) AS started_at, max(date) AS last_on,
  coalesce(sum(round(amount * 1000)::BIGINT), 0)::BIGINT AS worth
FROM numbered GROUP BY customer_key, number;

CREATE TEMP TABLE active_months AS
SELECT DISTINCT customer_key, date_trunc('month', date)::DATE AS month FROM active;
