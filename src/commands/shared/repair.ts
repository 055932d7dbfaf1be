/** `doctor --fix`: what touches no container that serves. */
import { join } from 'node:path';
import type { CommandContext } from '../../cli/define-command.js';
import { EXIT } from '../../cli/exit-codes.js';
import type { LoadedSettings } from '../../config/load.js';
import { asDeployError } from '../../errors.js';
import type { DoctorFinding, DoctorReport } from '../../rollout/doctor.js';

export interface Examined {
  report: DoctorReport;
  /** Absent where the configuration could not be loaded. */
  settings: LoadedSettings | undefined;
  /** The project's folder. */
  root: string;
}

/** Returns the report with what was corrected. What cannot be corrected stays a finding, and a note says why. */
export async function repair(context: CommandContext, { report, settings, root }: Examined): Promise<DoctorReport> {
  const { closeEnvFile, ignoreInGit } = await import('../../config/examine-env-files.js');
  const repairs: Record<string, (finding: DoctorFinding) => Promise<boolean> | boolean> = {
    'env-file-open': ({ place = '' }) => {
      closeEnvFile(root, place);
      return true;
    },
    'env-file-unignored': ({ place = '' }) => {
      ignoreInGit(root, place);
      return true;
    },
    'recorded-as-out': () => (settings === undefined ? false : clearRecords(context, settings)),
  };
  const findings: DoctorFinding[] = [];
  let cleared: boolean | undefined;
  for (const finding of report.findings) {
    const correct = finding.fixable ? repairs[finding.name] : undefined;
    if (correct === undefined) {
      findings.push(finding);
      continue;
    }
    try {
      // One run clears the records of all droplets.
      const isCleared = finding.name === 'recorded-as-out' ? cleared : undefined;
      const fixed = isCleared ?? (await correct(finding));
      if (finding.name === 'recorded-as-out') cleared = fixed;
      findings.push(fixed ? { ...finding, fixed: true } : finding);
    } catch (error) {
      context.note(`${join(root, finding.place ?? '')}: ${asDeployError(error).message}`);
      findings.push(finding);
    }
  }
  return { ...report, findings };
}

/** By `heal`, under its lock, and only where it has nothing else to do. */
async function clearRecords(context: CommandContext, settings: LoadedSettings): Promise<boolean> {
  // Who changes it has to confirm its name: `heal` asks for it.
  if (settings.isProtected) return false;
  const { findRepairs, heal } = await import('../../deploy/rollouts/heal.js');
  const plan = await findRepairs(await context.ports(settings), { settings });
  if (plan.without.length > 0 || !plan.repairs.every(({ isOnlyRecorded }) => isOnlyRecorded)) return false;
  const args = { allowDowntime: false, waitLock: 0, yes: true };
  const { exit } = await context.roll(settings, args, (ports, options) => heal(ports, { ...options, confirmed: plan }));
  return exit === EXIT.ok;
}
