"""Workspaces with something wrong: one error that lists everything, each with its file, line and remedy."""

import os
import re
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.errors import AnswerableError, MapError, WorkspaceError
from examples.starter.create import create
from flows.workspace import IDENTITY_VARIABLE, folder_of, load
from tests.conftest import CONTRACT, FEED, MAP, ROOT, SETTINGS, Sandbox, build_sandbox

SETTINGS_FILE, MAP_FILE = "answerable.yaml", "map/map.yaml"
FEED_FILE, CONTRACT_FILE = "feeds/survey.yaml", "contracts/survey.odcs.yaml"
TEXTS = {SETTINGS_FILE: SETTINGS, MAP_FILE: MAP, FEED_FILE: FEED, CONTRACT_FILE: CONTRACT}


class Flaw(NamedTuple):
    """A change that makes a workspace wrong.

    Attributes:
        file: The file that is changed.
        old: What stands there.
        new: What is written instead.
        said: What the error says, whole lines or parts of them.
    """

    file: str
    old: str
    new: str
    said: tuple[str, ...]


def in_settings(old: str, new: str, *said: str) -> Flaw:
    return Flaw(SETTINGS_FILE, old, new, said)


def in_map(old: str, new: str, *said: str) -> Flaw:
    return Flaw(MAP_FILE, old, new, said)


def in_feed(old: str, new: str, *said: str) -> Flaw:
    return Flaw(FEED_FILE, old, new, said)


def in_contract(old: str, new: str, *said: str) -> Flaw:
    return Flaw(CONTRACT_FILE, old, new, said)


ORDER = "    stage: enter\n"
ABOUT = "{name: about, required: true}"
CLOCKED = "logicalType: timestamp,"
RULE = "SELECT COUNT(*) FROM ${object} WHERE"

FLAWS = [
    # answerable.yaml
    in_settings("timezone", "timezon", "answerable.yaml:3: unknown key 'timezon'. Did you mean 'timezone'?"),
    in_settings("Europe/Berlin", "Europe/Berlim", "answerable.yaml:3: 'timezone' is 'Europe/Berlim'. Write a name of the"),
    in_settings("Test company", "5", "answerable.yaml:2: 'name' is 5. It has to be a text: put it in quotes."),
    in_settings("name: Test company\n", "", "answerable.yaml:2: 'name' is missing. Add 'name'."),
    in_settings("2026-03-02T06:00", "2026-02-30", "answerable.yaml:4: 'clock' is '2026-02-30'. Write a date like"),
    in_settings("phone_region: DE", "phone_region: XX", "answerable.yaml:5: 'phone_region' is 'XX', which is no region."),
    in_settings("key: public", "key: secret", "answerable.yaml:5: 'key' is 'secret'. Known: environment, public."),
    in_settings("2026-03-02T06:00", "0001-01-01", "answerable.yaml:4: 'clock' is 0001-01-01, when there were no events."),
    in_settings("timezone", "expect_future_minutes: 999999999\ntimezone", "answerable.yaml:3: 'expect_future_minutes' is 999999999,"),
    *(in_settings("timezone", f"warehouse: {written}\ntimezone", f"answerable.yaml:3: 'warehouse' is {said}.")
      for written, said in (
          ("''", "''. Write something here"),
          ("' '", "' ', which names no folder"),
          (r'"a\0b"', r"'a\x00b', which names no folder"),
          ("ä" * 200, f"'{'ä' * 200}', which names no folder"),
          (".", "'.', which holds the workspace itself"),
          ("..", "'..', which holds the workspace itself"),
          ("/", "'/', which holds the workspace itself"),
          ("map", "'map', which lies in 'map'"),
          ("x/../inbox/made", "'x/../inbox/made', which lies in 'inbox'"),
      )),
    in_settings("timezone", "warehouse: answerable.yaml/x\ntimezone", "'warehouse' is 'answerable.yaml/x', but '", "' is a file. Write a"),
    # the map: what is written
    in_map("rules:", "ruls:", "map/map.yaml:23: unknown key 'ruls'. Did you mean 'rules'?"),
    in_map(ORDER, "", "map/map.yaml:11: 'stage' is missing. Add 'stage'."),
    in_map(ORDER, f"{ORDER}    stage: exit\n", "map/map.yaml:14: 'stage' stands already on line 13. Keep one."),
    in_map("seats:", "seats:\n  - 5", "map/map.yaml:5: item 1 of 'seats' is 5. Write a mapping of keys and values here."),
    in_map("teams: [", "teams: 5 # [", "map/map.yaml:2: 'teams' is 5. Write a list here."),
    in_map("estimator: csat", "estimator: csatt", "map/map.yaml:27: 'estimator' is 'csatt'. Did you mean 'csat'?"),
    in_map("id: order\n", "id: Order\n", "map/map.yaml:11: 'id' is 'Order'. Use lower-case letters, digits and '_'"),
    in_map("at_least: 0.8", "at_least: .nan", "map/map.yaml:16: 'at_least' is nan. Write a number."),
    in_map("at_least: 0.8", "at_least: lots", "map/map.yaml:16: 'at_least' is 'lots'. Write a number."),
    in_map("due: 2026-12-31", "due: tomorrow", "map/map.yaml:16: 'due' is 'tomorrow'. Write a date like 2026-03-01"),
    in_map("at_least: 0.8,", "", "map/map.yaml:16: item 1 of 'goals' is {", "Write either 'at_least' or 'at_most'."),
    in_map("until: 2026-02-10T14:30", "until: 2026-02-30", "map/map.yaml:9: 'until' is '2026-02-30'. Write a date like"),
    in_map("{person: cleo, from", "{person: cleo, vacant: true, from",
           "map/map.yaml:9: item 2 of 'holders' is {", "Name either a 'person' or 'vacant: true'."),
    in_map("by: [channel]", "by: [channel], priority: yes", "map/map.yaml:27: unknown key 'priority'."),
    *(in_map("name: Ada", f"name: {written}", f"map/map.yaml:3: 'name' is {said}")
      for written, said in (
          ("''", "''. Write something here."),
          ("' '", "' '. Write at least one sign that can be seen."),
          (r'"\u200b\u00a0"', r"'\u200b\xa0'. Write at least one sign that can be seen."),
          (r'"A\nda"', r"'A\nda'. Write it on one line, without control characters."),
          (r'"A\u2028da"', r"'A\u2028da'. Write it on one line"),
          (r'"\e[31mAda"', r"'\x1b[31mAda'. Write it on one line"),
          (r'"A\0da"', r"'A\x00da'. Write it on one line"),
      )),
    in_map("name: Ada", f"name: {'x' * 201}", "map/map.yaml:3: 'name' is 'xxx", "Use at most 200 characters."),
    in_map("name: Delivery", r'name: "\t"', "map/map.yaml:18: 'name' is "),
    in_settings("Test company", r'"\x07"', r"answerable.yaml:2: 'name' is '\x07'. Write it on one line"),
    # the map: what it names
    in_map("stage: enter", "stage: entr", "map/map.yaml:13: stage 'entr' is not in the map. Did you mean 'enter'?"),
    in_map("accountable: head_of_logistics", "accountable: head_of_logistic",
           "map/map.yaml:20: seat 'head_of_logistic' is not in the map. Did you mean 'head_of_logistics'?"),
    in_map("team: sales,", "team: sals,", "map/map.yaml:5: team 'sals' is not in the map. Did you mean 'sales'?"),
    in_map("person: cleo", "person: cloe", "map/map.yaml:9: person 'cloe' is not in the map. Did you mean 'cleo'?"),
    in_map("touchpoint: order,", "touchpoint: orderr,",
           "map/map.yaml:24: touchpoint 'orderr' is not in the map. Did you mean 'order'?"),
    in_map("    metrics: csat\n    goals: [{metric: csat", "    metrics: [csta]\n    goals: [{metric: csta",
           "map/map.yaml:15: metric 'csta' is not in the map. Did you mean 'csat'?",
           "map/map.yaml:16: metric 'csta' is not in the map. Did you mean 'csat'?"),
    in_map(ORDER, f"{ORDER}    informed: [legal]\n", "map/map.yaml:14: team or seat or person 'legal' is not in the map."),
    in_map("metrics:\n", "integrators: [{between: [sales, logistcs], seat: head}]\nmetrics:\n",
           "map/map.yaml:26: seat 'head' is not in the map.", "map/map.yaml:26: team 'logistcs' is not in the map."),
    in_map("metrics:\n", "reviews: [{id: weekly, name: W, every: week, chair: ada, touchpoints: [orders]}]\nmetrics:\n",
           "map/map.yaml:26: seat 'ada' is not in the map.", "map/map.yaml:26: touchpoint 'orders' is not in the map."),
    in_map("touchpoint: order,", "touchpoint: order, feed: surveys,",
           "map/map.yaml:24: feed 'surveys' does not exist. Did you mean 'survey'?"),
    # the map: who and when
    in_map("until: 2026-02-10T14:30", "until: 2026-03-10",
           "map/map.yaml:9: seat 'head_of_logistics' is held by 'ben' (line 9) and by 'cleo' from 2026-02-10T14:30:00."),
    in_map("accountable: head_of_logistics", "accountable:\n      - {seat: head_of_sales, until: 2026-02-02}\n"
           "      - {seat: head_of_logistics, from: 2026-02-01}",
           "map/map.yaml:22: touchpoint 'delivery' has two accountable seats, 'head_of_sales' (line 21) and "
           "'head_of_logistics', from 2026-02-01. Keep one; make the other responsible."),
    in_map("accountable: head_of_logistics", "accountable:\n      - {seat: head_of_sales, until: 2026-02-01}\n"
           "      - {seat: head_of_logistics, from: 2026-02-02}",
           "map/map.yaml:20: touchpoint 'delivery' has nobody accountable from 2026-02-01 until 2026-02-02."),
    in_map("until: 2026-02-10T14:30", "until: 2026-01-10",
           "map/map.yaml:6: seat 'head_of_logistics' has no holder from 2026-01-10 until 2026-02-10T14:30:00. "
           "Name one, or write 'vacant: true' for that time."),
    in_map("holders: [{person: ada}]", "holders: [{person: ada, from: 2026-02-01, until: 2026-01-01}]",
           "map/map.yaml:5: 'until' 2026-01-01 is not after 'from' 2026-02-01."),
    in_map("{id: ada, name: Ada}", "{id: ada, name: Ada, from: 2026-01-02, until: 2026-01-01}",
           "map/map.yaml:3: 'until' 2026-01-01 is not after 'from' 2026-01-02."),
    in_map("{id: ben, name: Ben}", "{id: ben, name: Ben, until: 2026-02-01}",
           "map/map.yaml:9: 'ben' holds seat 'head_of_logistics' outside the time they are active"),
    in_map(ORDER, f"{ORDER}    from: 2026-02-01\n    until: 2026-02-01\n",
           "map/map.yaml:11: 'until' 2026-02-01 is not after 'from' 2026-02-01."),
    in_map(ORDER + "    accountable: head_of_sales", ORDER + "    from: 2026-02-01\n"
           "    accountable: [{seat: head_of_sales, from: 2026-01-01}]",
           "map/map.yaml:15: somebody is accountable from 2026-01-01 until the end, but touchpoint 'order' exists"),
    in_map("due: 2026-12-31", "due: 2026-12-31, from: 2027-01-01", "map/map.yaml:16: the goal for 'csat' is due before it"),
    in_map("[{metric: csat, at_least: 0.8, due: 2026-12-31, why: it matters}]\n  - id: delivery",
           "[{metric: csat, at_least: 0.8, due: 2026-12-31, why: it}, {metric: csat, at_least: 0.7, due: 2026-12-31, why: it}]"
           "\n  - id: delivery", "map/map.yaml:16: touchpoint 'order' has two goals for 'csat' (line 16) from the beginning."),
    # the map: who stands in
    in_map("holders: [{person: ada}]", "holders: [{person: ada}], covers: [{person: ben, from: 2026-02-01}]",
           "map/map.yaml:5: 'until' is missing. Add 'until'."),
    in_map("holders: [{person: ada}]", "holders: [{person: ada}], covers: [{person: bern, from: 2026-02-01, until: 2026-02-08}]",
           "map/map.yaml:5: person 'bern' is not in the map. Did you mean 'ben'?"),
    in_map("holders: [{person: ada}]", "holders: [{person: ada}], covers: [{person: ben, from: 2026-02-08, until: 2026-02-08}]",
           "map/map.yaml:5: 'until' 2026-02-08 is not after 'from' 2026-02-08."),
    in_map("holders: [{person: ben,", "covers: [{person: ada, from: 2026-02-01, until: 2026-02-08},\n"
           "      {person: cleo, from: 2026-02-07T23:59:59, until: 2026-02-09}]\n    holders: [{person: ben,",
           "map/map.yaml:10: seat 'head_of_logistics' is covered by 'ada' (line 9) and by 'cleo' from 2026-02-07T23:59:59."),
    in_map("holders: [{person: ben,", "covers: [{person: ben, from: 2026-02-10, until: 2026-02-12}]\n    holders: [{person: ben,",
           "map/map.yaml:9: 'ben' stands in for themselves: they hold seat 'head_of_logistics' from 2026-02-10 until "
           "2026-02-10T14:30:00."),
    in_map("holders: [{person: ada}]", "holders: [{person: ada, from: 2026-01-01}], covers: [{person: ben, from: 2025-12-31, until: "
           "2026-02-01}]", "map/map.yaml:5: seat 'head_of_sales' is covered from 2025-12-31, before anybody holds it."),
    in_map("Cleo}]\nseats:\n  - {id: head_of_sales,", "Cleo}, {id: dan, name: Dan, from: 2026-02-02}]\nseats:\n  - {id: head_of_sales, "
           "covers: [{person: dan, from: 2026-02-01, until: 2026-03-01}],",
           "map/map.yaml:5: 'dan' stands in for seat 'head_of_sales' outside the time they are active (from 2026-02-02 until the end)."),
    in_map("holders: [{person: ada}]", "holders: [{person: ada}], delegates: [{person: ada}]",
           "map/map.yaml:5: 'ada' stands in for themselves: they hold seat 'head_of_sales' from the beginning until the end."),
    in_map("holders: [{person: ada}]", "holders: [{person: ada}], delegates: [{person: ben, from: 2026-01-02, until: 2026-01-01}]",
           "map/map.yaml:5: 'until' 2026-01-01 is not after 'from' 2026-01-02."),
    # the map: parts, former ids, front line
    in_map(ORDER, "    parent: order\n", "map/map.yaml:13: touchpoint 'order' is a part of itself: 'order' in 'order'."),
    in_map(ORDER, f"{ORDER}    parent: delivery\n", "map/map.yaml:13: touchpoint 'order' is in stage 'enter', but it is a part of "
           "'delivery', which is in 'engage'. Leave 'stage' out, or take 'parent' away."),
    in_map(ORDER, f"{ORDER}    parent: deliver\n", "map/map.yaml:14: touchpoint 'deliver' is not in the map. Did you mean 'delivery'?"),
    in_map(ORDER, f"{ORDER}    was: delivery\n", "map/map.yaml:14: the former id 'delivery' is a touchpoint at map/map.yaml:18."),
    in_map(ORDER, f"{ORDER}    was: [buy, buy]\n", "map/map.yaml:14: former id 'buy' stands already at map/map.yaml:14."),
    in_map(ORDER, f"{ORDER}    validated_by: ben\n", "map/map.yaml:11: item 1 of 'touchpoints' is {",
           "Write 'validated_by', 'validated_at' and 'validated_role' together."),
    in_map(ORDER, f"{ORDER}    validated_by: bem\n    validated_at: 2026-01-01\n    validated_role: frontline\n",
           "map/map.yaml:14: person 'bem' is not in the map. Did you mean 'ben'?"),
    in_map(ORDER, f"{ORDER}    validated_by: ben\n    validated_at: 2026-01-01\n    validated_role: frontlin\n",
           "map/map.yaml:16: 'validated_role' is 'frontlin'. Did you mean 'frontline'?"),
    in_map(ORDER, f"{ORDER}    kind: coordinate\n", "map/map.yaml:14: 'kind' is 'coordinate'. Did you mean 'coordination'?"),
    in_map("name: Sales}", "name: Sales, lead: head}", "map/map.yaml:2: seat 'head' is not in the map."),
    in_map("name: Ada}", "name: Ada, account: ada}", "map/map.yaml:3: 'account' is 'ada'. Write it like"),
    # the map: the way to a goal
    in_map("at_least: 0.8,", "at_least: 0.8, baseline: 0.7,", "map/map.yaml:16: the goal for 'csat' has one of 'baseline' and"),
    in_map("at_least: 0.8,", "at_least: 0.8, path: linear,", "map/map.yaml:16: the goal for 'csat' has the path 'linear' but no"),
    in_map("at_least: 0.8,", "at_least: 0.8, path: liner,", "map/map.yaml:16: 'path' is 'liner'. Did you mean 'linear'?"),
    in_map("at_least: 0.8,", "at_least: 0.8, path: [{by: 2027-01-01, level: 0.7}],",
           "map/map.yaml:16: a waypoint of 'csat', 2027-01-01, lies outside the goal's time."),
    in_map("at_least: 0.8,", "at_least: 0.8, path: [{by: 2026-06-01, level: 0.7}, {by: 2026-06-01, level: 0.75}],",
           "map/map.yaml:16: waypoints of 'csat' are not in the order of their dates."),
    in_map("at_least: 0.8,", "at_least: 0.8, baseline: 0.7, baseline_at: 2026-12-31,",
           "map/map.yaml:16: the goal for 'csat' has its baseline when it is due."),
    in_map("at_least: 0.8,", "at_least: 0.8, baseline: 0.6, baseline_at: 2026-06-01, path: [{by: 2026-06-01, level: 0.7}],",
           "map/map.yaml:16: the baseline of 'csat', 2026-06-01, is no older than its first waypoint, 2026-06-01."),
    in_map("estimator: csat,", "estimator: csat, low: 0, high: 1000000000000,",
           "map/map.yaml:27: the scale of 'csat' runs from 0 to 1000000000000 in steps of 0.001. Write a coarser 'step'"),
    in_map("estimator: csat,", "estimator: count,",
           "map/map.yaml:16: the goal for 'csat' is 0.8, but a count grows with its period: a week that meets it makes a "
           "quarter that does not. Set it for a metric with 'estimator: rate', counted against an 'exposure'."),
    in_map("estimator: csat,", "estimator: sum, value: score,",
           "map/map.yaml:16: the goal for 'csat' is 0.8, but a sum grows with its period: a week that meets it makes a "
           "quarter that does not. Set it for a metric with 'estimator: mean', or 'estimator: rate'."),
    in_map("at_least: 0.8,", "at_least: 0.8, counter_metric: csat,", "map/map.yaml:16: 'csat' is its own counter-metric."),
    in_map("at_least: 0.8,", "at_least: 0.8, counter_metric: nps,", "map/map.yaml:16: metric 'nps' is not in the map."),
    in_map("at_least: 0.8,", "at_least: 0.8, set_by: ceo, approved_by: ada,", "map/map.yaml:16: seat or person 'ceo' is not in the map."),
    # the map: who decides
    in_map("metrics:\n", "waivers: [{rule: unused_rule, object: x, approver: ad, reason: r, until: soon}]\nmetrics:\n",
           "map/map.yaml:26: 'until' is 'soon'. Write a date like"),
    in_map("metrics:\n", "waivers: [{rule: unused_rule, object: x, approver: ad, reason: r, until: 2026-04-01}]\nmetrics:\n",
           "map/map.yaml:26: person 'ad' is not in the map. Did you mean 'ada'?"),
    in_map("metrics:\n", "waivers:\n- &w {rule: unused_rule, object: x, approver: ada, reason: r, until: 2026-04-01}\n- *w\nmetrics:\n",
           "map/map.yaml:27: waiver for 'unused_rule of x' stands already at map/map.yaml:27. Keep the one that counts."),
    in_map("metrics:\n", "decision_rights: [{what: goal, seats: head_of_sales}]\nmetrics:\n",
           "map/map.yaml:26: 'what' is 'goal'. Did you mean 'goals'?"),
    in_map("metrics:\n", "decision_rights: [{what: goals, seats: head_of_sale, touchpoints: orders}]\nmetrics:\n",
           "map/map.yaml:26: seat 'head_of_sale' is not in the map.", "map/map.yaml:26: touchpoint 'orders' is not in the map."),
    in_map("metrics:\n", "decision_rights: [{what: goals, seats: []}]\nmetrics:\n", "map/map.yaml:26: 'seats' is []. Write at least one."),
    in_map("metrics:\n", "decision_rights: [{what: metrics, seats: head_of_sales}]\nmetrics:\n",
           "map/map.yaml:26: only 'ada' may change the metrics of touchpoint 'order', for which they answer from the beginning. "
           "Add a seat that somebody else holds."),
    # the map: what it says twice, or against itself
    in_map("id: ada", "id: nobody", "map/map.yaml:3: 'nobody' is a reserved id. Choose another."),
    in_map("id: cleo", "id: ben", "map/map.yaml:3: people has 'ben' already at map/map.yaml:3. Keep one."),
    in_map("id: csat", "id: events", "map/map.yaml:27: 'events' is a reserved id."),
    in_map("at_least: 0.8", "at_most: 0.8", "map/map.yaml:16: 'csat' is better when higher. Write the goal as 'at_least'."),
    in_map("by: [channel]", "by: [channel], top: 9", "map/map.yaml:27: 'top' 9 of 'csat' lies outside its scale, 1 to 5."),
    in_map("by: [channel]", "by: [channel], step: 1.0e-300", "map/map.yaml:27: 'step' of 'csat' is 1e-300. Write a number from"),
    in_map("by: [channel]", "by: [channel], low: 7", "map/map.yaml:27: the scale of 'csat' runs from 7 to 5."),
    in_map("name: Sales}, {id: logistics, name: Logistics}", "name: S, groups: [a]}, {id: logistics, name: L, groups: [b, a]}",
           "map/map.yaml:2: group 'a' stands already at map/map.yaml:2. A group belongs to one team."),
    in_map("    metrics: csat\n    goals: [{metric: csat, at_least: 0.8, due: 2026-12-31, why: it matters}]\n  - id",
           "    metrics: [csat, csat]\n  - id", "map/map.yaml:15: touchpoint 'order': metric 'csat' stands already at"),
    # conditions and columns
    in_map("where: {about: order}", "where: {aboutt: order}",
           "map/map.yaml:24: rule 'orders', where: no column 'aboutt'. Did you mean 'about'?"),
    in_map("where: {about: order}", "where: {score: high}",
           "map/map.yaml:24: rule 'orders', where: 'score' is a number, but is compared with 'high'."),
    in_map("where: {about: order}", "where: {about: no}", "map/map.yaml:24: rule 'orders', where: 'about' is a text, but is "
           "compared with False. It has to be a text: put it in quotes."),
    in_map("where: {about: order}", "where: {about: [order, 01234]}", "is compared with 668.0. It has to be a text: put it in quotes."),
    in_map("where: {about: order}", "where: {channel: 10:30}", "'channel' is a text, but is compared with 630.0."),
    in_map("where: {about: order}", "where: {about: 2026-03-01}",
           "map/map.yaml:24: 'about' is 2026-03-01. It has to be a text: put it in quotes."),
    in_map("where: {about: order}", "where: {about: order}, examples: [{event: {about: order, channel: on}}]",
           "map/map.yaml:24: an example of rule 'orders': 'channel' is a text, but True is none. It has to be a text: put it in"),
    in_map("estimator: csat,", "estimator: share, good: {channel: off},", "metric 'csat', good: 'channel' is a text, but is compared with"),
    in_map("where: {about: order}", "where: {score: '>= x'}", "map/map.yaml:24: 'score' is '>= x'.", "compares with no number"),
    in_map("where: {about: order}", "where: {about: [[1]]}", "map/map.yaml:24: 'about' is [[1]]. Write a value, a list of"),
    in_map("where: {about: order}", f"where: {{about: {10**400}}}", "map/map.yaml:24: 'about' is 1000", "Write a value, a list"),
    in_map("by: [channel]", "by: [channell]", "map/map.yaml:27: metric 'csat', by: no column 'channell'. Did you mean 'channel'?"),
    in_map("where: {scale: csat}", "where: {scal: csat}", "metric 'csat', where: no column 'scal'. Did you mean 'scale'?"),
    in_map("by: [channel]", "value: about", "map/map.yaml:27: metric 'csat', value: 'about' is a text, not a number."),
    in_map("by: [channel]", "value: scor", "map/map.yaml:27: metric 'csat', value: no column 'scor'. Did you mean 'score'?"),
    in_map("estimator: csat,", "estimator: share, good: {topic: x},", "metric 'csat', good: no column 'topic'."),
    in_map("estimator: csat,", "estimator: count, of: cases,", "map/map.yaml:27: metric 'csat' is over cases, but the map has no"),
    in_map("metrics:\n", "cases: [{attributes: {priority: last}}]\nmetrics:\n", "map/map.yaml:26: no feed gives attribute 'priority'."),
    in_map("metrics:\n", "cases: [{attributes: {about: sum}}]\nmetrics:\n", "attribute 'about' is text and cannot be added up."),
    in_map("metrics:\n", "cases: [{attributes: {about: last, score: max}}]\n"
           "drivers: [{id: whole, name: Whole, outcome: scores, touchpoints: {order: about, delivery: amount}}]\nmetrics:\n",
           "map/map.yaml:27: drivers 'whole': no case keeps 'scores'. Add it to the 'attributes' of 'cases'. Did you mean 'score'?",
           "drivers 'whole': 'about' is text. Make a number of it in the feed", "no case keeps 'amount'."),
    in_map("metrics:\n", "customers: [{id: c, name: C, active: {knd: x}, lapse_days: 9}]\nmetrics:\n",
           "map/map.yaml:26: customers 'c', active: no column 'knd'. Did you mean 'kind'?"),
    in_map("metrics:\n", "customers: [{id: c, name: C, active: {kind: x}, lapse_days: 9, value: abut}]\nmetrics:\n",
           "customers 'c', value: no column 'abut'."),
    # feeds
    in_feed("owner: head_of_sales", "owner: head_of_sale",
            "feeds/survey.yaml:4: owner 'head_of_sale' is no seat of the map. Did you mean 'head_of_sales'?"),
    in_feed("kind: file\n", "kind: fil\n", "feeds/survey.yaml:3: unknown kind 'fil'. Did you mean 'file'?"),
    in_feed("kind: file\n", "", "feeds/survey.yaml:2: 'kind' is missing. Add 'kind'."),
    in_feed("survey.odcs.yaml", "surey.odcs.yaml", "feeds/survey.yaml:10: contract 'contracts/surey.odcs.yaml' does not exist."),
    in_feed("survey.odcs.yaml", "survey.odcs.yaml#answer",
            "feeds/survey.yaml:10: contracts/survey.odcs.yaml has no schema 'answer'. Did you mean 'answers'?"),
    in_feed("settle_seconds: 0", "settle: 0", "feeds/survey.yaml:9: unknown key 'settle'. Did you mean 'settle_seconds'?"),
    in_feed("format: csv", "format: tsv", "feeds/survey.yaml:8: 'format' is 'tsv'. Did you mean 'csv'?"),
    in_feed("format: csv", "format: csv\n    separator: ab", "feeds/survey.yaml:9: 'separator' is 'ab'. Write one ASCII sign"),
    in_feed("format: csv", "format: csv\n    encoding: utf9", "feeds/survey.yaml:9: 'encoding' is 'utf9'. No such text encoding"),
    in_feed("format: csv", "format: csv\n    each: items", "feeds/survey.yaml:9: 'each' needs format jsonl. Drop it."),
    in_feed("inbox/answers*.csv", "/inbox/*.csv", "feeds/survey.yaml:7: 'files' is '/inbox/*.csv'. Write a path below the"),
    in_feed("inbox/answers*.csv", "inbox**/*.csv", "feeds/survey.yaml:7: 'files' is 'inbox**/*.csv'. Write a path below"),
    # expressions
    in_feed("score: satisfaction", "score: satisfacton",
            "feeds/survey.yaml:15: score: 'satisfacton' names no column 'satisfacton'. Did you mean 'satisfaction'?"),
    in_feed("score: satisfaction", "score: satisfaction +", "feeds/survey.yaml:15: score: 'satisfaction +' is no SQL expression"),
    in_feed("score: satisfaction", "score: foo(satisfaction)", "is no SQL expression: unsupported function 'foo'."),
    in_feed("score: satisfaction", "score: about", "feeds/survey.yaml:15: score: 'about' gives a text. Give its column a logicalType"),
    in_feed("score: satisfaction", "score: SUM(satisfaction)", "sums rows up, but every row is told by itself."),
    in_feed("score: satisfaction", "score: (SELECT 1)", "feeds/survey.yaml:15: score: '(SELECT 1)' cannot be computed"),
    in_feed("score: satisfaction", "score: satisfaction + answered_at", "cannot be computed: "),
    in_feed("score: satisfaction", "score: satisfaction\n        when: satisfaction", "gives a number. Write a condition"),
    in_feed("occurred_at: answered_at", "occurred_at: about", "feeds/survey.yaml:13: occurred_at: 'about' gives a text."),
    in_feed("kind: \"'survey.answered'\"", "kind: survey", "names no column 'survey'.", "A text needs quotes: \"'survey'\"."),
    in_feed("channel: channel", "channel: ''", "feeds/survey.yaml:14: channel: '' is no SQL expression"),
    in_feed("{about: about}", "{about: about, kind: channel}", "feeds/survey.yaml:17: attribute 'kind' has the name of a column"),
    in_feed("{about: about}", "{about: about, Bad: about}", "feeds/survey.yaml:17: 'Bad' is 'Bad'. Use lower-case letters"),
    in_feed("format: csv", "format: csv\n    let: {x: foo}", "feeds/survey.yaml:9: let.x: 'foo' names no column 'foo'."),
    in_feed("format: csv", "format: csv\n    let: {y: x, x: about}", "feeds/survey.yaml:9: let.y: 'x' names no column 'x'."),
    in_feed("format: csv", "format: csv\n    let: {about: email}", "feeds/survey.yaml:9: stream 'answers': 'about' in 'let' is a column"),
    in_feed("format: csv", "format: csv\n    melt: {name: q, value: a, columns: [abot]}",
            "feeds/survey.yaml:9: melt: no column 'abot'. Did you mean 'about'?"),
    in_feed("format: csv", "format: csv\n    melt: {name: q, value: q, columns: [about]}", "Give 'name' and 'value' different names"),
    in_feed("format: csv", "format: csv\n    melt: {name: q, value: email, columns: [about]}", "melt: value 'email' is a column already."),
    in_feed("format: csv", "format: csv\n    melt: {name: q, value: a, columns: [answered_at, satisfaction]}",
            "feeds/survey.yaml:9: melt: the columns are moment and number."),
    # contracts
    in_contract("v3.2.0", "v2.2.0", "contracts/survey.odcs.yaml:2: 'apiVersion' is 'v2.2.0'. Write it like"),
    in_contract("property: freshness", "property: latency", "contracts/survey.odcs.yaml:7: 'property' is 'latency'. Known: freshness."),
    in_contract("value: 40", "value: -1", "contracts/survey.odcs.yaml:7: 'value' is -1. Write a number above 0"),
    in_contract("minimum: 1", "multipleOf: 1", "contracts/survey.odcs.yaml:17: unknown key 'multipleOf'."),
    in_contract(ABOUT, "{name: about, unique: maybe}", "contracts/survey.odcs.yaml:16: 'unique' is 'maybe'. Write true or false."),
    in_contract(ABOUT, f"{ABOUT}\n      - {{name: about}}", "contracts/survey.odcs.yaml:17: column 'about' is described twice."),
    in_contract(ABOUT, f"{ABOUT}\n      - {{name: more, physicalName: about}}", "odcs.yaml:17: column 'about' is described twice."),
    in_contract(ABOUT, f"{ABOUT}\n      - {{name: row}}", "odcs.yaml:17: item 6 of 'properties' is {'name': 'row'}.",
                "'row' is the name of a column of ours."),
    in_contract(ABOUT, "{name: about, logicalTypeOptions: {pattern: '('}}", "odcs.yaml:16: 'pattern' is '('. It is no regular"),
    in_contract(ABOUT, "{name: about, logicalTypeOptions: {pattern: '(?=x)'}}", "odcs.yaml:16: column 'about': pattern '(?=x)' cannot"),
    in_contract(ABOUT, "{name: about, logicalTypeOptions: {minimum: 3}}", "'minimum' is for integer or number, and 'about' is string."),
    in_contract(ABOUT, "{name: about, customProperties: [{property: identity, value: mail}]}", "identity is 'mail'. Write one of email"),
    in_contract(ABOUT, "{name: about, customProperties: [{property: maxQuarantineRate, value: 0.1}]}",
                "custom property 'maxQuarantineRate' means nothing here."),
    in_contract("value: 0.5", "value: lots", "odcs.yaml:10: item 1 of 'customProperties'", "as a share from 0 to 1."),
    in_contract("value: 0.5", "value: 5.0", "odcs.yaml:10: item 1 of 'customProperties'", "as a share from 0 to 1."),
    in_contract(CLOCKED, "logicalType: timestam,", "odcs.yaml:14: 'logicalType' is 'timestam'. Did you mean 'timestamp'?"),
    in_contract(CLOCKED, f"{CLOCKED} logicalTypeOptions: {{format: yyyy-MMM-dd}},", "odcs.yaml:14: column 'answered_at': date pattern",
                "has 'MMM'. Use yyyy, MM"),
    in_contract(CLOCKED, f"{CLOCKED} logicalTypeOptions: {{format: 'yyyy-MM-dd hh:mm'}},", "Write hours as HH, or as hh with a."),
    in_contract(CLOCKED, f"{CLOCKED} logicalTypeOptions: {{format: 'HH:mm'}},", "'HH:mm' tells no day. Use y, M and d."),
    in_contract(CLOCKED, f"{CLOCKED} logicalTypeOptions: {{format: 'yyyy-MM-dd', timezone: true}},", "wants an offset, but no pattern"),
    in_contract(CLOCKED, f"{CLOCKED} logicalTypeOptions: {{defaultTimezone: Berlin}},", "odcs.yaml:14: 'defaultTimezone' is 'Berlin'."),
    in_contract("    properties:", f"    quality: [{{id: r, type: sql, mustBe: 0, query: '{RULE} foo > 1'}}]\n    properties:",
                "contracts/survey.odcs.yaml:11: rule 'r': 'foo > 1' names no column 'foo'."),
    in_contract("    properties:", f"    quality: [{{id: r, type: sql, mustBe: 0, query: '{RULE} about'}}]\n    properties:",
                "odcs.yaml:11: rule 'r': 'about' gives a text. Write a condition"),
    in_contract("    properties:", "    quality: [{id: r, type: sql, mustBe: 0, query: SELECT 1}]\n    properties:",
                "Write it as: SELECT COUNT(*) FROM ${object} WHERE"),
    in_contract("    properties:", "    quality: [{id: r, type: library, rule: nullCheck}]\n    properties:",
                "odcs.yaml:11: unknown key 'rule'."),
    in_contract("name: answer_id, primaryKey: true", "name: answer_id, primaryKey: true, classification: personal",
                "odcs.yaml:12: 'answer_id' is part of the key, but it is personal and never lands."),
    in_contract(ABOUT, "{name: about, classification: personal}", "names 'about', which is personal and never lands."),
]  # fmt: skip


def problems_of(sandbox: Sandbox) -> str:
    with pytest.raises(WorkspaceError) as caught:
        sandbox.load()
    assert caught.value.exit_code == 3
    return str(caught.value)


@pytest.mark.parametrize("flaw", FLAWS, ids=[f"{n} {flaw.file}" for n, flaw in enumerate(FLAWS)])
def test_a_flaw_is_told_with_its_file_its_line_and_what_to_do(sandbox: Sandbox, flaw: Flaw):
    sandbox.replace(flaw.file, flaw.old, flaw.new)
    told = problems_of(sandbox)
    for said in flaw.said:
        assert said in told
    for line in told.splitlines():
        where, _, rest = line.partition(": ")
        assert where.rpartition(":")[2].isdigit(), line
        assert rest.endswith((".", "?", '".', "$", "...")), line
        assert "invalid" not in rest.lower(), line
        assert "please" not in rest.lower()


def test_every_problem_of_every_file_stands_in_one_report(sandbox: Sandbox):
    """Problems of one kind hide none of another; a thing that cannot be read leaves its name known."""
    sandbox.replace(SETTINGS_FILE, "timezone", "timezon")
    sandbox.replace(MAP_FILE, "stage: enter", "stage: entr")
    sandbox.replace(MAP_FILE, "    name: Delivery", "    titled: Delivery")  # a touchpoint that a rule names
    sandbox.replace(MAP_FILE, "where: {about: order}", "where: {aboutt: order}")
    sandbox.replace(FEED_FILE, "owner: head_of_sales", "owner: head")
    sandbox.replace(FEED_FILE, "score: satisfaction", "score: satisfacton")
    told = problems_of(sandbox).splitlines()
    assert [line.partition(": ")[0] for line in told] == [
        "answerable.yaml:3",
        "feeds/survey.yaml:4",
        "feeds/survey.yaml:15",
        "map/map.yaml:13",
        "map/map.yaml:17",
        "map/map.yaml:18",
        "map/map.yaml:24",
    ]


def test_what_stands_in_a_file_that_cannot_be_read_is_not_called_unknown(sandbox: Sandbox):
    people = MAP[MAP.index("people:") : MAP.index("touchpoints:")]
    sandbox.write(MAP_FILE, MAP.replace(people, ""))
    sandbox.write("map/people.yaml", people.replace("holders: [{person: ada}]", "holders: [{person: ada}"))
    sandbox.write("feeds/more.yaml", "feed: [")
    sandbox.replace(MAP_FILE, "where: {about: order}", "feed: more, where: {topic: order}")
    assert [line.partition(": ")[0] for line in problems_of(sandbox).splitlines()] == [
        "feeds/more.yaml:2",
        "map/people.yaml:3",
    ]


def test_a_problem_of_the_map_alone_is_a_map_error(sandbox: Sandbox):
    sandbox.replace(MAP_FILE, "stage: enter", "stage: entr")
    with pytest.raises(MapError):
        sandbox.load()


@pytest.mark.parametrize("file", [SETTINGS_FILE, MAP_FILE, FEED_FILE, CONTRACT_FILE])
@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"a: [1\nb: 2\n", ":2: this is not YAML: "),
        (b"a: 1\n- b\n", ":2: this is not YAML: "),
        (b"a: \xff\xfe\nb: 1", ":1: is not UTF-8: "),
        ("name: größe\n".encode("latin-1"), ":1: is not UTF-8: "),
        ("name: x\n".encode("utf-16"), ":1: is not UTF-8: "),
        (b"a: 1\nb: \x00\n", ":2: has the control character 0. Delete it."),
        (b"a: &a [*a]\n", "this is not YAML: an alias stands inside what it names."),
        (b"a: !!python/object:os.system {}\n", ":1: unknown key 'a'."),
        (b"a: 1\n---\nb: 2\n", "this is not YAML: expected a single document"),
        (b"? {a: b}\n: c\n", ":1: this is not YAML: a key is no text."),
        (b"- 1\n", ":1: 'FILE' is [1]. Write a mapping of keys and values here."),
        (b"5\n", ":1: 'FILE' is 5. Write a mapping of keys and values here."),
        (b"[]\n", ":1: 'FILE' is []. Write a mapping of keys and values here."),
        (b"[" * 6000 + b"]" * 6000, ":1: is nested too deeply. Write it flatter."),
    ],
)
def test_a_file_that_is_no_yaml_of_ours_is_told_by_its_name_and_line(
    sandbox: Sandbox, file: str, content: bytes, said: str
):
    sandbox.write(file, content)
    assert f"{file}{said.replace('FILE', file)}" in problems_of(sandbox) or said in problems_of(sandbox)


@pytest.mark.parametrize(
    ("file", "missing"), [(SETTINGS_FILE, ["name"]), (FEED_FILE, ["feed", "kind", "owner", "streams"])]
)
def test_an_empty_file_lacks_what_it_has_to_say(sandbox: Sandbox, file: str, missing: list[str]):
    sandbox.write(file, "# nothing yet\n")
    told = problems_of(sandbox)
    for name in missing:
        assert f"{file}:1: {name!r} is missing. Add {name!r}." in told


def test_a_folder_without_settings_is_no_workspace(tmp_path: Path):
    with pytest.raises(
        WorkspaceError, match=r"is no workspace: it has no answerable.yaml. Go to one, or make one"
    ):
        load(tmp_path)


def test_a_workspace_without_a_map_is_told_so(sandbox: Sandbox):
    (sandbox.root / MAP_FILE).unlink()
    assert "map/: has no YAML file. Declare stages, seats and touchpoints there." in str(_error(sandbox))


def _error(sandbox: Sandbox) -> WorkspaceError:
    with pytest.raises(WorkspaceError) as caught:
        sandbox.load()
    return caught.value


def test_a_file_that_lies_too_deep_is_not_overlooked(sandbox: Sandbox):
    sandbox.write("map/emea/more.yaml", "teams: [{id: more, name: More}]")
    assert "map/emea/more.yaml:1: is not read: it lies too deep. Move it to map/." in problems_of(sandbox)


def test_a_pipe_with_a_files_name_is_told_and_not_waited_for(sandbox: Sandbox):
    os.mkfifo(sandbox.root / "map/more.yaml")
    with pytest.raises(
        WorkspaceError, match=r"^map/more\.yaml:1: is no file but a pipe\. Put the file itself"
    ):
        sandbox.load()


def test_a_folder_with_a_files_name_is_told(sandbox: Sandbox):
    (sandbox.root / "map/more.yaml").mkdir()
    assert "map/more.yaml:1: cannot be read: " in problems_of(sandbox)


def test_an_id_that_stands_in_two_files_is_told_with_both_places(sandbox: Sandbox):
    sandbox.write("map/more.yaml", "teams:\n  - {id: sales, name: Sales again}\n")
    sandbox.write("feeds/again.yaml", FEED)
    assert problems_of(sandbox).splitlines() == [
        "feeds/survey.yaml:2: feed 'survey' stands already at feeds/again.yaml:2. Put their streams together, or rename one.",
        "map/more.yaml:2: teams has 'sales' already at map/map.yaml:2. Keep one.",
    ]


def test_a_stream_that_stands_twice_is_told_with_both_places(sandbox: Sandbox):
    sandbox.write(FEED_FILE, FEED + FEED[FEED.index("  - name:") :])
    assert (
        "feeds/survey.yaml:18: stream 'answers' stands already at feeds/survey.yaml:6. Rename one."
        in problems_of(sandbox)
    )


def test_an_attribute_is_text_or_number_in_every_feed(sandbox: Sandbox):
    sandbox.write(
        "feeds/more.yaml",
        FEED.replace("feed: survey", "feed: more").replace("{about: about}", "{about: satisfaction}"),
    )
    assert problems_of(sandbox) == (
        "feeds/survey.yaml:17: attribute 'about' is a text here and a number at feeds/more.yaml:17. "
        "Cast it, or give it another name."
    )


def test_a_contract_that_two_streams_share_is_complained_about_once(sandbox: Sandbox):
    stream = FEED[FEED.index("  - name:") :].replace("name: answers", "name: again")
    sandbox.write(FEED_FILE, FEED + stream)
    sandbox.replace(CONTRACT_FILE, "v3.2.0", "v2.2.0")
    assert len(problems_of(sandbox).splitlines()) == 1


def test_dates_at_the_edge_of_the_calendar_mean_always(sandbox: Sandbox):
    sandbox.replace(
        MAP_FILE, "{person: ada}", "{person: ada, from: 0001-01-01, until: 9999-12-31T23:59:59-12:00}"
    )
    tenure = next(one for one in sandbox.load().tenures if one.touchpoint == "order")
    assert (tenure.start.year, tenure.end.year) == (1, 9999)


def test_without_its_secret_a_workspace_says_how_to_make_one(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
):
    sandbox.replace(SETTINGS_FILE, "key: public", "key: environment")
    monkeypatch.delenv(IDENTITY_VARIABLE, raising=False)
    with pytest.raises(
        WorkspaceError, match=r"ANSWERABLE_IDENTITY_KEY: is not set, or shorter than 16 characters.*export"
    ):
        sandbox.load().identity_key()
    monkeypatch.setenv(IDENTITY_VARIABLE, "fifteen letters")
    with pytest.raises(WorkspaceError) as caught:
        sandbox.load().identity_key()
    assert "fifteen" not in str(caught.value)


# --- fuzz


PLACE = re.compile(r"[a-z_]+(/[a-z.]+)?\.yaml:\d+")
ORCHARD = (
    (ROOT / "examples/starter/map/map.yaml").read_text()
    + """
integrators: [{between: [sales, logistics], seat: head_of_service}]
cases: [{subject: ticket, attributes: {about: last}}]
waivers: [{rule: no_goal, object: parcel, approver: ada, reason: It is new., until: 2027-01-01}]
"""
).replace("  - id: delivery\n", "  - id: delivery\n    was: [parcel, post]\n    parent: order\n").replace(
    "    stage: engage\n    accountable: head_of_logistics\n    responsible: logistics\n",
    """    accountable:
      - {seat: head_of_sales, until: 2026-01-01}
      - {unowned: true, from: 2026-01-01, until: 2026-01-02}
      - {seat: head_of_logistics, from: 2026-01-02}
    responsible: [logistics]
    kind: execution
""",
).replace("        path: linear\n", "        path: [{by: 2026-12-31, level: 0.75}, {by: 2027-06-30, level: 0.78}]\n")  # fmt: skip


@st.composite
def mutated(draw: st.DrawFn, texts: dict[str, str]) -> tuple[str, str]:
    """One of some files with a few lines dropped, moved, changed or spoilt."""
    file = draw(st.sampled_from(sorted(texts)))
    lines = texts[file].splitlines()
    for _ in range(draw(st.integers(1, 3))):
        index = draw(st.integers(0, len(lines) - 1))
        line = lines[index]
        match draw(st.sampled_from(["drop", "indent", "double", "swap", "insert", "value", "cut"])):
            case "drop":
                lines[index] = ""
            case "indent":
                lines[index] = " " * draw(st.integers(0, 8)) + line.lstrip()
            case "double":
                lines.insert(index, line)
            case "swap":
                other = draw(st.integers(0, len(lines) - 1))
                lines[index], lines[other] = lines[other], line
            case "insert":
                at = draw(st.integers(0, len(line)))
                lines[index] = line[:at] + draw(st.text(max_size=4)) + line[at:]
            case "value":
                odd = ["null", "~", "[]", "{}", "-1", "1e999", ".inf", "yes", "2026-02-30", "''", "[[1]]", "'<'", "9" * 30,
                       "!!float x", "&a [*a]", "*b", "'\\\\'", "0001-01-01", "9999-12-31", "'('", "{a: {b: [c]}}"]  # fmt: skip
                key, colon, _ = line.partition(":")
                lines[index] = f"{key}{colon} {draw(st.sampled_from(odd))}"
            case "cut":
                lines[index] = line[: draw(st.integers(0, len(line)))]
    return file, "\n".join(lines) + "\n"


@pytest.fixture(scope="module")
def meadow(tmp_path_factory: pytest.TempPathFactory) -> Sandbox:
    return build_sandbox(tmp_path_factory.mktemp("meadow") / "workspace")


@pytest.fixture(scope="module")
def orchard(tmp_path_factory: pytest.TempPathFactory) -> Sandbox:
    """The starter with every kind of declaration that a map can hold."""
    root = tmp_path_factory.mktemp("orchard") / "workspace"
    create(root)
    orchard = Sandbox(root)
    orchard.write(MAP_FILE, ORCHARD)
    assert orchard.load().atlas.waivers
    return orchard


def load_spoilt(sandbox: Sandbox, file: str, text: str, sound: str) -> None:
    """Load a workspace with one file spoilt: it is sound all the same, or every problem has its file and line."""
    sandbox.write(file, text.encode("utf-8", "surrogatepass"))
    try:
        sandbox.load()
    except AnswerableError as error:
        for problem in error.problems:
            assert PLACE.fullmatch(problem.where), problem
            assert problem.what
    finally:
        sandbox.write(file, sound)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(change=mutated(TEXTS))
def test_no_change_of_a_file_ends_in_anything_but_errors_with_file_and_line(
    meadow: Sandbox, change: tuple[str, str]
):
    load_spoilt(meadow, *change, TEXTS[change[0]])


@settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(change=mutated({MAP_FILE: ORCHARD}))
def test_five_hundred_spoilt_maps_end_in_errors_with_file_and_line(orchard: Sandbox, change: tuple[str, str]):
    load_spoilt(orchard, *change, ORCHARD)


def test_the_sandbox_itself_has_nothing_wrong(sandbox: Sandbox):
    assert sandbox.load().settings.name == yaml.safe_load(SETTINGS)["name"]


@pytest.mark.parametrize("named", ["", " ", "{{ $ANSWERABLE_WORKSPACE }}"])
def test_a_deployment_without_a_folder_names_the_variable(named: str):
    """What `prefect deploy` makes of a variable that is not set."""
    with pytest.raises(WorkspaceError, match="ANSWERABLE_WORKSPACE: was not set when this was deployed"):
        folder_of(named)


def test_a_deployment_with_a_folder_has_it():
    assert folder_of("/srv/shop") == Path("/srv/shop")
