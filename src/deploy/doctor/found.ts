/** What a check has found, and how findings become a report. */
import type { DeployError } from '../../errors.js';
import type { Area, DoctorFinding } from '../../rollout/doctor.js';
import { CATALOGUE, type Entry, type FindingName } from './catalogue.js';

export interface Found {
  name: FindingName;
  message: string;
  fix?: string | undefined;
  place?: string | undefined;
  /** Its name. */
  droplet?: string | undefined;
  /** Whether `--fix` corrects this one. */
  fixable?: boolean;
}

/** A refusal of a deploy, by a check that the deploy itself makes. */
export interface Refused {
  error: Pick<DeployError, 'code' | 'message' | 'hint'>;
  area: Area;
  droplet?: string | undefined;
}

/** How many findings of one name are listed: what is wrong everywhere is wrong once. */
export const MOST_OF_ONE_NAME = 20;

const BY_NAME: Readonly<Record<string, Entry>> = CATALOGUE;

const REFUSED: Pick<Entry, 'severity' | 'why'> = { severity: 'error', why: 'A deploy is refused with this error.' };

/** Errors first, in the order of the areas. The same finding on several droplets is one. */
export function findingsOf(found: readonly (Found | Refused)[]): DoctorFinding[] {
  const merged = new Map<string, DoctorFinding>();
  for (const one of found) {
    const finding = toFinding(one);
    const key = JSON.stringify([finding.name, finding.place, finding.message, finding.fix]);
    const known = merged.get(key);
    if (known === undefined) merged.set(key, finding);
    else known.droplets = [...new Set([...known.droplets, ...finding.droplets])];
  }
  const counted = new Map<string, number>();
  return [...merged.values()].sort(bySeverity).filter(({ name }) => {
    const before = counted.get(name) ?? 0;
    counted.set(name, before + 1);
    return before < MOST_OF_ONE_NAME;
  });
}

function toFinding(one: Found | Refused): DoctorFinding {
  const droplets = one.droplet === undefined ? [] : [one.droplet];
  if ('error' in one) {
    const { code, message, hint } = one.error;
    const { severity, why } = BY_NAME[code] ?? REFUSED;
    return { name: code, severity, area: one.area, droplets, message, why, ...(hint && { fix: hint }) };
  }
  const { name, message, fix, place, fixable } = one;
  const { severity, area, why } = CATALOGUE[name];
  return {
    name,
    severity,
    area,
    droplets,
    ...(place && { place }),
    message,
    why,
    ...(fix && { fix }),
    ...(fixable && { fixable: true as const }),
  };
}

const AREAS: readonly Area[] = [
  'configuration',
  'env files',
  'token',
  'balancer',
  'droplets',
  'compose',
  'registry',
  'leftovers',
];

function bySeverity(one: DoctorFinding, other: DoctorFinding): number {
  if (one.severity !== other.severity) return one.severity === 'error' ? -1 : 1;
  return AREAS.indexOf(one.area) - AREAS.indexOf(other.area);
}
