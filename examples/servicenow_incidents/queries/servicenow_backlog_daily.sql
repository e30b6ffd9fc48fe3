-- Incidents opened, closed and open, day by day.
SELECT
    strftime(date, '%Y-%m-%d') AS day,
    opened_count AS opened,
    closed_count AS closed,
    backlog_count AS backlog_not_closed,
    unresolved_count AS backlog_not_resolved,
    age_p50_days AS age_p50_d,
    age_p90_days AS age_p90_d,
    over_30_days_count AS age_gt_30d
FROM fact_issue_flow
WHERE touchpoint_id = 'all'
ORDER BY date
