/** What a check has found, and how findings become a report. */
import type { DeployError } from '../../errors.js';
import type { Area, DoctorFinding } from '../../rollout/doctor.js';
import { withStop } from '../core/sentences.js';
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

/** How many findings of one name are listed. */
const MOST_OF_ONE_NAME = 20;

const BY_NAME: Readonly<Record<string, Entry>> = CATALOGUE;

const REFUSED: Pick<Entry, 'severity' | 'why'> = { severity: 'error', why: 'A deploy is refused with this error.' };

/**
 * Errors first, in the order of the areas. The same finding on several droplets is one, with the words of the first.
 * @returns `left`: a sentence for each name of which there are more than are listed
 */
export function findingsOf(found: readonly (Found | Refused)[]): { findings: DoctorFinding[]; left: string[] } {
  const merged = new Map<string, DoctorFinding>();
  for (const one of found) {
    const finding = toFinding(one);
    const [droplet = ''] = finding.droplets;
    const message = droplet === '' ? finding.message : finding.message.replaceAll(droplet, '');
    const key = JSON.stringify([finding.name, finding.place, message, finding.fixable]);
    const known = merged.get(key);
    if (known === undefined) merged.set(key, finding);
    else known.droplets = [...new Set([...known.droplets, ...finding.droplets])];
  }
  const counted = new Map<string, number>();
  const findings = [...merged.values()].sort(bySeverity).filter(({ name }) => {
    const before = counted.get(name) ?? 0;
    counted.set(name, before + 1);
    return before < MOST_OF_ONE_NAME;
  });
  const left = [...counted].flatMap(([name, count]) =>
    count > MOST_OF_ONE_NAME ? `${count - MOST_OF_ONE_NAME} more findings ${name}: correct those above first.` : [],
  );
  return { findings, left };
}

function toFinding(one: Found | Refused): DoctorFinding {
  const droplets = one.droplet === undefined ? [] : [one.droplet];
  if ('error' in one) {
    const { code, hint } = one.error;
    const message = withStop(one.error.message);
    const { severity, why } = BY_NAME[code] ?? REFUSED;
    return { name: code, severity, area: one.area, droplets, message, why, ...(hint && { fix: hint }) };
  }
  const { name, fix, place, fixable } = one;
  const { severity, area, why } = CATALOGUE[name];
  return {
    name,
    severity,
    area,
    droplets,
    ...(place && { place }),
    message: withStop(one.message),
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
