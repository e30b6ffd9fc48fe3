-- What moves the overall rating of 2017: six drivers, by LMG and by Johnson's relative weights. Unweighted.
SELECT
    lmg.touchpoint_id AS driver,
    lmg.weight AS lmg,
    100 * lmg.explained_share AS lmg_pct,
    johnson.weight AS relative_weight,
    100 * johnson.explained_share AS relative_weight_pct,
    lmg.n AS n,
    lmg.r_squared AS R2
FROM driver_weight AS lmg
JOIN driver_weight AS johnson ON johnson.analysis = 'overall_rating_johnson' AND johnson.touchpoint_id = lmg.touchpoint_id
WHERE lmg.analysis = 'overall_rating'
ORDER BY lmg.rank
