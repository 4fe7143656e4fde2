// Reads {context, templates} and writes, a line each, what the compatible package makes of every template.
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import { readFileSync } from "node:fs";

const found = createRequire(`${process.argv[2]}/`).resolve("@truto/replace-placeholders");
const { default: replacePlaceholders } = await import(pathToFileURL(found.replace("main.cjs", "module.js")));
const { cases } = JSON.parse(readFileSync(0, "utf8"));
const answered = ({ template, context }) => {
  try {
    const value = replacePlaceholders(template, structuredClone(context));
    return value === undefined ? { undefined: true } : { value };
  } catch (error) {
    return { error: error.message };
  }
};
for (const one of cases) console.log(JSON.stringify(answered(one)));
