/** The output of `doctor`: what was found, why it matters, and what to do. */
import type { DoctorFinding, DoctorReport } from '../rollout/doctor.js';
import type { Palette } from './palette.js';
import { count } from './text.js';

/** Names in one line. */
const MOST_NAMED = 6;

export function doctorLines(report: DoctorReport, palette: Palette): string[] {
  const { app, environment, target, findings, unchecked } = report;
  return [
    palette.strong(`${app}: ${environment}`),
    ...(target === '' ? [] : [`  ${target}`]),
    ...findings.flatMap((finding) => findingLines(finding, palette)),
    ...(unchecked.length === 0 ? [] : ['', ...unchecked.map((one) => palette.faint(`  not looked at: ${one}`))]),
    '',
    endLine(report, palette),
  ];
}

function findingLines(
  { name, severity, droplets, place, message, why, fix, ...rest }: DoctorFinding,
  palette: Palette,
) {
  const paint = severity === 'error' ? palette.bad : palette.caution;
  const where = [place, few(droplets)].filter(Boolean).join(', ');
  const state = rest.fixed ? palette.good(' fixed') : '';
  const byItself = rest.fixable && !rest.fixed ? ' (--fix does it)' : '';
  return [
    '',
    `${paint(`${severity}: ${name}`)}${where === '' ? '' : ` (${where})`}${state}`,
    `  ${message}`,
    palette.faint(`  why: ${why}`),
    ...(fix === undefined || rest.fixed ? [] : [`  fix: ${fix}${byItself}`]),
  ];
}

function few(names: readonly string[]): string {
  if (names.length <= MOST_NAMED) return names.join(', ');
  return `${names.slice(0, MOST_NAMED).join(', ')} and ${names.length - MOST_NAMED} more`;
}

function endLine({ findings, droplets }: DoctorReport, palette: Palette): string {
  const left = findings.filter(({ fixed }) => fixed !== true);
  const errors = left.filter(({ severity }) => severity === 'error').length;
  const warnings = left.length - errors;
  const looked = `${count(droplets, 'droplet')} looked at`;
  if (left.length === 0) return palette.good(`Nothing is wrong: ${looked}.`);
  const text = `${count(errors, 'error')}, ${count(warnings, 'warning')}; ${looked}.`;
  return errors > 0 ? palette.bad(text) : palette.caution(text);
}
