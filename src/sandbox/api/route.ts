import type { World } from '../world.js';
import type { Answer } from './answers.js';

export interface ApiRequest {
  url: URL;
  /** The decoded path parameters by name. */
  params: Record<string, string>;
  /** The parsed JSON body; undefined without a body. */
  body: unknown;
  /** Whether the token has the scope. */
  can(scope: string): boolean;
}

/** One operation of the official description. May throw Refusal. */
export interface Route {
  /** Its operationId there. */
  operation: string;
  method: 'GET' | 'POST' | 'DELETE';
  /** Its path there, with `{names}`. */
  path: string;
  /** All are required. */
  scopes: string[];
  handle(world: World, request: ApiRequest): Answer;
}

/** The decoded parameters if `path` matches the route, else undefined. */
export function matchPath(route: Route, path: string): Record<string, string> | undefined {
  const wanted = route.path.split('/');
  const given = path.split('/');
  if (wanted.length !== given.length) return undefined;
  const params: Record<string, string> = {};
  for (const [index, segment] of wanted.entries()) {
    const value = given[index] ?? '';
    const name = /^\{(\w+)\}$/.exec(segment)?.[1];
    if (name === undefined) {
      if (segment !== value) return undefined;
    } else {
      if (value === '') return undefined;
      params[name] = decodeSegment(value);
    }
  }
  return params;
}

function decodeSegment(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}
