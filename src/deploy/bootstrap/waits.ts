/** Waits for what a fresh droplet is still busy with: each says every 30 s that it waits, and is bounded by `bootstrap.wait`. */
import { inWords } from '../../durations.js';
import { DeployError } from '../../errors.js';
import { configFile } from '../core/do-deploy.js';
import { warn } from '../core/report.js';
import { SECOND } from '../core/shell.js';
import { loginTo } from '../droplet/member.js';
import { answerOf, type Site, say } from './site.js';
import { aptHolderCommand, cloudInitCommand } from './wait-commands.js';

const POLL_MS = 5 * SECOND;
const STILL_WAITING_EVERY_MS = 30 * SECOND;

/** A fresh droplet is still being set up: users, keys and packages. Throws DeployError bootstrap-timeout. */
export async function awaitCloudInit(site: Site): Promise<void> {
  await awaitEnd(site, 'cloud-init status --long', async () => {
    const status = (await answerOf(site, cloudInitCommand())).trim().replace(/^status: /, '');
    if (/^(error|degraded)/.test(status))
      warn(site.ports, 'cloud-init has ended with an error.', site.member.host.name);
    return /^(running|not run|not started)/.test(status) ? 'cloud-init' : undefined;
  });
}

/** Throws DeployError bootstrap-timeout. */
export async function awaitApt(site: Site): Promise<void> {
  await awaitEnd(site, 'ps aux', async () => {
    const [holder = ''] = (await answerOf(site, aptHolderCommand())).split('\n');
    return holder === '' ? undefined : `${holder}, which holds apt's lock,`;
  });
}

/**
 * @param look the command that shows what is going on
 * @param ask what is waited for; undefined: it has ended
 */
async function awaitEnd(site: Site, look: string, ask: () => Promise<string | undefined>): Promise<void> {
  const { clock } = site.ports;
  const { waitMs } = site.wanted;
  const started = clock.now();
  let said = Number.NEGATIVE_INFINITY;
  for (;;) {
    const busy = await ask();
    if (busy === undefined) return;
    const waited = clock.now() - started;
    if (waited >= waitMs) {
      throw new DeployError('bootstrap-timeout', `${busy} did not end within ${inWords(waitMs)}.`, {
        hint: `Look at it: ${loginTo(site.member)} ${look}. To wait longer, set bootstrap.wait in ${configFile(site.wanted)}.`,
      });
    }
    if (waited - said >= STILL_WAITING_EVERY_MS) {
      said = waited;
      say(site, `waiting for ${busy} at most ${inWords(waitMs)} …`);
    }
    await clock.sleep(Math.min(POLL_MS, waitMs - waited));
  }
}
