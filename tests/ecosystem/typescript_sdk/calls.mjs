// Every call of the official SDK for TypeScript, as a program would make it.
//
// `$.name` is the id of something; `__name__` in what is recorded. A call that is worth more than one way of making it
// has more than one entry, with a space and a word behind its name.

const region = new FormData()
region.append('file', new Blob(['kept as it is'], { type: 'text/plain' }), 'note.txt')

const crud = (name, resource, { create, update, query = {} }) => [
  [`${name}.list`, s => s[name].list({ limit: 2, ...query }).toArray()],
  [`${name}.get`, (s, $) => s[name].get($[resource])],
  ...(create ? [[`${name}.create`, (s, $) => s[name].create(create($))]] : []),
  ...(update ? [[`${name}.update`, (s, $) => s[name].update($[resource], update($))]] : []),
  [`${name}.delete`, (s, $) => s[name].delete($[resource])],
]

const items = [{ resource: 'people', method: 'list', persist: true }]
const jobRun = $ => ({
  sync_job_id: $.sync_job,
  integrated_account_id: $.integrated_account,
  status: 'created',
  daemon_id: '',
  daemon_group_key: '',
})
const people = $ => ({ resource: 'people', integrated_account_id: $.integrated_account })
const contacts = $ => ({ unified_model: 'crm', resource: 'contacts', integrated_account_id: $.integrated_account })
const called = $ => ({ integrated_account_id: $.integrated_account })

export const calls = [
  ...crud('alarm', 'alarm', { create: $ => ({ alarm_type: 'cron', entity_id: $.sync_job }), update: () => ({ duration: 1 }) }),
  ['apiToken.list', s => s.apiToken.list().toArray()],
  ['apiToken.get', (s, $) => s.apiToken.get($.api_token)],
  ['batchRequest.create', (s, $) => s.batchRequest.create({ ...called($), resources: items })],
  ['category.list', s => s.category.list().toArray()],
  ['customApi.get', (s, $) => s.customApi.get('people/2', { ...called($), deep: { er: [1, 2] } })],
  ['customApi.post', (s, $) => s.customApi.post('people', { name: 'Eve' }, called($))],
  ['customApi.post list', (s, $) => s.customApi.post('people', [{ name: 'Eve' }], called($))],
  ['customApi.put', (s, $) => s.customApi.put('people/2', { name: 'Eve' }, called($))],
  ['customApi.patch', (s, $) => s.customApi.patch('people/2', { name: 'Eve' }, called($))],
  ['customApi.delete', (s, $) => s.customApi.delete('people/2', called($))],
  ...crud('daemon', 'daemon', {
    create: () => ({ label: 'mine', status: 'active', group_key: 'default' }),
    update: () => ({ status: 'stopping' }),
  }),
  ...crud('daemonJob', 'daemon_job', { create: () => ({ label: 'mine' }), update: () => ({ label: 'ours' }) }),
  ...crud('daemonJobCronTrigger', 'daemon_job_cron_trigger', {
    create: $ => ({ daemon_job_id: $.daemon_job, daemon_id: $.daemon, cron_expression: '0 3 * * *', environment_id: $.environment }),
    update: () => ({ cron_expression: '0 4 * * *' }),
  }),
  ['daemonJobCronTrigger.schedule', (s, $) => s.daemonJobCronTrigger.schedule($.daemon_job_cron_trigger)],
  ...crud('daemonJobRun', 'daemon_job_run', {
    create: $ => ({ daemon_job_id: $.daemon_job, daemon_id: $.daemon, status: 'created' }),
    update: () => ({ status: 'stopped' }),
  }),
  ...crud('datastore', 'datastore', {
    create: $ => ({ type: 's3', label: 'mine', environment_id: $.environment, config: { bucket: 'b', region: 'eu', access_key_id: 'a', secret_access_key: 's' } }),
    update: () => ({ label: 'ours' }),
  }),
  ['datastore.test', (s, $) => s.datastore.test($.datastore, 'uploadObject', { path: 'x' })],
  ...crud('documentation', 'documentation', {
    create: $ => ({ entity_id: $.integration, content: '# Acme', type: 'readme' }),
    update: () => ({ content: '# Acme Ltd' }),
    query: { integration_id: '__integration__' },
  }),
  ['environment.list', s => s.environment.list().toArray()],
  ['environment.get', (s, $) => s.environment.get($.environment)],
  ['environment.update', (s, $) => s.environment.update($.environment, { name: '__fresh_name__' })],
  ['environmentIntegration.list', s => s.environmentIntegration.list({ limit: 2 }).toArray()],
  ['environmentIntegration.get', (s, $) => s.environmentIntegration.get($.environment_integration)],
  ['environmentIntegration.update', (s, $) => s.environmentIntegration.update($.environment_integration, { show_in_catalog: false, is_enabled: true, override: { headers: { 'X-Region': 'eu' } } })],
  ['environmentIntegration.delete', (s, $) => s.environmentIntegration.delete($.environment_integration)],
  ['environmentIntegrationWebhook.process', (s, $) => s.environmentIntegrationWebhook.process($.environment_integration, { event: 'x' })],
  ...crud('environmentUnifiedModel', 'environment_unified_model', { create: $ => ({ unified_model_id: $.unified_model }) }),
  ['integratedAccount.list', s => s.integratedAccount.list({ limit: 2 }).toArray()],
  ['integratedAccount.list narrowed', s => s.integratedAccount.list({ tenant_id: 'acme-1', status: 'active', 'integration.name': '__integration_name__', created_at: { gt: '2020-01-01T00:00:00.000Z' } }).toArray()],
  ['integratedAccount.get', (s, $) => s.integratedAccount.get($.integrated_account)],
  ['integratedAccount.update', (s, $) => s.integratedAccount.update($.integrated_account, { context: { region: 'eu' } })],
  ['integratedAccount.delete', (s, $) => s.integratedAccount.delete($.integrated_account)],
  ['integratedAccount.refreshCredentials', (s, $) => s.integratedAccount.refreshCredentials($.integrated_account)],
  ['integratedAccount.tools', (s, $) => s.integratedAccount.tools($.integrated_account, ['read', 'custom'], ['crm'])],
  ['integratedAccountWebhook.process', (s, $) => s.integratedAccountWebhook.process($.integrated_account, { event: 'x' })],
  ...crud('integration', 'integration', {
    create: () => ({ name: '__fresh_name__', category: 'crm', is_beta: true, sharing: 'deny', config: { base_url: 'https://api.example.com' } }),
    update: () => ({ config: { label: 'Acme Ltd' } }),
  }),
  ['integration.install', (s, $) => s.integration.install($.integration, { is_enabled: true })],
  ['linkToken.createForNewIntegration', s => s.linkToken.createForNewIntegration({ tenant_id: 'acme-1' })],
  ['linkToken.createForExistingIntegratedAccount', (s, $) => s.linkToken.createForExistingIntegratedAccount(called($))],
  ['log.list', (s, $) => s.log.list({ log_type: 'unified_proxy_api', log_type_filter: { request_type: 'proxy' }, created_at: { gt: '__recently__' } }).toArray()],
  ['log.list runs', s => s.log.list({ log_type: 'rapid_bridge' }).toArray()],
  ['log.list webhooks', s => s.log.list({ log_type: 'webhook' }).toArray()],
  ['mcp.call', s => s.mcp.call('token', { method: 'tools/list' })],
  ['mcp.initialize', s => s.mcp.initialize('token', 'me', '1')],
  ['mcp.listTools', s => s.mcp.listTools('token')],
  ['mcp.callTool', s => s.mcp.callTool('token', 'list', {})],
  ['proxyApi.list', (s, $) => s.proxyApi.list({ ...people($), limit: 2 }).toArray()],
  ['proxyApi.get', (s, $) => s.proxyApi.get('2', people($))],
  ['proxyApi.get file', (s, $) => s.proxyApi.get('7', { ...people($), resource: 'files' })],
  ['proxyApi.create', (s, $) => s.proxyApi.create({ name: 'Eve' }, people($))],
  ['proxyApi.create form', (s, $) => s.proxyApi.create(region, { ...people($), resource: 'files', truto_body_passthrough: true })],
  ['proxyApi.update', (s, $) => s.proxyApi.update('2', { name: 'Eva' }, people($))],
  ['proxyApi.delete', (s, $) => s.proxyApi.delete('2', people($))],
  ['proxyApi.customMethod', (s, $) => s.proxyApi.customMethod('search', { name: 'Ada' }, people($))],
  ...crud('sandboxIntegratedAccount', 'integrated_account', { create: $ => ({ id: $.integrated_account }) }),
  ...crud('staticGate', 'static_gate', {
    create: $ => ({ name: 'mine', domain: 'x.example.com', environment_id: $.environment }),
    update: () => ({ name: 'ours' }),
  }),
  ...crud('syncJob', 'sync_job', {
    create: () => ({ integration_name: '__integration_name__', label: 'People', resources: items, args_schema: {}, default_runtime_version: '3' }),
    update: () => ({ label: 'All people', args_validation: 'false' }),
  }),
  ...crud('syncJobCronTrigger', 'sync_job_cron_trigger', {
    create: $ => ({ sync_job_id: $.sync_job, ...called($), cron_expression: '0 3 * * *', environment_id: $.environment, super_query: null, events_to_send: null, meta: { note: 1 } }),
    update: () => ({ cron_expression: '0 4 * * *', error_handling: 'fail_fast', daemon_group_key: null }),
  }),
  ['syncJobCronTrigger.schedule', (s, $) => s.syncJobCronTrigger.schedule($.sync_job_cron_trigger)],
  ...crud('syncJobRun', 'sync_job_run', { create: jobRun, update: () => ({ status: 'stopped' }), query: { status: 'created' } }),
  ['team.list', s => s.team.list().toArray()],
  ['team.get', (s, $) => s.team.get($.team)],
  ['team.update', (s, $) => s.team.update($.team, { name: 'us' })],
  ['unifiedApi.list', (s, $) => s.unifiedApi.list({ ...contacts($), limit: 2 }).toArray()],
  ['unifiedApi.get', (s, $) => s.unifiedApi.get('2', contacts($))],
  ['unifiedApi.update', (s, $) => s.unifiedApi.update('2', { name: 'Eva' }, contacts($))],
  ['unifiedApi.create', (s, $) => s.unifiedApi.create({ name: 'Eve' }, contacts($))],
  ['unifiedApi.delete', (s, $) => s.unifiedApi.delete('2', contacts($))],
  ['unifiedApi.meta', (s, $) => s.unifiedApi.meta('list', contacts($))],
  ['unifiedApi.customMethod', (s, $) => s.unifiedApi.customMethod('search', { name: 'Ada' }, contacts($))],
  ...crud('unifiedModel', 'unified_model', {
    create: () => ({ name: '__fresh_name__', category: 'crm', description: 'People', resources: { contacts: {} } }),
    update: () => ({ category: 'sales' }),
  }),
  ['unifiedModel.install', (s, $) => s.unifiedModel.install($.unified_model)],
  ['user.list', s => s.user.list().toArray()],
  ['user.get', (s, $) => s.user.get($.user)],
  ...crud('webhook', 'webhook', {
    create: $ => ({ target_url: '__receiver__', environment_id: $.environment, event_types: ['sync_job_run:completed'] }),
    update: () => ({ is_active: false }),
    query: { is_active: true },
  }),
  ['webhook.test', (s, $) => s.webhook.test({ id: $.webhook })],
  ...crud('workflow', 'workflow', { create: () => ({ trigger_name: 'x', config: {} }), update: () => ({ config: {} }) }),
  ...crud('workflowRun', 'workflow_run', {
    create: $ => ({ workflow_id: $.workflow, environment_id: $.environment, status: 'created' }),
    update: () => ({ status: 'stopped' }),
  }),
]
