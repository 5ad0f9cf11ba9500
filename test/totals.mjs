// Adds up the JSON reports of the test runs: `node test/totals.mjs DIRECTORY FAILED_STEPS`.
// A failed step without a failed test in its report still counts as one failure.
import { readdirSync, readFileSync } from "node:fs";

const [directory, failedSteps] = process.argv.slice(2);
const totals = { passed: 0, failed: 0, skipped: 0 };
for (const name of readdirSync(directory, { withFileTypes: true }).map((entry) => entry.name)) {
  const report = JSON.parse(readFileSync(`${directory}/${name}`, "utf8"));
  totals.passed += report.numPassedTests;
  totals.failed += report.numFailedTests;
  totals.skipped += report.numPendingTests + (report.numTodoTests ?? 0);
}
totals.failed = Math.max(totals.failed, Number(failedSteps));
console.log(`${totals.passed} passed, ${totals.failed} failed, ${totals.skipped} skipped`);
process.exitCode = totals.failed === 0 && totals.passed > 0 ? 0 : 1;
