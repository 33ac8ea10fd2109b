/** The page of the REST API: loads the document and shows it, operation by operation. Nothing is kept apart from it. */

import { fields, shape } from './schema.js';
import { element, paragraphs, table } from './elements.js';

/** @typedef {import('./schema.js').Schema} Schema */
/**
 * @typedef {object} Parameter
 * @property {string} name
 * @property {string} in
 * @property {boolean} [required]
 * @property {string} [description]
 * @property {Schema} schema
 *
 * @typedef {{schema?: Schema, example?: unknown}} Media
 * @typedef {{description: string, content?: Record<string, Media>}} Response
 *
 * @typedef {object} Operation
 * @property {string} operationId
 * @property {string[]} tags
 * @property {string} summary
 * @property {string} [description]
 * @property {Parameter[]} parameters
 * @property {{content: Record<string, Media>}} [requestBody]
 * @property {Record<string, Response>} responses
 * @property {Record<string, string[]>[]} security
 *
 * @typedef {object} ApiDocument
 * @property {{version: string, description: string}} info
 * @property {{name: string, description: string}[]} tags
 * @property {Record<string, Record<string, Operation>>} paths
 * @property {{schemas: Record<string, Schema>}} components
 */

/** @type {Record<string, string>} */
const CREDENTIALS = {
  key: 'an API key',
  administrator: 'a token with administer, for its room',
  recorder: 'a token with record, for recordings of its room',
  participant: 'a token for joining',
};

/** @param {string} id */
function byId(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no #${id}`);
  return found;
}

async function main() {
  const response = await fetch('/v1/openapi.json');
  if (!response.ok) throw new Error(`openapi.json: HTTP ${response.status}`);
  /** @type {ApiDocument} */
  const api = await response.json();
  byId('version').textContent = api.info.version;
  byId('about').append(...paragraphs(api.info.description));
  for (const tag of api.tags) {
    const operations = Object.entries(api.paths).flatMap(([path, methods]) =>
      Object.entries(methods)
        .filter(([, operation]) => operation.tags.includes(tag.name))
        .map(([method, operation]) => ({ path, method: method.toUpperCase(), operation })),
    );
    byId('contents').append(
      element('h2', {}, tag.name),
      element(
        'ul',
        {},
        ...operations.map(({ operation }) =>
          element('li', {}, element('a', { href: `#${operation.operationId}` }, operation.summary)),
        ),
      ),
    );
    byId('operations').append(
      element(
        'section',
        {},
        element('h2', {}, tag.name),
        ...paragraphs(tag.description),
        ...operations.map(({ path, method, operation }) => article(api, path, method, operation)),
      ),
    );
  }
  byId('status').remove();
  // The browser looked for it before it was there.
  if (location.hash) document.getElementById(location.hash.slice(1))?.scrollIntoView();
}

/**
 * @param {ApiDocument} api
 * @param {string} path
 * @param {string} method
 * @param {Operation} operation
 */
function article(api, path, method, operation) {
  const { schemas } = api.components;
  const who = operation.security.flatMap((one) => Object.keys(one)).map((name) => CREDENTIALS[name]);
  const parts = [
    element('h3', {}, operation.summary),
    element('p', { class: 'address' }, element('code', {}, element('span', { class: 'method' }, method), ` ${path}`)),
    ...paragraphs(operation.description ?? ''),
    element('p', { class: 'quiet' }, who.length ? `Asks for ${who.join(', or ')}.` : 'Asks for no credentials.'),
  ];
  if (operation.parameters.length) {
    const rows = operation.parameters.map((one) => [
      [element('code', {}, one.name), one.required ? '' : ' (optional)'],
      [`${one.in}, ${shape(one.schema)}`],
      paragraphs(one.description ?? ''),
    ]);
    parts.push(element('h4', {}, 'Parameters'), table(['Name', 'Where and what', ''], rows));
  }
  for (const [type, media] of Object.entries(operation.requestBody?.content ?? {})) {
    parts.push(element('h4', {}, `Body: ${type}`), ...described(media.schema, schemas));
  }
  parts.push(element('h4', {}, 'In the shell'), element('pre', { tabindex: '0' }, curl(path, method, operation)));
  for (const [status, answer] of Object.entries(operation.responses)) {
    parts.push(element('h4', {}, `${status}`), ...paragraphs(answer.description));
    const media = answer.content?.['application/json'];
    if (media) parts.push(...described(media.schema, schemas));
  }
  return element('article', { id: operation.operationId }, ...parts);
}

/**
 * @param {Schema | undefined} schema
 * @param {Record<string, Schema>} schemas
 */
function described(schema, schemas) {
  const rows = fields(schema, schemas).map(({ name, what, optional, text }) => [
    [element('code', {}, name), optional ? ' (optional)' : ''],
    [what],
    paragraphs(text),
  ]);
  return rows.length ? [table(['Key', 'What', ''], rows)] : [];
}

/**
 * The request as a command, with the examples of the document.
 * @param {string} path
 * @param {string} method
 * @param {Operation} operation
 */
function curl(path, method, operation) {
  const filled = path.replace(/{(\w+)}/g, (_, name) => {
    const parameter = operation.parameters.find((one) => one.name === name);
    return encodeURIComponent(String(parameter?.schema.examples?.[0] ?? name));
  });
  const lines = [`curl ${method === 'GET' ? '' : `-X ${method} `}${location.origin}${filled}`];
  const joins = operation.security.some((one) => 'participant' in one);
  if (operation.security.length) lines.push(`-H "Authorization: Bearer $${joins ? 'TOKEN' : 'SFU_KEY'}"`);
  for (const [type, { example }] of Object.entries(operation.requestBody?.content ?? {})) {
    lines.push(`-H 'Content-Type: ${type}'`);
    if (type !== 'application/json') lines.push('--data-binary @body');
    if (example !== undefined) lines.push(`-d '${JSON.stringify(example)}'`);
  }
  return lines.join(' \\\n  ');
}

main().catch((error) => {
  byId('status').textContent = `The document cannot be shown: ${error.message}`;
});
