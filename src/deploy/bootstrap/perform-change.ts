/** Makes a change on a droplet. One that may lock everybody out stays only after a second login. */
import { inWords } from '../../durations.js';
import { asDeployError, DeployError } from '../../errors.js';
import type { CommandResult } from '../../ports.js';
import { errorLine } from '../core/output-lines.js';
import { SECOND } from '../core/shell.js';
import { loginTo } from '../droplet/member.js';
import { changeCommand, type NamedChange } from './change-command.js';
import { keepCommand, STUCK, settleCommand, takeBackCommand, undoByHand } from './guard-commands.js';
import { answerOf, failed, type Site, say } from './site.js';
import { awaitApt } from './waits.js';

/** Says what it does before and after. Throws DeployError. */
export async function performChange(site: Site, change: NamedChange): Promise<void> {
  const { clock } = site.ports;
  const { action, sentence, undo } = change;
  if (change.usesApt) await awaitApt(site);
  say(site, `${action}: ${sentence} …`);
  const started = clock.now();
  const { code, stderr, stdout } = await site.member.connection.run(changeCommand(change));
  if (code !== 0) {
    const reason = errorLine(stderr || stdout);
    if (undo !== undefined && stdout.split('\n').includes(STUCK)) throw stuck(site, action, reason, reason);
    throw failed(site, `${action}: ${reason}`);
  }
  if (undo !== undefined) await confirm(site, change);
  say(site, `${action}: done (${inWords(Math.round((clock.now() - started) / SECOND) * SECOND)})`);
}

/**
 * Takes back what earlier runs did not confirm, and says so.
 * @returns the actions
 */
export async function settleGuards(site: Site): Promise<string[]> {
  const actions = (await answerOf(site, settleCommand())).split('\n').filter(Boolean);
  for (const action of actions) say(site, `${action}: an earlier run did not confirm its change: it was taken back`);
  return actions;
}

/** The change stays only if somebody can still log in: on a new connection, while this one is open. */
async function confirm(site: Site, { action }: NamedChange): Promise<void> {
  const { ports, member, wanted, again } = site;
  const user = wanted.user ?? 'root';
  try {
    const second = await ports.shell.connect(member.host, { user });
    await second.close();
  } catch (error) {
    const { message, hint } = asDeployError(error);
    const login = `Find out why: ${loginTo(member)} journalctl -u ssh. Then run it again: ${again}`;
    throw await takeBack(site, action, `a second login as ${user} failed: ${message}`, hint ?? login);
  }
  const answer = await answerOf(site, keepCommand(action));
  if (answer.trim() === 'kept') return;
  throw await takeBack(site, action, 'it was not confirmed within a minute.', `Run it again: ${again}`);
}

/** The error of a change that must not stay, once that is certain. */
async function takeBack(site: Site, action: string, reason: string, hint: string): Promise<DeployError> {
  const { connection } = site.member;
  let end: CommandResult;
  try {
    end = await connection.run(takeBackCommand(action));
  } catch (cause) {
    const message = `${action}: ${reason} The connection is lost; the droplet itself takes the change back within a minute.`;
    return new DeployError('bootstrap-undone', message, { cause, hint });
  }
  if (end.code !== 0) return stuck(site, action, reason, errorLine(end.stderr || end.stdout));
  return new DeployError('bootstrap-undone', `${action} was taken back: ${reason}`, { hint });
}

function stuck({ again }: Site, action: string, reason: string, undo: string): DeployError {
  const sentence = `${action} could not be taken back (${undo.replace(/\.$/, '')}), although it has to be: ${reason}`;
  return new DeployError('bootstrap-stuck', sentence, {
    hint: `Take it back as root, on the droplet's console in the control panel if nobody can log in: ${undoByHand(action)}. Then run it again: ${again}`,
  });
}
