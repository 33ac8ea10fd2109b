/** JSON Schema as a few words for people. Pure. */

/**
 * @typedef {object} Schema
 * @property {string | string[]} [type]
 * @property {string} [$ref]
 * @property {string} [description]
 * @property {Schema[]} [anyOf]
 * @property {unknown[]} [enum]
 * @property {unknown} [const]
 * @property {Schema} [items]
 * @property {Record<string, Schema>} [properties]
 * @property {string[]} [required]
 * @property {Schema | boolean} [additionalProperties]
 * @property {unknown[]} [examples]
 * @property {unknown} [default]
 * @property {string} [format]
 * @property {number} [minimum]
 * @property {number} [maximum]
 * @property {number} [maxLength]
 */

/**
 * What a value is: `integer, 1 to 200`, `string or null`, `list of Room`.
 * @param {Schema} schema
 * @returns {string}
 */
export function shape(schema) {
  if (schema.$ref) return nameOf(schema.$ref);
  if (schema.anyOf) return schema.anyOf.map(shape).join(' or ');
  if (schema.enum) return schema.enum.map((one) => JSON.stringify(one)).join(' | ');
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.type === 'array') return `list of ${schema.items ? shape(schema.items) : 'anything'}`;
  const kind = [schema.type ?? 'anything'].flat().join(' or ');
  if (kind === 'object' && typeof schema.additionalProperties === 'object') return `object of ${shape(schema.additionalProperties)}`;
  return [schema.format ?? kind, bounds(schema)].filter(Boolean).join(', ');
}

/** @param {Schema} schema */
function bounds({ minimum, maximum, maxLength }) {
  if (maxLength !== undefined) return `at most ${maxLength} characters`;
  if (minimum !== undefined && maximum !== undefined) return `${minimum} to ${maximum}`;
  if (minimum !== undefined) return `at least ${minimum}`;
  return maximum === undefined ? '' : `at most ${maximum}`;
}

/**
 * The keys of an object, with those of the objects in it below their own key (`room.name`).
 * @param {Schema | undefined} schema
 * @param {Record<string, Schema>} schemas by name
 * @param {string} [above]
 * @returns {{name: string, what: string, optional: boolean, text: string}[]}
 */
export function fields(schema, schemas, above = '') {
  const object = resolve(schema, schemas);
  if (!object?.properties) return [];
  return Object.entries(object.properties).flatMap(([key, value]) => {
    const name = above + key;
    const inner = value.type === 'array' ? value.items : value;
    const row = {
      name,
      what: shape(value),
      optional: !object.required?.includes(key),
      text: value.description ?? resolve(inner, schemas)?.description ?? '',
    };
    // What refers to itself would never end; nothing of ours lies deeper.
    const deeper = name.split('.').length < 4 ? fields(inner, schemas, `${name}.`) : [];
    return [row, ...deeper];
  });
}

/**
 * @param {Schema | undefined} schema
 * @param {Record<string, Schema>} schemas
 * @returns {Schema | undefined}
 */
function resolve(schema, schemas) {
  if (schema?.$ref) return schemas[nameOf(schema.$ref)];
  const choices = schema?.anyOf?.filter((one) => one.type !== 'null') ?? [];
  return choices.length === 1 ? resolve(choices[0], schemas) : schema;
}

/** @param {string} reference */
function nameOf(reference) {
  return reference.slice(reference.lastIndexOf('/') + 1);
}
