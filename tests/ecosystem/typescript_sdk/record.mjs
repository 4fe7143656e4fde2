// Write down what the official SDK for TypeScript sends, and what its types read of the answers.
//
// The SDK is in no registry, so this is run by hand, in a folder that has its source and these packages:
//
//   git clone https://github.com/trutohq/truto-ts-sdk sdk
//   npm install esbuild typescript@5 lodash-es p-queue p-timeout qs @types/lodash-es @types/qs @types/node
//   npx esbuild sdk/src/index.ts --bundle --format=esm --platform=node --packages=external --outfile=sdk.mjs
//   node record.mjs sdk > typescript_sdk.json
//
// A request is what `fetch` would send, byte for byte. A base URL that ends with a slash is the only one by which all
// calls work: some paths begin with one, and others do not.

import { readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'

import ts from 'typescript'

import { calls } from './calls.mjs'

const source = process.argv[2]
const { default: TrutoApi } = await import(pathToFileURL(resolve('sdk.mjs')))
const BASE = 'http://ferryman.test/'

async function requests() {
  const sdk = new TrutoApi({ token: 'token', baseUrl: BASE })
  const names = new Proxy({}, { get: (_, name) => `__${name}__` })
  const sent = []
  for (const [call, make] of calls) {
    globalThis.fetch = async (url, init) => {
      const request = new Request(url, init)
      const type = request.headers.get('content-type')
      const body = await request.text()
      sent.push({ call, method: request.method, target: request.url.slice(BASE.length - 1), content_type: type, body: body || null })
      return new Response(JSON.stringify({ result: [], next_cursor: null }), { headers: { 'Content-Type': 'application/json' } })
    }
    await make(sdk, names)
  }
  return sent
}

// What a type allows: the kinds of JSON, whether it may be left out, and the named type that an object is of.
function types() {
  const files = readdirSync(join(source, 'src/resources')).map(file => join(source, 'src/resources', file))
  const options = { strict: true, skipLibCheck: true, noEmit: true, module: ts.ModuleKind.ESNext, moduleResolution: ts.ModuleResolutionKind.Bundler, target: ts.ScriptTarget.ES2022 }
  const program = ts.createProgram([join(source, 'src/index.ts'), ...files], options)
  const checker = program.getTypeChecker()
  const known = {}
  const answers = {}

  const partsOf = type => (type.isUnion() ? type.types : [type])

  function kindOf(type) {
    if (type.flags & (ts.TypeFlags.Any | ts.TypeFlags.Unknown)) return 'any'
    if (type.flags & ts.TypeFlags.StringLike) return 'string'
    if (type.flags & ts.TypeFlags.NumberLike) return 'number'
    if (type.flags & ts.TypeFlags.BooleanLike) return 'boolean'
    if (type.flags & ts.TypeFlags.Null) return 'null'
    return checker.isArrayType(type) ? 'array' : 'object'
  }

  function nameOf(type, fallback) {
    const name = type.aliasSymbol?.name ?? type.symbol?.name
    return name && !['__type', '__object', 'Record', 'Omit'].includes(name) ? name : fallback
  }

  function described(type, fallback) {
    const name = nameOf(type, fallback)
    if (name in known || !checker.getPropertiesOfType(type).length) return name in known ? name : null
    known[name] = {}
    for (const property of checker.getPropertiesOfType(type)) {
      known[name][property.name] = fieldOf(property, `${name}.${property.name}`)
    }
    return name
  }

  function fieldOf(property, fallback) {
    const type = checker.getTypeOfSymbol(property)
    const parts = partsOf(type).filter(part => !(part.flags & ts.TypeFlags.Undefined))
    const field = { kinds: [...new Set(parts.map(kindOf))].sort() }
    if (property.flags & ts.SymbolFlags.Optional || partsOf(type).length > parts.length) field.optional = true
    const held = parts.map(part => (checker.isArrayType(part) ? checker.getTypeArguments(part)[0] : part))
    const named = held.filter(part => kindOf(part) === 'object' && !checker.getIndexInfosOfType(part).length)
    const of = named.length ? described(named[0], fallback) : null
    if (of) field.of = of
    return field
  }

  // Cursors give their items, promises what they hold; a list of the SDK's own is taken out of its page.
  function answerOf(type, call) {
    const argument = checker.getTypeArguments(type)[0]
    const name = type.symbol?.name
    if (name === 'Promise') return answerOf(argument, call)
    const isList = name === 'Cursor' || checker.isArrayType(type)
    const item = isList ? argument : type
    const of = kindOf(item) === 'object' ? described(item, call) : null
    return { is_list: isList, of }
  }

  const resources = Object.fromEntries(
    [...readFileSync(join(source, 'src/index.ts'), 'utf8').matchAll(/this\.(\w+) = new (\w+)\(/g)].map(found => [found[2], found[1]])
  )
  for (const file of files) {
    ts.forEachChild(program.getSourceFile(file), node => {
      const resource = ts.isClassDeclaration(node) && resources[node.name.text]
      if (!resource) return
      for (const member of node.members.filter(ts.isMethodDeclaration)) {
        const call = `${resource}.${member.name.text}`
        const signature = checker.getSignatureFromDeclaration(member)
        answers[call] = answerOf(checker.getReturnTypeOfSignature(signature), call)
      }
    })
  }
  return { answers, types: known }
}

const { version } = JSON.parse(readFileSync(join(source, 'package.json'), 'utf8'))
console.log(JSON.stringify({ version, requests: await requests(), ...types() }, null, 1))
