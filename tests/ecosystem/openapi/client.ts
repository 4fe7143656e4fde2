// Creates, follows and reads a run by the types that openapi-typescript makes of /openapi.json.
import createClient from "openapi-fetch";

import type { components, paths } from "./ferryman.js";

type JobItem = components["schemas"]["JobItem"];
type Config = components["schemas"]["IntegrationConfig"];

const { FERRYMAN_URL, FERRYMAN_TOKEN, UPSTREAM_URL } = process.env;
if (!FERRYMAN_URL || !FERRYMAN_TOKEN || !UPSTREAM_URL) throw new Error("an address or the token is missing");

const ferryman = createClient<paths>({
  baseUrl: FERRYMAN_URL,
  headers: { Authorization: `Bearer ${FERRYMAN_TOKEN}` },
});

function given<T>(answer: { data?: T; error?: components["schemas"]["ErrorAnswer"] }): T {
  if (answer.data === undefined) throw new Error(JSON.stringify(answer.error));
  return answer.data;
}

const config: Config = {
  base_url: UPSTREAM_URL,
  response_path: "data",
  authorization: { format: "bearer", config: { token: "{{context.token}}" } },
  pagination: { format: "cursor", config: { cursor_path: "next", cursor_param: "cursor" } },
};
const resources: JobItem[] = [
  { resource: "people", method: "list", persist: true },
  {
    type: "transform",
    name: "admins",
    depends_on: "people",
    resource: "admins",
    persist: true,
    config: { expression: "records[admin].{'id': id, 'title': name}" },
  },
];

const integration = given(await ferryman.POST("/integration", { body: { name: "acme", config } }));
const account = given(
  await ferryman.POST("/integrated-account", {
    body: { integration_name: integration.name, tenant_id: "t1", context: { token: "secret" } },
  }),
);
const job = given(await ferryman.POST("/sync-job", { body: { integration_name: integration.name, resources } }));
const created = given(
  await ferryman.POST("/sync-job-run", { body: { sync_job_id: job.id, integrated_account_id: account.id } }),
);
if (!("status" in created)) throw new Error("this was no dry run");

let run: components["schemas"]["Run"] = created;
while (run.status === "created" || run.status === "running" || run.status === "rate_limited") {
  run = given(await ferryman.GET("/sync-job-run/{id}", { params: { path: { id: run.id }, query: { wait: 30 } } }));
}
const records = given(
  await ferryman.GET("/record", { params: { query: { integrated_account_id: account.id, resource: "admins" } } }),
);
const refused = await ferryman.POST("/sync-job-run", {
  body: { sync_job_id: account.id, integrated_account_id: account.id },
});

console.log(
  JSON.stringify({
    status: run.status,
    error: run.error?.message ?? null,
    items: job.resources.map((item) => ("type" in item && item.type === "transform" ? item.config.expression : item.type)),
    paging: integration.config.pagination?.format,
    records: records.result.map((record) => record.data),
    refusal: refused.error?.details.failures.map((failure) => failure.path),
  }),
);
