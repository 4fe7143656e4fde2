// Open the page of the API in a browser, use it as a reader does, and print what was seen there, as JSON.
// node docs_page.mjs BROWSER URL TOKEN, beside a node_modules that has playwright-core.
import { chromium } from "playwright-core";

const [executablePath, url, token] = process.argv.slice(2);
const browser = await chromium.launch({ executablePath, args: ["--disable-background-networking", "--disable-quic"] });
const page = await browser.newPage({ viewport: { width: 1280, height: 30_000 } }); // it draws what is in sight alone
page.setDefaultTimeout(150_000); // a machine that has more to do draws slowly
const origin = new URL(url).origin;
const complaints = [];
const outside = [];
page.on("console", (one) => ["error", "warning"].includes(one.type()) && complaints.push(`${one.type()}: ${one.text()}`));
page.on("pageerror", (error) => complaints.push(`page: ${error.message}`));
page.on("requestfailed", (request) => complaints.push(`failed: ${request.url()}`));
page.on("response", (answer) => answer.status() >= 400 && complaints.push(`${answer.status()}: ${answer.url()}`));
page.on("request", (request) => /^https?:/.test(request.url()) && !request.url().startsWith(origin) && outside.push(request.url()));

const shown = async () => page.locator(".opblock-summary-path").evaluateAll((all) => all.map((one) => one.dataset.path));
const search = async (words) => {
  await page.locator(".operation-filter-input").fill(words);
  await page.waitForTimeout(300);
  return shown();
};

await page.goto(url);
await page.locator(".opblock").first().waitFor();
const seen = {
  title: await page.locator(".info .title").innerText(),
  description: await page.locator(".info .description").first().innerText(),
  tags: await page.locator(".opblock-tag small").evaluateAll((all) => all.map((one) => one.innerText)),
  servers: await page.locator(".servers option").evaluateAll((all) => all.map((one) => one.value)),
  operations: (await shown()).length,
  summaries: await page.locator(".opblock-summary-description").evaluateAll((all) => all.filter((one) => one.innerText).length),
  byPath: await search("sync-job-run/{id}/re"),
  byId: await search("createSyncJobRun"),
};

const operation = page.locator("#operations-Sync_job_run-createSyncJobRun, [id$=createSyncJobRun]").first();
await operation.locator(".opblock-summary-control").click();
await operation.locator(".opblock-body").waitFor();
seen.operation = await operation.locator(".opblock-description").innerText();
seen.request = await operation.locator(".opblock-section-request-body .highlight-code").first().innerText();
seen.answer = await operation.locator(".responses-wrapper .highlight-code").first().innerText();

await page.locator(".btn.authorize").first().click();
await page.locator(".auth-container input").first().fill(token);
await page.locator(".auth-btn-wrapper .authorize").click();
await page.locator(".btn-done").click();
await search("listSyncJobs");
const list = page.locator("[id$=listSyncJobs]").first();
await list.locator(".opblock-summary-control").click();
await list.locator(".try-out__btn").click();
await list.locator(".execute").click();
await list.locator(".live-responses-table .response-col_status").nth(1).waitFor();
seen.called = await list.locator(".request-url pre").innerText();
seen.status = await list.locator(".live-responses-table tbody .response-col_status").first().innerText();
if (process.argv[5]) await page.screenshot({ path: process.argv[5], fullPage: true });

await browser.close();
console.log(JSON.stringify({ ...seen, complaints, outside }));
