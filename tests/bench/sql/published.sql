-- From sums a day, cases and handoffs to the published tables. What comes first is made once; a name begins a table.

CREATE TEMP TABLE measures AS
SELECT * FROM of_events
UNION ALL
SELECT date, touchpoint, owner, team, 'reopened', count(*), 0, 0, count(*) FILTER (reopened_count > 0), NULL, NULL, NULL, NULL
FROM cases WHERE touchpoint <> 'unmatched' GROUP BY ALL;

CREATE TEMP TABLE calendar AS
WITH days AS (
  SELECT unnest(generate_series((SELECT min(date) FROM of_events), $today::DATE, INTERVAL 1 DAY))::DATE AS date),
weeks AS (SELECT DISTINCT date_trunc('week', date)::DATE + 7 AS period_end FROM days),
windows AS (
  SELECT period_end FROM weeks WHERE period_end <= $today::DATE AND period_end - 28 >= (SELECT min(date) FROM days)
  UNION SELECT $today::DATE UNION SELECT $today::DATE - 28)
SELECT date, 'week' AS period, date_trunc('week', date)::DATE AS period_start, date_trunc('week', date)::DATE + 7 AS period_end,
  date_trunc('week', date)::DATE - 7 AS before_it
FROM days
UNION ALL SELECT date, 'month', date_trunc('month', date)::DATE, (date_trunc('month', date) + INTERVAL 1 MONTH)::DATE,
  (date_trunc('month', date) - INTERVAL 1 MONTH)::DATE
FROM days
UNION ALL SELECT date, 'quarter', date_trunc('quarter', date)::DATE, (date_trunc('quarter', date) + INTERVAL 3 MONTH)::DATE,
  (date_trunc('quarter', date) - INTERVAL 3 MONTH)::DATE
FROM days
UNION ALL SELECT date, 'rolling_28d', period_end - 28, period_end, period_end - 56
FROM days JOIN windows ON date >= period_end - 28 AND date < period_end
UNION ALL SELECT date, 'to_date', (SELECT min(date) FROM days), $today::DATE + 1, NULL FROM days;

CREATE TEMP TABLE card_sums AS
SELECT coalesce(touchpoint, '') AS touchpoint, coalesce(owner, '') AS owner, period, period_start, period_end, before_it, metric,
  sum(n) AS n, sum(outside) AS outside, sum(missing) AS missing, sum(good) AS good, sum(total) AS total,
  sum(squares) AS squares, sum(promoters) AS promoters, sum(detractors) AS detractors
FROM measures JOIN calendar USING (date)
GROUP BY GROUPING SETS (
  (period, period_start, period_end, before_it, metric, touchpoint), (period, period_start, period_end, before_it, metric, owner));

CREATE TEMP TABLE card_quantiles AS
SELECT coalesce(touchpoint, '') AS touchpoint, coalesce(owner, '') AS owner, period, period_start, period_end, before_it,
  count(resolution_hours) AS n, count(*) - count(resolution_hours) AS missing,
  quantile_cont(resolution_hours, [0.5, 0.9]) AS found
FROM (SELECT date, touchpoint, owner, resolution_hours FROM cases WHERE touchpoint <> 'unmatched') JOIN calendar USING (date)
GROUP BY GROUPING SETS (
  (period, period_start, period_end, before_it, touchpoint), (period, period_start, period_end, before_it, owner));

CREATE TEMP TABLE cards AS
WITH valued AS (
  SELECT *, CASE metric WHEN 'events' THEN n WHEN 'amount' THEN total WHEN 'nps' THEN promoters - detractors ELSE good END::DOUBLE AS numerator,
    CASE WHEN metric <> 'events' THEN n END::DOUBLE AS denominator
  FROM card_sums),
every AS (
  SELECT touchpoint, owner, period, period_start, period_end, before_it, metric, n, outside, missing, numerator, denominator,
    total AS sum, squares AS sum_of_squares, promoters, n - promoters - detractors AS passives, detractors,
    CASE WHEN n > 0 THEN CASE metric WHEN 'nps' THEN 100 ELSE 1 END * numerator / coalesce(denominator, 1) END AS value
  FROM valued
  UNION ALL
  SELECT touchpoint, owner, period, period_start, period_end, before_it, unnest(['resolution_p50', 'resolution_p90']), n, 0,
    missing, NULL, NULL, NULL, NULL, NULL, NULL, NULL, unnest(coalesce(found, [NULL, NULL]))
  FROM card_quantiles)
SELECT e.*, p.value AS previous_value, p.n AS previous_n
FROM every e LEFT JOIN every p ON p.touchpoint = e.touchpoint AND p.owner = e.owner AND p.metric = e.metric
  AND p.period = e.period AND p.period_start = e.before_it;

CREATE TEMP TABLE span_days AS
SELECT started_at, CASE WHEN last_on + 31 < $today::DATE THEN last_on + 31 END AS ended_at, is_back, count(*) AS n,
  sum(worth)::BIGINT AS worth
FROM (SELECT *, started_at > min(started_at) OVER (PARTITION BY customer_key) AS is_back FROM spans) GROUP BY ALL;

CREATE TEMP TABLE flow_periods AS
SELECT DISTINCT period, period_start, period_end FROM calendar WHERE period IN ('week', 'month', 'quarter');

CREATE TEMP TABLE cohorts AS
SELECT cohort, month, count(*) AS n, count(*) FILTER (month = last) AS n_last
FROM (
  SELECT month, min(month) OVER (PARTITION BY customer_key) AS cohort, max(month) OVER (PARTITION BY customer_key) AS last
  FROM active_months)
GROUP BY ALL;

-- measure_daily
SELECT date, touchpoint AS touchpoint_id, owner AS owner_id, team AS team_id, metric, n,
  outside + missing AS excluded_count, missing AS excluded_missing_count, outside AS excluded_outside_count,
  CASE metric WHEN 'events' THEN n WHEN 'amount' THEN total WHEN 'nps' THEN promoters - detractors ELSE good END::DOUBLE AS numerator,
  CASE WHEN metric <> 'events' THEN n END::DOUBLE AS denominator, total AS sum, squares AS sum_of_squares, promoters, detractors
FROM measures;

-- scorecard_touchpoint
SELECT c.period, c.period_start, c.period_end, c.touchpoint AS touchpoint_id, metric, n, outside + missing AS excluded_count,
  missing AS excluded_missing_count, outside AS excluded_outside_count, numerator, denominator, sum, sum_of_squares,
  promoters, passives, detractors, value, previous_value, previous_n, c.period_end <= $today::DATE AS is_final,
  p.stage AS stage_id, coalesce(o.owner, 'nobody') AS owner_id
FROM (SELECT *, least(period_end::TIMESTAMPTZ - INTERVAL 1 MICROSECOND, $now::TIMESTAMPTZ) AS closes_at FROM cards WHERE touchpoint <> '') c
ASOF LEFT JOIN tenures o ON o.touchpoint = c.touchpoint AND o.since <= c.closes_at
LEFT JOIN touchpoints p ON p.touchpoint = c.touchpoint;

-- scorecard_owner
SELECT c.*, coalesce(touchpoint_count, 0) AS touchpoint_count
FROM (SELECT period, period_start, period_end, owner AS owner_id, metric, n, outside + missing AS excluded_count,
    missing AS excluded_missing_count, outside AS excluded_outside_count, numerator, denominator, sum, sum_of_squares,
    promoters, passives, detractors, value, previous_value, previous_n, period_end <= $today::DATE AS is_final
  FROM cards WHERE owner <> '') c
LEFT JOIN (
  SELECT period, period_start, period_end, owner AS owner_id, metric,
    count(DISTINCT touchpoint) FILTER (touchpoint <> 'unmatched') AS touchpoint_count
  FROM (
    SELECT date, owner, touchpoint, metric FROM measures WHERE n > 0
    UNION ALL SELECT date, owner, touchpoint, unnest(['resolution_p50', 'resolution_p90']) FROM measures WHERE metric = 'reopened')
  JOIN calendar USING (date) GROUP BY ALL) USING (period, period_start, period_end, owner_id, metric);

-- scorecard_segment
WITH summed AS (
  SELECT period, period_start, period_end, before_it, coalesce(touchpoint, 'all') AS touchpoint, segment, sum(n) AS n,
    sum(outside) AS outside, sum(missing) AS missing, sum(good) AS good, sum(total) AS total, sum(squares) AS squares
  FROM of_segments JOIN calendar USING (date)
  GROUP BY GROUPING SETS ((period, period_start, period_end, before_it, touchpoint, segment), (period, period_start, period_end, before_it, segment))),
rest AS (
  SELECT *, sum(n) OVER one - n AS rest_n, sum(good) OVER one - good AS rest_good, CASE WHEN n > 0 THEN good / n END AS value
  FROM summed WINDOW one AS (PARTITION BY period, period_start, period_end, touchpoint))
SELECT e.period, e.period_start, e.period_end, 'channel' AS dimension, e.segment, e.touchpoint AS touchpoint_id, 'csat' AS metric,
  e.n, e.outside + e.missing AS excluded_count, e.missing AS excluded_missing_count, e.outside AS excluded_outside_count,
  e.good::DOUBLE AS numerator, e.n::DOUBLE AS denominator, e.total AS sum, e.squares AS sum_of_squares, e.value,
  p.value AS previous_value, p.n AS previous_n, e.period_end <= $today::DATE AS is_final, e.rest_n,
  CASE WHEN e.rest_n > 0 THEN e.rest_good / e.rest_n END AS rest_value
FROM rest e LEFT JOIN rest p ON p.touchpoint = e.touchpoint AND p.segment = e.segment AND p.period = e.period
  AND p.period_start = e.before_it;

-- fact_case
SELECT feed, case_id, touchpoint AS touchpoint_id, owner AS owner_id, team AS team_id, customer_key, channel, opened_at,
  first_response_at, resolved_at, closed_at,
  (epoch_us(first_response_at) - epoch_us(opened_at)) / 3600e6 AS first_response_hours, resolution_hours,
  (epoch_us(closed_at) - epoch_us(opened_at)) / 3600e6 AS closing_hours, event_count, reopened_count, group_count,
  handoff_count, is_ping_pong, is_direct_ping_pong, first_group, last_group, attribute_priority
FROM cases;

-- fact_handoff
SELECT h.*, f.team AS from_team_id, t.team AS to_team_id
FROM (
  SELECT week_start, from_group, to_group, sum(n)::BIGINT AS handoff_count, count(*) AS case_count,
    sum(returns)::BIGINT AS return_count, sum(held_us) / 3600e6 AS held_hours
  FROM (
    SELECT date_trunc('week', occurred_at)::DATE AS week_start, from_group, to_group, feed, subject_id, count(*) AS n,
      count(*) FILTER (is_return) AS returns, sum(held_us) AS held_us
    FROM handed GROUP BY ALL)
  GROUP BY ALL) h
LEFT JOIN groups f ON f.grp = from_group LEFT JOIN groups t ON t.grp = to_group;

-- fact_issue_flow
SELECT date, touchpoint AS touchpoint_id, opened AS opened_count, resolved AS resolved_count, closed AS closed_count,
  there AS backlog_count, waiting AS unresolved_count, p50 AS age_p50_days, p90 AS age_p90_days, oldest AS age_max_days,
  old AS over_30_days_count
FROM flow;

-- score_distribution
SELECT month_start, touchpoint AS touchpoint_id, metric, score, n AS answers_count FROM answers;

-- rule_hit
SELECT rule_id, touchpoint AS touchpoint_id, rule AS position, coalesce(ever, 0) AS event_count, coalesce(lately, 0) AS event_28d_count
FROM rules LEFT JOIN hits USING (rule);

-- fact_event_unmatched
SELECT * FROM unmatched;

-- unmatched_share
SELECT period, period_start, period_end, sum(n) AS event_count,
  coalesce(sum(n) FILTER (touchpoint = 'unmatched'), 0) AS unmatched_count, unmatched_count / event_count AS value
FROM card_sums WHERE metric = 'events' AND touchpoint <> '' GROUP BY ALL;

-- accountability_ladder
SELECT touchpoint AS touchpoint_id, coalesce(owner, 'nobody') AS owner_id, coalesce(events, 0) AS event_count,
  coalesce(customers, 0) AS customer_count, coalesce(events, 0) / sum(events) OVER () AS event_share
FROM (SELECT touchpoint FROM touchpoints UNION SELECT touchpoint FROM recent)
LEFT JOIN recent USING (touchpoint) LEFT JOIN answering USING (touchpoint);

-- person_load
SELECT owner AS owner_id, touchpoint_count, coalesce(events, 0) AS event_28d_count, coalesce(customers, 0) AS customer_28d_count,
  coalesce(events, 0) / (SELECT sum(events) FROM recent WHERE touchpoint <> 'unmatched') AS event_28d_share
FROM (SELECT owner, count(*) AS touchpoint_count FROM answering WHERE owner <> 'nobody' GROUP BY owner)
LEFT JOIN carried USING (owner);

-- observed_accountability
SELECT *, sum(case_count) OVER one AS touchpoint_case_count, case_count / sum(case_count) OVER one AS case_share
FROM (
  SELECT touchpoint AS touchpoint_id, last_group AS observed_group, g.team AS observed_team_id, count(*) AS case_count,
    count(*) FILTER (g.team IS NOT DISTINCT FROM c.team) AS agreed_count
  FROM cases c LEFT JOIN groups g ON g.grp = last_group
  WHERE resolved_at >= $now::TIMESTAMPTZ - INTERVAL 91 DAY AND last_group IS NOT NULL AND touchpoint <> 'unmatched'
  GROUP BY touchpoint, last_group, g.team)
WINDOW one AS (PARTITION BY touchpoint_id);

-- fact_customer_flow
WITH flow AS (
  SELECT period, period_start, any_value(period_end) AS period_end,
    coalesce(sum(n) FILTER (started_at < period_start AND coalesce(ended_at, DATE '9999-01-01') >= period_start), 0) AS opening,
    coalesce(sum(n) FILTER (started_at >= period_start AND started_at < period_end AND NOT is_back), 0) AS gained,
    coalesce(sum(n) FILTER (started_at >= period_start AND started_at < period_end AND is_back), 0) AS back,
    coalesce(sum(n) FILTER (ended_at >= period_start AND ended_at < period_end), 0) AS lost,
    coalesce(sum(n) FILTER (ended_at >= period_start AND ended_at < period_end AND started_at >= period_start), 0) AS lost_new,
    coalesce(sum(n) FILTER (started_at < period_end AND coalesce(ended_at, DATE '9999-01-01') >= period_end), 0) AS closing,
    coalesce(sum(worth) FILTER (started_at < period_start AND coalesce(ended_at, DATE '9999-01-01') >= period_start), 0) AS opening_worth,
    coalesce(sum(worth) FILTER (started_at >= period_start AND started_at < period_end AND NOT is_back), 0) AS gained_worth,
    coalesce(sum(worth) FILTER (started_at >= period_start AND started_at < period_end AND is_back), 0) AS back_worth,
    coalesce(sum(worth) FILTER (ended_at >= period_start AND ended_at < period_end), 0) AS lost_worth,
    coalesce(sum(worth) FILTER (ended_at >= period_start AND ended_at < period_end AND started_at >= period_start), 0) AS lost_new_worth,
    coalesce(sum(worth) FILTER (started_at < period_end AND coalesce(ended_at, DATE '9999-01-01') >= period_end), 0) AS closing_worth
  FROM flow_periods CROSS JOIN span_days GROUP BY period, period_start)
SELECT 'active' AS customer_group, 'all' AS segment, period, period_start, period_end, opening AS opening_count,
  gained AS gained_count, back AS back_count, lost AS lost_count, lost_new AS lost_new_count, closing AS closing_count,
  opening_worth / 1000 AS opening_value, gained_worth / 1000 AS gained_value, back_worth / 1000 AS back_value,
  lost_worth / 1000 AS lost_value, lost_new_worth / 1000 AS lost_new_value, closing_worth / 1000 AS closing_value,
  opening - lost + lost_new AS retained_count,
  CASE WHEN opening > 0 THEN 1 - (lost - lost_new) / opening END AS retention_share,
  CASE WHEN opening > 0 THEN (lost - lost_new) / opening END AS churn_share,
  CASE WHEN opening_worth > 0 THEN (lost_worth - lost_new_worth) / opening_worth END AS value_churn_share,
  period_end <= $today::DATE AS is_final
FROM flow;

-- fact_customer_loss
SELECT 'active' AS customer_group, c.period, c.period_start, 'lapsed' AS reason, sum(n) AS lost_count,
  sum(worth) / 1000 AS lost_value
FROM span_days JOIN flow_periods c ON ended_at >= c.period_start AND ended_at < c.period_end
GROUP BY c.period, c.period_start;

-- fact_customer_cohort
WITH offsets AS (
  SELECT c.cohort, c.n AS size, date_diff('month', c.cohort, m.month) AS months_after, m.month
  FROM (SELECT cohort, n FROM cohorts WHERE month = cohort) c
  JOIN (SELECT unnest(generate_series(min(month), greatest(max(month), date_trunc('month', $today::DATE)::DATE), INTERVAL 1 MONTH))::DATE AS month FROM cohorts) m
    ON m.month >= c.cohort),
later AS (
  SELECT o.cohort, o.month, sum(n_last) AS n FROM offsets o JOIN cohorts c ON c.cohort = o.cohort AND c.month >= o.month
  GROUP BY ALL)
SELECT 'active' AS customer_group, o.cohort AS cohort_start, o.months_after, o.size AS cohort_count,
  coalesce(c.n, 0) AS active_count, coalesce(l.n, 0) AS active_or_later_count, coalesce(c.n, 0) / o.size AS retention_share,
  coalesce(l.n, 0) / o.size AS unbounded_share, o.month >= date_trunc('month', $today::DATE)::DATE AS is_partial
FROM offsets o LEFT JOIN cohorts c ON c.cohort = o.cohort AND c.month = o.month
LEFT JOIN later l ON l.cohort = o.cohort AND l.month = o.month;
