-- Headline figures, one a row: metric, value, text.
WITH whole AS (
    SELECT * FROM scorecard_company WHERE period = 'to_date'
),
-- Contacts of known callers, with the one before and the one after; "same" is of the same category.
contacts AS (
    SELECT
        *,
        opened_at - lag(opened_at) OVER caller <= INTERVAL 7 DAY AS is_repeat,
        opened_at - lag(opened_at) OVER same <= INTERVAL 7 DAY AS is_same_repeat,
        coalesce(lead(opened_at) OVER same - opened_at <= INTERVAL 7 DAY, FALSE) AS comes_again
    FROM fact_case
    WHERE customer_key IS NOT NULL
    WINDOW
        caller AS (PARTITION BY customer_key ORDER BY opened_at, case_id),
        same AS (PARTITION BY customer_key, attribute_category ORDER BY opened_at, case_id)
),
repeats AS (
    SELECT
        count(*) AS n,
        count(*) FILTER (is_repeat) AS repeats,
        count(*) FILTER (is_same_repeat) AS same_repeats,
        count(*) FILTER (resolved_at IS NOT NULL) AS resolved,
        count(*) FILTER (
            resolved_at IS NOT NULL AND NOT comes_again
            AND attribute_reassignment_count = 0 AND attribute_reopen_count = 0
        ) AS at_first_contact
    FROM contacts
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
    UNION ALL SELECT 'repeat_contact_7d_n', n FROM repeats
    UNION ALL SELECT 'repeat_contact_7d', repeats FROM repeats
    UNION ALL SELECT 'repeat_contact_7d_rate', repeats / n FROM repeats
    UNION ALL SELECT 'repeat_contact_7d_same_category', same_repeats FROM repeats
    UNION ALL SELECT 'repeat_contact_7d_same_category_rate', same_repeats / n FROM repeats
    UNION ALL SELECT 'fcr_n', resolved FROM repeats
    UNION ALL SELECT 'fcr', at_first_contact FROM repeats
    UNION ALL SELECT 'fcr_rate', at_first_contact / resolved FROM repeats
)
SELECT metric, value, '' AS text FROM figures
