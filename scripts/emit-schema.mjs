// Writes config/deploy.schema.json, the JSON Schema that editors check config/deploy.yml with, from the code in dist/.
import { writeFileSync } from 'node:fs';
import { editorSchema } from '../dist/config/json-schema.js';

writeFileSync('config/deploy.schema.json', `${JSON.stringify(editorSchema(), null, 2)}\n`);
