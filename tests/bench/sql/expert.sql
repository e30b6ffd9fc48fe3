-- The whole job as somebody writes it who knows what costs. Every statement makes what `published.sql` reads.

CREATE TEMP VIEW events AS
SELECT *, occurred_at::DATE AS date, (file_index << 32) + file_row_number AS place,
  coalesce(score >= 5, false) AS has_score, coalesce(amount >= 100, false) AS has_amount,
  coalesce(duration_minutes >= 30, false) AS has_duration_minutes
FROM read_parquet('$folder/canonical/*.parquet');

-- Rules decided once for every combination of what they test, then joined: an ordered CASE of 150 is slow a row.
CREATE TEMP TABLE decided AS
SELECT c.*, coalesce(r.touchpoint, 'unmatched') AS touchpoint
FROM (SELECT *, $rule_of_combination AS rule
  FROM (SELECT DISTINCT feed, kind FROM events), (SELECT DISTINCT channel FROM events),
    (SELECT unnest([false, true]) AS has_score), (SELECT unnest([false, true]) AS has_amount),
    (SELECT unnest([false, true]) AS has_duration_minutes)) c
LEFT JOIN rules r USING (rule);

-- Owners by day: a join on equal keys, with the few changes within a day as a remaining condition.
CREATE TEMP TABLE held AS
SELECT tenure, touchpoint, since, until, unnest(generate_series(
  greatest(since, TIMESTAMPTZ '2024-10-01')::DATE, least(until, TIMESTAMPTZ '2026-12-31')::DATE, INTERVAL 1 DAY
))::DATE AS date
FROM tenures;

-- The one pass over all events. What is scored comes apart by score, so counts are all that has to be added up.
CREATE TEMP TABLE sums AS
SELECT m.date, d.rule, h.tenure, m.feed = 'crm' AS is_crm, m.scale, m.score,
  CASE WHEN m.scale = 'csat' THEN m.channel END AS channel,
  count(*) AS n, count(m.amount) AS amount_n, sum(m.amount) AS amount, sum(m.amount * m.amount) AS squares
FROM events m
JOIN decided d ON $same_combination
LEFT JOIN held h ON h.touchpoint = d.touchpoint AND h.date = m.date AND m.occurred_at >= h.since AND m.occurred_at < h.until
GROUP BY ALL;

CREATE TEMP TABLE named AS
SELECT s.*, coalesce(r.touchpoint, 'unmatched') AS touchpoint, coalesce(t.owner, 'nobody') AS owner,
  coalesce(t.team, 'nobody') AS team
FROM sums s LEFT JOIN rules r USING (rule) LEFT JOIN tenures t USING (tenure);

-- What groups held a case: windows over the rows that name a group alone, and of these over cases that several held.
-- Files are in order of time, so an event's place in them is one number to sort by.
CREATE TEMP TABLE held_by AS
SELECT feed, subject_id, place, occurred_at, actor_team
FROM events WHERE subject_type = 'ticket' AND subject_id IS NOT NULL AND actor_team IS NOT NULL;

CREATE TEMP TABLE holders AS
SELECT feed, subject_id, min(actor_team) AS one, max(actor_team) AS other FROM held_by GROUP BY feed, subject_id;

CREATE TEMP TABLE holdings AS
SELECT feed, subject_id, place, occurred_at, actor_team,
  row_number() OVER (PARTITION BY feed, subject_id, actor_team ORDER BY place) > 1 AS is_return,
  lag(actor_team) OVER one AS from_group, lag(actor_team, 2) OVER one AS before_it, lag(occurred_at) OVER one AS since
FROM (
  SELECT * FROM held_by SEMI JOIN (SELECT * FROM holders WHERE one <> other) USING (feed, subject_id)
  QUALIFY lag(actor_team) OVER (PARTITION BY feed, subject_id ORDER BY place) IS DISTINCT FROM actor_team)
WINDOW one AS (PARTITION BY feed, subject_id ORDER BY place);

CREATE TEMP TABLE passages AS
SELECT feed, subject_id, count(*) FILTER (NOT is_return) AS group_count, count(*) - 1 AS handoff_count,
  bool_or(is_return) AS is_ping_pong, coalesce(bool_or(before_it = actor_team), false) AS is_direct_ping_pong,
  arg_min(actor_team, place) AS first_group, arg_max(actor_team, place) AS last_group
FROM holdings GROUP BY feed, subject_id
UNION ALL
SELECT feed, subject_id, 1, 0, false, false, one, one FROM holders WHERE one = other;

-- A case in one pass over its events, without a table of them in between.
CREATE TEMP TABLE lived AS
SELECT m.feed, m.subject_id,
  arg_min(d.touchpoint, place) FILTER (m.kind = 'ticket.opened') AS touchpoint,
  arg_min(coalesce(m.channel, ''), place) FILTER (m.kind = 'ticket.opened') AS channel,
  arg_max(customer_key, place) AS customer_key, arg_max(attribute_priority, place) AS attribute_priority,
  min(occurred_at) FILTER (m.kind = 'ticket.opened') AS opened_at,
  min(occurred_at) FILTER (m.kind IN ('ticket.replied', 'ticket.worked')) AS first_response_at,
  coalesce(max(place) FILTER (m.kind = 'ticket.reopened')
    > max(place) FILTER (m.kind IN ('ticket.resolved', 'ticket.closed')), false) AS is_open_again,
  CASE WHEN NOT is_open_again THEN max(occurred_at) FILTER (m.kind = 'ticket.resolved') END AS resolved_at,
  CASE WHEN NOT is_open_again THEN max(occurred_at) FILTER (m.kind = 'ticket.closed') END AS closed_at,
  count(*) AS event_count, count(*) FILTER (m.kind = 'ticket.reopened') AS reopened_count
FROM events m JOIN decided d ON $same_combination
WHERE m.subject_type = 'ticket' AND m.subject_id IS NOT NULL
GROUP BY m.feed, m.subject_id HAVING opened_at IS NOT NULL;

CREATE TEMP TABLE cases AS
SELECT l.feed, l.subject_id AS case_id, l.touchpoint, coalesce(t.owner, 'nobody') AS owner,
  coalesce(t.team, 'nobody') AS team, l.customer_key, nullif(l.channel, '') AS channel, l.opened_at,
  l.first_response_at, l.resolved_at, l.closed_at, l.opened_at::DATE AS date,
  (epoch_us(l.resolved_at) - epoch_us(l.opened_at)) / 3600e6 AS resolution_hours,
  l.event_count, l.reopened_count, coalesce(p.group_count, 0) AS group_count,
  coalesce(p.handoff_count, 0) AS handoff_count, coalesce(p.is_ping_pong, false) AS is_ping_pong,
  coalesce(p.is_direct_ping_pong, false) AS is_direct_ping_pong, p.first_group, p.last_group, l.attribute_priority
FROM lived l
LEFT JOIN passages p USING (feed, subject_id)
LEFT JOIN held h ON h.touchpoint = l.touchpoint AND h.date = l.opened_at::DATE AND l.opened_at >= h.since
  AND l.opened_at < h.until
LEFT JOIN tenures t USING (tenure);

DROP TABLE lived;

CREATE TEMP VIEW handed AS
SELECT feed, subject_id, from_group, actor_team AS to_group, occurred_at, is_return,
  epoch_us(occurred_at) - epoch_us(since) AS held_us
FROM holdings WHERE from_group IS NOT NULL;

-- Sums a day of every metric over events, and of csat by channel.
CREATE TEMP TABLE of_events AS
SELECT date, touchpoint, owner, team, 'events' AS metric, sum(n) AS n, 0 AS outside, 0 AS missing, NULL AS good,
  NULL AS total, NULL AS squares, NULL AS promoters, NULL AS detractors
FROM named GROUP BY ALL
UNION ALL
SELECT date, touchpoint, owner, team, 'amount', sum(amount_n), 0, sum(n - amount_n), NULL, sum(amount), sum(squares),
  NULL, NULL
FROM named WHERE is_crm AND touchpoint <> 'unmatched' GROUP BY ALL
UNION ALL
SELECT date, touchpoint, owner, team, scale, coalesce(sum(n) FILTER (score BETWEEN low AND high), 0),
  coalesce(sum(n) FILTER (score NOT BETWEEN low AND high), 0), coalesce(sum(n) FILTER (score IS NULL), 0),
  coalesce(sum(n) FILTER (score BETWEEN top AND high), 0),
  coalesce(sum(n * score) FILTER (score BETWEEN low AND high), 0),
  coalesce(sum(n * score * score) FILTER (score BETWEEN low AND high), 0),
  CASE WHEN scale = 'nps' THEN coalesce(sum(n) FILTER (score BETWEEN 9 AND 10), 0) END,
  CASE WHEN scale = 'nps' THEN coalesce(sum(n) FILTER (score BETWEEN 0 AND 6), 0) END
FROM named JOIN scales USING (scale) WHERE touchpoint <> 'unmatched' GROUP BY date, touchpoint, owner, team, scale;

CREATE TEMP TABLE of_segments AS
SELECT date, touchpoint, coalesce(channel, '(none)') AS segment,
  coalesce(sum(n) FILTER (score BETWEEN 1 AND 5), 0) AS n,
  coalesce(sum(n) FILTER (score NOT BETWEEN 1 AND 5), 0) AS outside,
  coalesce(sum(n) FILTER (score IS NULL), 0) AS missing,
  coalesce(sum(n) FILTER (score BETWEEN 4 AND 5), 0) AS good,
  coalesce(sum(n * score) FILTER (score BETWEEN 1 AND 5), 0) AS total,
  coalesce(sum(n * score * score) FILTER (score BETWEEN 1 AND 5), 0) AS squares
FROM named WHERE scale = 'csat' AND touchpoint <> 'unmatched' GROUP BY ALL;

CREATE TEMP TABLE answers AS
SELECT date_trunc('month', date)::DATE AS month_start, touchpoint, scale AS metric, score::BIGINT AS score, sum(n) AS n
FROM named JOIN scales USING (scale) WHERE score BETWEEN low AND high AND touchpoint <> 'unmatched' GROUP BY ALL;

CREATE TEMP TABLE hits AS
SELECT rule, sum(n) AS ever, coalesce(sum(n) FILTER (date >= $today::DATE - 28), 0) AS lately
FROM sums WHERE rule > 0 GROUP BY rule;

-- Customers of the last 28 days: every pair once, then counted by touchpoint and by who answers for it now.
CREATE TEMP TABLE seen AS
SELECT d.touchpoint, m.customer_key, count(*) AS n
FROM events m JOIN decided d ON $same_combination
WHERE m.occurred_at >= $today::DATE::TIMESTAMPTZ - INTERVAL 28 DAY
GROUP BY ALL;

CREATE TEMP TABLE recent AS
SELECT touchpoint, sum(n) AS events, count(customer_key) AS customers FROM seen GROUP BY touchpoint;

CREATE TEMP TABLE carried AS
SELECT owner, sum(n) AS events, count(DISTINCT customer_key) AS customers
FROM seen JOIN answering USING (touchpoint) GROUP BY owner;

CREATE TEMP TABLE lost AS
SELECT m.feed, m.kind, m.channel, m.customer_key, count(*) AS n, min(m.occurred_at) AS first_at,
  max(m.occurred_at) AS last_at
FROM events m
JOIN (SELECT * FROM decided WHERE touchpoint = 'unmatched') d ON $same_combination
WHERE m.kind IN (SELECT kind FROM decided WHERE touchpoint = 'unmatched')
GROUP BY ALL;

CREATE TEMP TABLE unmatched AS
WITH of_kind AS (SELECT feed, kind, count(DISTINCT customer_key) AS kind_customer_count FROM lost GROUP BY ALL)
SELECT feed, kind, coalesce(channel, '(none)') AS channel, sum(n) AS event_count, count(customer_key) AS customer_count,
  any_value(kind_customer_count) AS kind_customer_count, min(first_at) AS first_at, max(last_at) AS last_at
FROM lost JOIN of_kind USING (feed, kind) GROUP BY ALL;

-- Cases by days of opening, resolving and ending. A day's backlog is a running sum of what came and went.
CREATE TEMP TABLE lives AS
SELECT touchpoint, opened_at, date AS opened_on, resolved_at::DATE AS resolved_on, closed_at::DATE AS closed_on,
  greatest(coalesce(closed_at::DATE, DATE '9999-01-01'), date) AS ended_on,
  (opened_at + INTERVAL 30 DAY)::DATE AS aged_on
FROM cases;

CREATE TEMP TABLE flow_days AS
SELECT unnest(generate_series((SELECT min(date) FROM cases), (SELECT max(date) FROM sums), INTERVAL 1 DAY))::DATE AS date;

CREATE TEMP TABLE moves AS
SELECT coalesce(touchpoint, 'all') AS touchpoint, date, sum(opened) AS opened, sum(resolved) AS resolved,
  sum(closed) AS closed, sum(there) AS there, sum(waiting) AS waiting, sum(old) AS old
FROM (
  SELECT touchpoint, opened_on AS date, count(*) AS opened, 0 AS resolved, 0 AS closed, count(*) AS there,
    count(*) AS waiting, 0 AS old
  FROM lives GROUP BY ALL
  UNION ALL SELECT touchpoint, resolved_on, 0, count(*), 0, 0, 0, 0 FROM lives GROUP BY ALL
  UNION ALL SELECT touchpoint, closed_on, 0, 0, count(*), 0, 0, 0 FROM lives GROUP BY ALL
  UNION ALL SELECT touchpoint, ended_on, 0, 0, 0, -count(*), 0, 0 FROM lives GROUP BY ALL
  UNION ALL SELECT touchpoint, greatest(least(resolved_on, ended_on), opened_on), 0, 0, 0, 0, -count(*), 0
  FROM lives GROUP BY ALL
  UNION ALL SELECT touchpoint, aged_on, 0, 0, 0, 0, 0, count(*) FROM lives GROUP BY ALL
  UNION ALL SELECT touchpoint, greatest(ended_on, aged_on), 0, 0, 0, 0, 0, -count(*) FROM lives GROUP BY ALL)
GROUP BY GROUPING SETS ((touchpoint, date), (date));

-- How many of the cases opened on a day are still open at the end of a later one.
CREATE TEMP TABLE open_by_day AS
WITH ended AS (
  SELECT coalesce(touchpoint, 'all') AS touchpoint, opened_on, ended_on, count(*) AS n
  FROM lives GROUP BY GROUPING SETS ((touchpoint, opened_on, ended_on), (opened_on, ended_on))),
came AS (SELECT touchpoint, opened_on, sum(n) AS n FROM ended GROUP BY ALL),
still AS (
  SELECT came.touchpoint, came.opened_on, d.date, came.n - sum(coalesce(ended.n, 0)) OVER (
    PARTITION BY came.touchpoint, came.opened_on ORDER BY d.date) AS n
  FROM came JOIN flow_days d ON d.date >= came.opened_on
  LEFT JOIN ended ON ended.touchpoint = came.touchpoint AND ended.opened_on = came.opened_on AND ended.ended_on = d.date)
SELECT touchpoint, date, opened_on, n, sum(n) OVER (PARTITION BY touchpoint, date ORDER BY opened_on) AS upto,
  sum(n) OVER (PARTITION BY touchpoint, date) AS there
FROM still WHERE n > 0;

-- Quantiles of ages lie between two of the open cases: only those of the days that they were opened on are looked at.
CREATE TEMP TABLE ages AS
WITH places AS (
  SELECT touchpoint, date, q, (there - 1) * (1 - q) AS place, unnest([0, 1]) AS step
  FROM (SELECT DISTINCT touchpoint, date, there FROM open_by_day), (SELECT unnest([0.5::DOUBLE, 0.9, 1.0]) AS q)),
ranks AS (
  SELECT p.touchpoint, p.date, q, step, place - floor(place) AS share, o.opened_on,
    (least(floor(place)::BIGINT + step, there - 1) - (upto - n))::BIGINT AS rank
  FROM places p JOIN open_by_day o ON o.touchpoint = p.touchpoint AND o.date = p.date
    AND least(floor(place)::BIGINT + step, there - 1) >= upto - n AND least(floor(place)::BIGINT + step, there - 1) < upto),
wanted AS (SELECT DISTINCT touchpoint, date, opened_on FROM ranks),
found AS (
  SELECT w.touchpoint, w.date, w.opened_on, list(epoch_us(l.opened_at) ORDER BY l.opened_at) AS openings
  FROM wanted w JOIN lives l ON l.opened_on = w.opened_on AND l.ended_on > w.date
    AND (l.touchpoint = w.touchpoint OR w.touchpoint = 'all')
  GROUP BY ALL),
looked_up AS (
  SELECT touchpoint, date, q, any_value(share) AS share, max(openings[rank + 1]) FILTER (step = 0) AS low,
    max(openings[rank + 1]) FILTER (step = 1) AS high
  FROM ranks JOIN found USING (touchpoint, date, opened_on) GROUP BY ALL)
SELECT touchpoint, date, max(age) FILTER (q = 0.5) AS p50, max(age) FILTER (q = 0.9) AS p90, max(age) FILTER (q = 1) AS oldest
FROM (SELECT *, (epoch_us((date + 1)::TIMESTAMPTZ) - (low + (high - low) * share)) / 86400e6 AS age FROM looked_up)
GROUP BY ALL;

CREATE TEMP TABLE flow AS
SELECT d.date, t.touchpoint, coalesce(opened, 0) AS opened, coalesce(resolved, 0) AS resolved,
  coalesce(closed, 0) AS closed, coalesce(sum(there) OVER one, 0) AS there, coalesce(sum(waiting) OVER one, 0) AS waiting,
  coalesce(sum(old) OVER one, 0) AS old, p50, p90, oldest
FROM flow_days d
CROSS JOIN (SELECT DISTINCT touchpoint FROM moves) t
LEFT JOIN moves m ON m.touchpoint = t.touchpoint AND m.date = d.date
LEFT JOIN ages a ON a.touchpoint = t.touchpoint AND a.date = d.date
WINDOW one AS (PARTITION BY t.touchpoint ORDER BY d.date);

-- Customers by a hash of 64 bits: windows over numbers take two thirds of the time of windows over texts, and to put
-- a customer's days together first takes longer than it saves, for few customers do two things on one day.
CREATE TEMP TABLE active AS
SELECT hash(customer_key) AS customer_key, date, round(amount * 1000)::BIGINT AS worth
FROM events WHERE (kind LIKE 'crm.%' OR kind LIKE 'survey.%') AND customer_key IS NOT NULL;

CREATE TEMP TABLE spans AS
SELECT customer_key, min(date) AS started_at, max(date) AS last_on, coalesce(sum(worth), 0)::BIGINT AS worth
FROM (
  SELECT customer_key, date, worth, sum(is_new) OVER (PARTITION BY customer_key ORDER BY date) AS number
  FROM (
    SELECT customer_key, date, worth,
      coalesce(date - lag(date) OVER (PARTITION BY customer_key ORDER BY date) > 30, true)::INTEGER AS is_new
    FROM active))
GROUP BY customer_key, number;

CREATE TEMP TABLE active_months AS
SELECT customer_key, date_trunc('month', date)::DATE AS month FROM active GROUP BY ALL;

DROP TABLE active;
