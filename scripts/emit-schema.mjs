// Writes config/deploy.schema.json, the JSON Schema with which editors check config/deploy.yml, from the code in src/.
// Needs `--import ./bench/typescript.mjs`.
import { writeFileSync } from 'node:fs';
import { editorSchema } from '../src/config/json-schema.ts';

writeFileSync('config/deploy.schema.json', `${JSON.stringify(editorSchema(), null, 2)}\n`);
