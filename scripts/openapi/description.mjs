// Answers questions about single operations of DigitalOcean's official API description (bundled YAML).
import { readFileSync } from 'node:fs';
import { Ajv } from 'ajv';
import addFormats from 'ajv-formats';
import { parse } from 'yaml';

const ROOT = 'description';
/** Its patterns contain escapes that Unicode regular expressions reject. */
const OPTIONS = { strict: false, allErrors: true, unicodeRegExp: false };

export class Description {
  #document;
  #ajv = new Ajv(OPTIONS);
  #coercing = new Ajv({ ...OPTIONS, coerceTypes: true });

  constructor(file) {
    // It has more aliases than the parser accepts by default.
    this.#document = parse(readFileSync(file, 'utf8'), { maxAliasCount: -1 });
    for (const ajv of [this.#ajv, this.#coercing]) {
      addFormats.default(ajv);
      ajv.addSchema(this.#document, ROOT);
    }
  }

  /** The operation with its path and method, or undefined. */
  operation(operationId) {
    for (const [path, item] of Object.entries(this.#document.paths)) {
      for (const [method, operation] of Object.entries(item)) {
        if (operation.operationId !== operationId) continue;
        const pointer = `/paths/${escapePointer(path)}/${method}`;
        return { path, method: method.toUpperCase(), pointer, ...operation };
      }
    }
    return undefined;
  }

  /** Problems of a request's path parameters, query and body, as sentences. */
  requestProblems(operation, { params = {}, query = {}, body }) {
    const problems = [];
    const given = { path: params, query };
    const declared = (operation.parameters ?? []).map((parameter) => this.#resolve(parameter));
    for (const place of ['path', 'query']) {
      for (const [name, value] of Object.entries(given[place])) {
        const parameter = declared.find((one) => one.in === place && one.name === name);
        if (!parameter) problems.push(`${place} parameter ${name} is not described`);
        // They arrive as text, so what counts is what they can be parsed as.
        else problems.push(...this.#problems(this.#coercing, { properties: { value: parameter.schema } }, { value }));
      }
    }
    const described = this.#resolve(operation.requestBody);
    if (body === undefined) {
      if (described?.required) problems.push('a body is required');
    } else if (!described) problems.push('no body is described');
    else problems.push(...this.#problems(this.#ajv, this.#jsonSchema(`${operation.pointer}/requestBody`), body));
    return problems;
  }

  /** The same for an answer. Properties that the description does not know are problems, too. */
  answerProblems(operation, { status, headers, body }) {
    const key = operation.responses[status] ? String(status) : 'default';
    const described = this.#resolve(operation.responses[key]);
    if (!described) return [`status ${status} is not described`];
    const problems = [];
    for (const [name, value] of Object.entries(described.headers ?? {})) {
      if (!headers.has(name)) problems.push(`header ${name} is missing`);
      else {
        const schema = { properties: { value: this.#resolve(value).schema } };
        problems.push(...this.#problems(this.#coercing, schema, { value: headers.get(name) }));
      }
    }
    if (!described.content) {
      if (body !== '') problems.push('a body is not described');
      return problems;
    }
    const schema = this.#jsonSchema(`${operation.pointer}/responses/${key}`);
    problems.push(...this.#problems(this.#ajv, schema, body));
    problems.push(...this.#undescribed(schema, body, 'answer'));
    return problems;
  }

  #problems(ajv, schema, value) {
    // Bare references inside a parameter's schema are relative to the description.
    const validate = ajv.compile(absolute(schema));
    return validate(structuredClone(value)) ? [] : validate.errors.map((e) => `${e.instancePath || 'it'} ${e.message}`);
  }

  /** The schema of the JSON content at a pointer, which may itself be a reference. */
  #jsonSchema(pointer) {
    const target = this.#at(pointer);
    const base = target.$ref ? target.$ref.slice(1) : pointer;
    return { $ref: `#${base}/content/application~1json/schema` };
  }

  /** Names of properties in the value that no part of the schema mentions: a misspelt optional field validates. */
  #undescribed(schema, value, place) {
    if (Array.isArray(value)) {
      const items = this.#parts(schema).flatMap((part) => part.items ?? []);
      return value.flatMap((one, index) => this.#undescribed({ allOf: items }, one, `${place}[${index}]`));
    }
    if (typeof value !== 'object' || value === null) return [];
    const parts = this.#parts(schema);
    if (parts.some((part) => part.additionalProperties)) return [];
    return Object.entries(value).flatMap(([name, inner]) => {
      const described = parts.flatMap((part) => part.properties?.[name] ?? []);
      if (described.length === 0) return [`${place}.${name} is not described`];
      return this.#undescribed({ allOf: described }, inner, `${place}.${name}`);
    });
  }

  /** The schema and all schemas that it combines. */
  #parts(schema) {
    const resolved = this.#resolve(schema);
    const combined = [...(resolved.allOf ?? []), ...(resolved.anyOf ?? []), ...(resolved.oneOf ?? [])];
    return [resolved, ...combined.flatMap((part) => this.#parts(part))];
  }

  #resolve(value) {
    return value?.$ref ? this.#resolve(this.#at(value.$ref.slice(1))) : value;
  }

  #at(pointer) {
    return pointer
      .split('/')
      .slice(1)
      .reduce((value, key) => value?.[key.replaceAll('~1', '/').replaceAll('~0', '~')], this.#document);
  }
}

function escapePointer(path) {
  return path.replaceAll('~', '~0').replaceAll('/', '~1');
}

function absolute(schema) {
  return JSON.parse(JSON.stringify(schema), (key, value) =>
    key === '$ref' && value.startsWith('#') ? `${ROOT}${value}` : value,
  );
}
