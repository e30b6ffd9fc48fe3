"""Published methods, one module a family: formula, units, source and convention in every docstring.

    intervals     (beside this package) intervals of proportions, scores, means, counts and differences
    differences   two or more proportions compared
    scales        answers on scales: satisfaction, effort 1.0 and 2.0
    promoters     net promoter score: variance, Wald, Bayesian, change
    responses     response, cooperation, contact and refusal rates (AAPOR)
    weights       effective sample size, post-stratification, raking, linearised errors
    representation  whether those who answered resemble those they stand for
    sentinels     whether a series has left its usual range for good
    percentiles   quantiles of complete observations, by the named definitions
    ranks         which of the values in order enclose a quantile
    survival      Kaplan-Meier with open cases, its quantiles, log-rank
    retention     customers opening, gained, back and lost; cohorts
    flows         Little's law over a window, best and worst case of a line, rates per thousand
    contacts      repeat contacts and first contact resolution with its four parts
    handover      who hands work to whom
    charts        limits of XmR, p, u, c and Laney's p' and u' charts
    run_rules     what a chart's points signal, by named rule sets
    drift         EWMA and CUSUM
    run_lengths   how long a chart runs until it signals
    decompose     a change as rate and mix, or as k factors
    owner_change  an owner's change as rate, mix, portfolio and who answered
    drivers       what moves a score: LMG and Johnson's weights with bootstrap intervals
    student       Student's t without scipy
    discoveries   many comparisons: Benjamini-Hochberg and its kin
    pace          goals: lint, path, projection with the chance to meet
    budgets       bad-experience budgets and how fast they burn
    hollow        improvements that are none
    interrupted   a step after an intervention (interrupted time series)

Functions over many series take frames or expressions; those over one matrix take arrays. `docs/methods.md`
is printed from these docstrings.
"""
