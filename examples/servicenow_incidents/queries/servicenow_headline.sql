-- Headline figures, one a row: metric, value, text.
WITH whole AS (
    SELECT * FROM scorecard_company WHERE period = 'to_date'
),
callers AS (
    SELECT
        opened_at - lag(opened_at) OVER (PARTITION BY customer_key ORDER BY opened_at, case_id) AS after_last,
        opened_at - lag(opened_at) OVER alike AS after_last_alike,
        lead(opened_at) OVER alike - opened_at AS before_next_alike,
        resolved_at IS NOT NULL AS is_resolved,
        attribute_reassignment_count = 0 AND attribute_reopen_count = 0 AS is_untouched
    FROM fact_case
    WHERE customer_key IS NOT NULL
    WINDOW alike AS (PARTITION BY customer_key, attribute_category ORDER BY opened_at, case_id)
),
contacts AS (
    SELECT
        count(*) AS n,
        count(*) FILTER (after_last <= INTERVAL 7 DAY) AS repeated,
        count(*) FILTER (after_last_alike <= INTERVAL 7 DAY) AS repeated_alike,
        count(*) FILTER (is_resolved) AS resolved,
        count(*) FILTER (
            is_resolved AND is_untouched AND coalesce(before_next_alike > INTERVAL 7 DAY, true)
        ) AS first_contact
    FROM callers
),
figures (metric, value) AS (
    SELECT 'events', value FROM whole WHERE metric = 'updates'
    UNION ALL SELECT 'incidents', value FROM whole WHERE metric = 'incidents'
    -- The expected figures count the unknown caller as one more, and the missing group too.
    UNION ALL SELECT 'callers', count(DISTINCT coalesce(customer_key, '?')) FROM fact_case
    UNION ALL SELECT 'assignment_groups', count(DISTINCT attribute_assignment_group) FROM fact_case
    UNION ALL SELECT 'resolved_at_missing', excluded_count FROM whole WHERE metric = 'resolution_p50'
    UNION ALL SELECT 'resolved_before_opened', count(*) FILTER (resolution_hours < 0) FROM fact_case
    UNION ALL SELECT 'reopened', numerator FROM whole WHERE metric = 'reopened'
    UNION ALL SELECT 'reopen_rate', value FROM whole WHERE metric = 'reopened'
    UNION ALL SELECT 'reassigned_at_least_once', numerator FROM whole WHERE metric = 'reassigned'
    UNION ALL SELECT 'reassigned_share', value FROM whole WHERE metric = 'reassigned'
    UNION ALL SELECT 'reassignment_mean', value FROM whole WHERE metric = 'reassignments'
    UNION ALL SELECT 'reassignment_max', max(attribute_reassignment_count) FROM fact_case
    UNION ALL SELECT 'zero_touch_transfer_share', (denominator - numerator) / denominator
        FROM whole WHERE metric = 'reassigned'
    UNION ALL SELECT 'group_handoffs_total', value FROM whole WHERE metric = 'handoffs'
    UNION ALL SELECT 'incidents_with_handoff', numerator FROM whole WHERE metric = 'handed_over'
    UNION ALL SELECT 'ping_pong', numerator FROM whole WHERE metric = 'ping_pong'
    UNION ALL SELECT 'aba', numerator FROM whole WHERE metric = 'direct_ping_pong'
    UNION ALL SELECT 'made_sla', numerator FROM whole WHERE metric = 'made_sla'
    UNION ALL SELECT 'made_sla_rate', value FROM whole WHERE metric = 'made_sla'
    UNION ALL SELECT 'made_sla_wilson_lo', value_low FROM whole WHERE metric = 'made_sla'
    UNION ALL SELECT 'made_sla_wilson_hi', value_high FROM whole WHERE metric = 'made_sla'
    UNION ALL SELECT 'ttr_n', n FROM whole WHERE metric = 'resolution_p50'
    UNION ALL SELECT 'ttr_mean_h', value FROM whole WHERE metric = 'resolution_mean'
    UNION ALL SELECT 'ttr_p50_h', value FROM whole WHERE metric = 'resolution_p50'
    UNION ALL SELECT 'ttr_p75_h', value FROM whole WHERE metric = 'resolution_p75'
    UNION ALL SELECT 'ttr_p90_h', value FROM whole WHERE metric = 'resolution_p90'
    UNION ALL SELECT 'ttr_p95_h', value FROM whole WHERE metric = 'resolution_p95'
    UNION ALL SELECT 'ttc_p50_h', value FROM whole WHERE metric = 'closing_p50'
    UNION ALL SELECT 'ttc_p90_h', value FROM whole WHERE metric = 'closing_p90'
    UNION ALL SELECT 'ttc_mean_h', value FROM whole WHERE metric = 'closing_mean'
    UNION ALL SELECT 'first_response_n', n FROM whole WHERE metric = 'first_response_p50'
    UNION ALL SELECT 'first_response_p50_h', value FROM whole WHERE metric = 'first_response_p50'
    UNION ALL SELECT 'first_response_p90_h', value FROM whole WHERE metric = 'first_response_p90'
    UNION ALL SELECT 'first_response_negative', count(*) FILTER (first_response_hours < 0) FROM fact_case
    -- Contacts that follow another of the same caller within a week, and those that none follows.
    UNION ALL SELECT 'repeat_contact_7d_n', n FROM contacts
    UNION ALL SELECT 'repeat_contact_7d', repeated FROM contacts
    UNION ALL SELECT 'repeat_contact_7d_rate', repeated / n FROM contacts
    UNION ALL SELECT 'repeat_contact_7d_same_category', repeated_alike FROM contacts
    UNION ALL SELECT 'repeat_contact_7d_same_category_rate', repeated_alike / n FROM contacts
    UNION ALL SELECT 'fcr_n', resolved FROM contacts
    UNION ALL SELECT 'fcr', first_contact FROM contacts
    UNION ALL SELECT 'fcr_rate', first_contact / resolved FROM contacts
)
SELECT metric, value, '' AS text FROM figures
