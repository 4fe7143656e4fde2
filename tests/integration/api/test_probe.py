import json, uuid
def show(a, label=""):
    print(label, a.status, json.dumps(a.body)[:600])
def test_probe(api, stranger, catalog, receiver, app):
    for n, o in [("integration", catalog.integration), ("account", catalog.account), ("job", catalog.job)]:
        print(n, json.dumps(o))
    r = api.post("/sync-job-run", catalog.run_body); show(r, "run"); print(r.headers)
    rid = r.body["id"]
    for path in ["/sync-job", "/integration", "/integrated-account", "/webhook", "/sync-job-run", "/daemon", "/ping", "/healthz", "/", "/sync-job-run/"+rid, "/sync-job-run/"+rid+"/errors", "/record?integrated_account_id="+catalog.account["id"], "//sync-job//?next_cursor=&limit=1", "/sync-job?limit=0", "/sync-job?limit=1001","/sync-job?limit=x", "/sync-job?next_cursor=abc", "/nope", "/sync-job/abc", "/sync-job/"+str(uuid.uuid4()), "/daemon/x%00y", "/sync-job?label=%00", "/sync-job?created_at[gt]=2026-01-01", "/sync-job?created_at%5Bgt%5D=bad", "/sync-job?created_at[in]=2026-01-01,2026-01-02T00:00:00+02:00", "/sync-job-run?status=created,running", "/sync-job-run?status[in]=created", "/sync-job-run?status[]=created&status[]=running","/sync-job-run?status=bogus", "/sync-job-run?sync_job_id=bad", "/sync-job?sort=created_at", "/sync-job?sort=zzz", "/record", "/record?integrated_account_id="+str(uuid.uuid4()), "/integrated-account?integration.name=acme", "/integrated-account?integration_name=zzz", "/webhook?is_active=true", "/integrated-account/"+catalog.account["id"]+"?", "/openapi.json"]:
        show(api.call("GET", path), path)
    show(api.call("PUT", "/sync-job"), "PUT")
    show(api.call("POST", "/webhook/test", {"id": str(uuid.uuid4())}))
    show(api.call("GET", "/webhook/test"), "GET webhook/test")
    for data in [b"", b"{", b"[]", b"null", b"\xff", b'"x"', b'{"a":NaN}', b"["*100000, b'{"a":' * 5000 + b"1" + b"}"*5000, b'{"label": "\\u0000"}', b'{"label": "\\ud800"}', b'{"label": 5, "resources": [{"resource": "x"}], "integration_name": "nope", "args_schema": 3}', b'\xef\xbb\xbf{}', b'{"integration_name":"acme","resources":[{"resource":"u","method":"list","query":{"a":123456789012345678901234567890}}]}', b'{"integration_name":"acme","label":"\\ud83d\\ude00","default_runtime_version":"4"}', b'{"integration_name":"acme","resources":null,"default_runtime_version":5}', b'{"integration_name":"nope"}', b'{"integration_name":"acme","default_runtime_version":true}', b'{"integration_name":"acme","mutex_key":3}', b'{"integration_name":"acme","resources":[]}']:
        show(api.call("POST", "/sync-job", data=data, headers={"Content-Type": "text/plain"}), repr(data[:60]))
    show(api.post("/sync-job-run", {**catalog.run_body, "daemon_group_key": "a", "webhook_id": str(uuid.uuid4())}))
    show(api.post("/sync-job-run", {**catalog.run_body, "daemon_group_key": "", "webhook_id": None, "status": "failed", "daemon_id": ""}))
    show(api.post("/sync-job-run", {**catalog.run_body, "daemon_group_key": "a\n"}))
    show(api.post("/sync-job-run", {"sync_job_id": 5, "error_handling": "x", "args": [], "ignore_previous_run": "maybe", "resources": 3, "webhook_id": "x"}))
    show(api.post("/sync-job-run", {"sync_job_id": str(uuid.uuid4()), "integrated_account_id": str(uuid.uuid4())}))
    k = {"Idempotency-Key": "k1"}
    show(api.post("/sync-job-run", catalog.run_body, headers=k)); x = api.post("/sync-job-run", catalog.run_body, headers=k); show(x); print(x.headers)
    show(api.post("/sync-job-run", {**catalog.run_body, "args": {"a": 1}}, headers=k))
    show(api.post("/sync-job-run", catalog.run_body, headers={"Idempotency-Key": ""}))
    show(api.post("/sync-job-run", catalog.run_body, headers={"Idempotency-Key": "x"*256}))
    show(api.patch("/sync-job-run/"+rid, {"status": "running"})); show(api.patch("/sync-job-run/"+rid, {})); show(api.patch("/sync-job-run/"+rid, {"status": "stopped"})); show(api.delete("/sync-job-run/"+rid)); show(api.delete("/sync-job-run/"+rid))
    show(api.post("/integration", {"name": "acme", "config": {"base_url": 3}, "is_beta": "x"}))
    show(api.post("/integration", {"name": "acme", "config": {"base_url": "https://x"}}))
    iid = catalog.integration["id"]
    show(api.patch("/integration/"+iid, {"config": {"headers": {"Authorization": "Bearer abc", "X": "{{context.token}}"}, "label": "L"}, "version": 1}))
    show(api.patch("/integration/"+iid, {"config": {"label": None}, "version": 1}))
    show(api.patch("/integration/"+iid, {"config": {"label": None, "headers": {"Authorization": "********"}}}))
    show(api.delete("/integration/"+iid))
    aid = catalog.account["id"]
    show(api.patch("/integrated-account/"+aid, {"context": {"api_key": "s3cr3t", "oauth": {"token": {"access_token": "x", "expires_at": 5}}, "n": {"password": "p", "user": "u"}}}))
    show(api.patch("/integrated-account/"+aid, {"context": {"api_key": "********", "sub": "x"}}))
    show(stranger.get("/integrated-account/"+aid)); show(stranger.delete("/sync-job/"+catalog.job["id"]))
    show(api.post("/webhook", {"target_url": "ftp://x"})); show(api.post("/webhook", {"target_url": "http://"})); show(api.post("/webhook", {"target_url": 5, "event_types": "x", "signature_encoding": "z", "is_active": "nope"}))
    w = api.post("/webhook", {"target_url": receiver(200), "event_types": None}); show(w); show(api.post("/webhook/test", {"id": w.body["id"]})); show(api.get("/webhook/"+w.body["id"]))
    w = api.post("/webhook", {"target_url": receiver(500)}); show(api.post("/webhook/test", {"id": w.body["id"]})); show(api.patch("/webhook/"+w.body["id"], {"is_active": False, "target_url": "http://x/"})); show(api.delete("/webhook/"+w.body["id"]))
    show(api.call("POST", "/sync-job", data=b"x"*(1024*1024+1)), "413")
    c = app.test_client()
    for h in [{}, {"Authorization": "Bearer"}, {"Authorization": "Bearer nope"}, {"Authorization": "Basic x"}, {"Authorization": "bearer \xe9"}]:
        r = c.get("/ping", headers=h); print(h, r.status_code, r.headers.get("WWW-Authenticate"), r.data)
    for p in ["/docs", "/docs/", "/docs/swagger-ui-bundle.js", "/docs/swagger-ui.css", "/docs/../../etc/passwd", "/healthz", "/openapi.json", "/nope"]:
        r = c.get(p); print(p, r.status_code, r.content_type, r.data[:80])
    r = c.options("/sync-job"); print(r.status_code, r.headers)
    j = api.get("/openapi.json").body
    open("/tmp/api/openapi.json", "w").write(json.dumps(j, indent=1))
