"""Proves that the verdicts can fail: made-up results through the functions that judge.

Run by `autobahn.py selftest`, on any Python 3, with nothing installed.
"""

import copy
import json
import sys
import tempfile
import unittest
from pathlib import Path

import peers
import tools
import verdict

AGENT = "x"
SUITE = [f"{group}.1.{n}" for group, count in
         ((1, 16), (2, 11), (3, 7), (4, 10), (5, 20), (6, 145), (7, 37), (9, 54), (10, 1),
          (12, 90), (13, 126)) for n in range(1, count + 1)]
PLAIN = [case for case in SUITE if not case.startswith(("12.", "13."))]


def result(behavior="OK", close="OK"):
    return {"behavior": behavior, "behaviorClose": close, "duration": 1, "reportfile": "r.json"}


def indexes(cases):
    """What a perfect peer gives: [(group, index.json)]."""
    return [(group, {AGENT: {case: result() for case in its_cases}})
            for group, its_cases in verdict.groups(cases).items()]


def judged(expected, found, problems=()):
    merged, merge_problems = verdict.merge(found, AGENT)
    return verdict.judge(expected, merged, [*problems, *merge_problems])


class TheVerdict(unittest.TestCase):
    def with_case(self, case, outcome):
        found = copy.deepcopy(indexes([*PLAIN, case]))
        for _, index in found:
            if case in index[AGENT]:
                index[AGENT][case] = outcome
        return judged(sorted({*PLAIN, case}, key=verdict.case_key), found)

    def test_a_perfect_peer_passes(self):
        found = judged(PLAIN, indexes(PLAIN))
        self.assertTrue(found["passed"], found["problems"])
        self.assertEqual(found["totals"]["behavior"], {"OK": 301})

    def test_every_other_word_fails_in_either_place(self):
        for word in ("FAILED", "NON-STRICT", "WRONG CODE", "UNCLEAN", "FAILED BY CLIENT",
                     "UNIMPLEMENTED", "INFORMATIONAL", "NO_CLOSE", "", "ok", None, 1):
            for outcome in (result(behavior=word), result(close=word)):
                found = self.with_case("6.1.3", outcome)
                self.assertFalse(found["passed"], outcome)
                self.assertEqual([f["case"] for f in found["failures"]], ["6.1.3"])
                self.assertIn("FAIL: case 6.1.3", verdict.render(found))

    def test_informational_is_fine_only_where_nobody_gets_more(self):
        for case in verdict.INFORMATIONAL_CASES:
            word = "INFORMATIONAL"
            self.assertTrue(self.with_case(case, result(word, word))["passed"])
            self.assertFalse(self.with_case(case, result("FAILED", word))["passed"])
            self.assertFalse(self.with_case(case, result(word, "UNCLEAN"))["passed"])

    def test_unimplemented_fails_with_compression_too(self):
        self.assertFalse(self.with_case("12.1.1", result("UNIMPLEMENTED"))["passed"])

    def test_a_case_without_its_fields_fails(self):
        for outcome in ({}, {"behavior": "OK"}, {"behaviorClose": "OK"}, None, "OK"):
            self.assertFalse(self.with_case("1.1.1", outcome)["passed"], outcome)

    def test_a_missing_case_fails(self):
        found = indexes(PLAIN)
        del found[5][1][AGENT]["6.1.145"]
        found = judged(PLAIN, found)
        self.assertFalse(found["passed"])
        self.assertEqual(found["failures"][0]["behavior"], verdict.MISSING)

    def test_a_missing_group_fails(self):
        found = judged(PLAIN, [pair for pair in indexes(PLAIN) if pair[0] != "9"])
        self.assertFalse(found["passed"])
        self.assertEqual(found["totals"]["behavior"][verdict.MISSING], 54)

    def test_an_empty_result_fails(self):
        for found in ([], [("1", {})], [("1", {AGENT: {}})], [("1", [])], [("1", None)]):
            self.assertFalse(judged(PLAIN, found)["passed"], found)

    def test_an_empty_expectation_fails(self):
        self.assertFalse(judged([], [])["passed"])

    def test_the_results_of_another_agent_fail(self):
        found = indexes(PLAIN)
        found[0] = ("1", {"other": found[0][1][AGENT]})
        self.assertFalse(judged(PLAIN, found)["passed"])
        found = indexes(PLAIN)
        found[0][1]["other"] = {}
        self.assertFalse(judged(PLAIN, found)["passed"])

    def test_a_case_told_twice_or_unasked_fails(self):
        found = indexes(PLAIN)
        self.assertFalse(judged(PLAIN, [*found, found[0]])["passed"])
        found[0][1][AGENT]["8.1.1"] = result()
        self.assertFalse(judged(PLAIN, found)["passed"])

    def test_a_problem_beside_the_cases_fails(self):
        found = judged(PLAIN, indexes(PLAIN), ["server died"])
        self.assertFalse(found["passed"])
        self.assertIn("FAIL: server died", verdict.render(found))


class TheSelection(unittest.TestCase):
    def test_the_whole_suite_is_the_default(self):
        cases, left_out = verdict.select(SUITE, [], [])
        self.assertEqual((len(cases), left_out), (517, []))

    def test_exclusions_are_counted_and_carry_their_reason(self):
        cases, left_out = verdict.select(SUITE, [], [("12.*", "why"), ("13.*", "why")])
        self.assertEqual(len(cases), 301)
        self.assertEqual([e["cases"] for e in left_out], [90, 126])

    def test_patterns_do_not_spill_over(self):
        cases, _ = verdict.select(SUITE, ["1.*"], [])
        self.assertEqual({case.split(".")[0] for case in cases}, {"1"})

    def test_what_cannot_be_is_refused(self):
        for suite, wanted, excluded in (
            (SUITE[:-1], [], []),
            ([], [], []),
            ([*SUITE[:-1], SUITE[0]], [], []),
            (SUITE, ["11.*"], []),
            (SUITE, [], [("11.*", "matches nothing")]),
            (SUITE, [], [("12.*", "")]),
            (SUITE, [], [("*", "everything")]),
        ):
            with self.assertRaises(verdict.BadInput):
                verdict.select(suite, wanted, excluded)

    def test_groups_hold_every_case_once(self):
        split = verdict.groups(SUITE)
        self.assertEqual(sorted(case for group in split.values() for case in group), sorted(SUITE))
        self.assertEqual(list(split)[:3] + list(split)[-2:], ["1", "2", "3", "12.1", "13.1"])

    def test_a_summary_is_json(self):
        text = json.dumps(judged(PLAIN, indexes(PLAIN)))
        self.assertEqual(json.loads(text)["totals"]["cases"], 301)


# Stand-ins for servers, each wrong in its own way.
GOOD = "import time; print('listening 127.0.0.1:9', flush=True); time.sleep(60)"
EXIT_0 = "import signal, sys; signal.signal(signal.SIGTERM, lambda *_: sys.exit(0)); "


class TheServer(unittest.TestCase):
    def server(self, code):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        return tools.Server([sys.executable, "-c", code], Path(folder.name) / "log")

    def test_one_that_exits_0_on_sigterm_is_fine(self):
        server = self.server(EXIT_0 + GOOD)
        self.assertEqual(server.addr, "127.0.0.1:9")
        self.assertIsNone(server.stop())

    def test_one_that_dies_of_sigterm_fails(self):
        self.assertIn("exited with -15", self.server(GOOD).stop())

    def test_one_that_died_fails(self):
        server = self.server("print('listening 127.0.0.1:9'); raise SystemExit(0)")
        server.child.wait()
        self.assertIn("died during the run with 0", server.stop())

    def test_one_that_never_listens_fails(self):
        for code in ("raise SystemExit(3)", "print('listening'); raise SystemExit(0)"):
            with self.assertRaises(tools.Failed):
                self.server(code)

    def test_one_that_cannot_start_fails(self):
        with tempfile.TemporaryDirectory() as folder, self.assertRaises(tools.Failed):
            tools.Server(["/no/such/program"], Path(folder) / "log")


class ThePeers(unittest.TestCase):
    def judged(self, code=0, drop=(), lines=("negotiated none",), expect_deflate=None):
        checks = [f"ok {check}" for check in peers.REQUIRED["node-ws"] if check not in drop]
        return peers.judge("node-ws", code, "\n".join([*lines, *checks]), expect_deflate)[0]

    def test_a_client_that_reports_every_check_passes(self):
        self.assertIsNone(self.judged())

    def test_every_check_is_needed(self):
        for check in peers.REQUIRED["node-ws"]:
            self.assertIn(check, self.judged(drop=[check]))

    def test_exit_code_time_limit_and_silence_fail(self):
        self.assertIn("exited with 1", self.judged(code=1))
        self.assertIn("not done", self.judged(code=None))
        self.assertIn("did not tell", self.judged(lines=()))

    def test_negotiation_is_held_against_what_was_asked_for(self):
        deflate = ("negotiated permessage-deflate; server_no_context_takeover",)
        self.assertIsNone(self.judged(lines=deflate, expect_deflate=True))
        self.assertIn("negotiated", self.judged(lines=deflate, expect_deflate=False))
        self.assertIn("negotiated none", self.judged(expect_deflate=True))


def run():
    loaded = unittest.defaultTestLoader.loadTestsFromModule(sys.modules[__name__])
    if loaded.countTestCases() == 0:
        return tools.EXIT_FAIL
    done = unittest.TextTestRunner(verbosity=1).run(loaded)
    return tools.EXIT_PASS if done.wasSuccessful() else tools.EXIT_FAIL
