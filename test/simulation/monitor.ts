/**
 * The safety properties, watched while the rollouts run: each change of the world is judged at the moment it happens,
 * by the truth of the world and by what the deployer has been told. Letters as in the list below.
 *
 *  a  A droplet that serves leaves only if the floor of serving droplets stands afterwards.
 *  b  Containers change only while the droplet is out of the balancer's reach and no request is under way on it.
 *  c  A droplet comes back only after the health and the probe of what it now runs have passed; it leaves the ledger
 *     only when the balancer sends it requests.
 *  d  What a run says of a droplet is true.
 *  e  Every change to a droplet is made under a lease that nobody else has held since.
 *  f  After whatever has happened one later run brings every reachable droplet into rotation on one release.
 *  g  The ledger names every droplet that is out or half-done; each run ends once, in time, without its lease.
 *  h  No secret is in an event, an error, an argument or a script.
 *  i  No command removes volumes or prunes what is not do-deploy's own.
 *  k  Where drain says that it has proof, no node of the balancer reaches the droplet.
 *  n  A canary stays as small as it was wanted; it is recorded while some droplets run it, and ended by promote and abort.
 *  l  A run raises exactly one ending for layers, the one that its result says, after its other events in their order.
 *  m  A container that runs once never runs twice at the same time on a droplet, and never again there for a release that it
 *     succeeded for, unless it was done for another one since.
 *  p  A role gets a release only when every droplet of the role before it runs the release, verified.
 *  q  A restart brings no droplet to another release; a droplet that was taken out by hand is left alone until it is brought
 *     back by hand.
 *  r  A stop removes the containers of its service and records it; they run again only when it is started, or with what a
 *     deploy brings.
 *  o  A pause and a bake last as long as said, and after a failure that is noticed then no further droplet gets the release.
 *     A bake that a run could not finish is made up for by the next deploy of its release.
 *  j  Under revert-fleet a release that failed is taken back wherever the run has brought it. What stays is recorded as
 *     out, or told as deployed by a run that had to stop before.
 */
import { RELEASE_FAULTS } from '../../src/deploy/session/orchestrator.js';
import { PROOFS, SHARE_MISSING } from '../../src/deploy/steps/drain-droplet.js';
import type { RemoteCommand } from '../../src/ports.js';
import type { DeployEvent } from '../../src/rollout/model.js';
import { DOCKER_BACK_WITHIN_MS, wasSteady } from './containers.js';
import { advance, isReached, isServed, openConnections, servingContainer } from './data-plane.js';
import type { Deployer } from './deployer.js';
import { floorFor, sizeFor } from './floor.js';
import { lockProcess } from './lock.js';
import type { OneOff } from './one-off.js';
import { SECRETS } from './project.js';
import type { Droplet, World } from './world.js';

export interface Violation {
  rule: string;
  text: string;
  /** ms since the beginning. */
  at: number;
}

/** Docker's commands that remove what do-deploy has not made. */
const DESTRUCTIVE =
  /\b(system|volume|image|container|network|builder)\s+prune|--volumes|\bcompose\b[^\n]*\bdown\b|\bvolume\s+rm|\bdown\s+-v/;

/** Properties that rest on the time within which a balancer follows. */
const BY_TIME = new Set(['a', 'b', 'c']);

/** Commands by which waits look again. */
const POLLS = new Set(['traffic', 'containers']);

/** Commands that change what a droplet runs, or what do-deploy knows of it. */
const CHANGES = new Set(['switch', 'confirm', 'mark-out', 'clear-mark', 'finish', 'write-history']);

type Told<Type extends DeployEvent['type']> = Extract<DeployEvent, { type: Type }>;

export class Monitor {
  readonly violations: Violation[] = [];
  /** What has happened, and how often: proof that the story was one. */
  readonly happened = new Map<string, number>();
  readonly #world: World;

  constructor(world: World) {
    this.#world = world;
  }

  violation(rule: string, text: string): void {
    // The balancer follows later than the product allows for: what it does by time may be too early.
    if (this.#world.isLate && BY_TIME.has(rule)) this.tally(`late effect: ${rule}`);
    else this.violations.push({ rule, text, at: this.#world.time - Date.UTC(2026, 10, 21, 7, 45) });
  }

  tally(what: string): void {
    this.happened.set(what, (this.happened.get(what) ?? 0) + 1);
  }

  // --- what deployers do ---

  commandIsSent(command: RemoteCommand): void {
    const { script, args, name } = command;
    // The same few come again and again, and all that is in their arguments is in their text.
    if (POLLS.has(name) && harmless.has(script)) return;
    if (hasSecret(JSON.stringify(args))) this.violation('h', `${command.name} shows a secret`);
    if (harmless.has(script)) return;
    if (hasSecret(script)) this.violation('h', `${command.name} shows a secret`);
    else if (!DESTRUCTIVE.test(script)) harmless.add(script);
    if (DESTRUCTIVE.test(script)) this.violation('i', `${command.name}: ${DESTRUCTIVE.exec(script)?.[0]}`);
  }

  commandRuns(deployer: Deployer, droplet: Droplet, name: string): void {
    const world = this.#world;
    const answered = droplet.dockerDownUntil - world.time <= DOCKER_BACK_WITHIN_MS;
    if (name === 'containers' && answered && world.isFine(droplet, world.time)) {
      droplet.seen.healthy = world.next();
    }
    if (name === 'containers') this.#looks(deployer, droplet, answered);
    if (CHANGES.has(name)) this.#changes(deployer, droplet, name);
  }

  /** Without a balancer a look at the containers says whether the droplet serves. */
  #looks({ knowledge }: Deployer, droplet: Droplet, answered: boolean): void {
    const world = this.#world;
    if (world.isBalanced(droplet)) return;
    const passed = answered ? world.works(droplet, world.time) : undefined;
    knowledge.probes.set(droplet.id, { passed, served: this.serves(droplet), at: world.next() });
    if (passed === false) knowledge.failedChecks.set(droplet.id, world.time);
  }

  /** e, and nothing after the run has ended. */
  #changes(deployer: Deployer, droplet: Droplet, what: string, heldWhenSent = false): void {
    const world = this.#world;
    if (!deployer.knowledge.finishing) deployer.knowledge.lastChange = world.next();
    const holder = lockProcess(world, droplet)?.deployer.name;
    const last = droplet.lock.holders.at(-1);
    if (heldWhenSent && last !== deployer.name) {
      // Nobody can recall a request to DigitalOcean that was on its way when the lock was lost.
      this.tally(`late: ${what}`);
      droplet.disturbed = true;
      return;
    }
    if (deployer.finished.length > 0) this.violation('e', `${deployer.name}: ${what} on ${droplet.name} after its end`);
    if (holder !== undefined && holder !== deployer.name) {
      this.violation('e', `${deployer.name}: ${what} on ${droplet.name}, while ${holder} holds the lease`);
    } else if (last !== deployer.name) {
      this.violation('e', `${deployer.name}: ${what} on ${droplet.name} without a lease (last: ${last ?? 'nobody'})`);
    }
  }

  /** @param heldWhenSent it held the droplet's lease when it sent the request */
  membershipChanges(deployer: Deployer, droplet: Droplet, wanted: 'in' | 'out', heldWhenSent: boolean): void {
    const world = this.#world;
    advance(world, droplet, world.time);
    this.#changes(deployer, droplet, wanted === 'in' ? 'rejoin' : 'leave', heldWhenSent);
    this.leftAlone(deployer, droplet, `is asked to go ${wanted}`);
    if (wanted === 'out') this.#leaves(deployer, droplet);
    else this.#rejoins(deployer, droplet);
  }

  #leaves(deployer: Deployer, droplet: Droplet): void {
    const world = this.#world;
    const { seen } = droplet;
    seen.left = world.next();
    seen.leftAt = world.time;
    seen.listened = servingContainer(droplet, world.time) !== undefined;
    if (!droplet.tags.has(world.ledgerTag(droplet)) && !seen.untaggedLate)
      this.violation('g', `${droplet.name} leaves and is not in the ledger`);
    this.#stopsServing(deployer, droplet);
  }

  /** a: it leaves the balancer or, where there is none, its containers are stopped. */
  #stopsServing(deployer: Deployer, droplet: Droplet): void {
    const world = this.#world;
    const { seen } = droplet;
    const { batch } = deployer.knowledge;
    if (batch === undefined) {
      this.violation('a', `${droplet.name} leaves before any batch`);
      return;
    }
    if (!deployer.allowDowntime) {
      const floor = floorFor(world.story, batch.fleet, batch.batch);
      const others = [...batch.serving].filter((id) => id !== droplet.id && !batch.left.has(id));
      const mayServe = batch.serving.has(droplet.id) || batch.unasked.has(droplet.id);
      if (mayServe && others.length < floor) {
        this.violation('a', `${droplet.name} leaves: ${others.length} others serve, the floor is ${floor}`);
      }
      const stand = [...batch.trulyServing, ...batch.excused].filter((id) => id !== droplet.id && !batch.left.has(id));
      // One that does not serve lowers nothing; nor does one that the batch itself has brought in and takes out again.
      // Nor can anybody know that somebody else, or an earlier run, has put it back before DigitalOcean shows that.
      const byOthers = droplet.disturbed || seen.putBackBy !== deployer.name;
      const putBack = byOthers && !batch.members.has(droplet.id);
      const lowers = batch.trulyServing.has(droplet.id) && this.serves(droplet) && !putBack;
      if (lowers && new Set(stand).size < floor) {
        this.violation('a', `${droplet.name} leaves: in truth ${stand.length} others serve, the floor is ${floor}`);
      }
    }
    batch.left.add(droplet.id);
  }

  /** q */
  leftAlone({ plan, name }: Deployer, droplet: Droplet, what: string): void {
    if (!this.#world.isByHand(droplet) || plan.command.startsWith('droplet ') || droplet.disturbed) return;
    this.violation('q', `${droplet.name} was taken out by hand, and ${what} by ${name} (${plan.command})`);
  }

  /** In truth, now. */
  serves(droplet: Droplet): boolean {
    const world = this.#world;
    advance(world, droplet, world.time);
    const isReached = !world.isBalanced(droplet) || isServed(droplet);
    return isReached && world.isMember(droplet) && world.works(droplet, world.time);
  }

  /** Nobody can see what others have done, nor an illness that came and went between two looks: that is promised of no run. */
  #isKnownToBeSick({ knowledge }: Deployer, droplet: Droplet): boolean {
    if (!droplet.disturbed) return true;
    const failed = knowledge.failedChecks.get(droplet.id) ?? 0;
    return droplet.containers.some((container) => failed >= container.illFrom);
  }

  #rejoins(deployer: Deployer, droplet: Droplet): void {
    const { seen, containers } = droplet;
    seen.putBackBy = deployer.name;
    const since = Math.max(seen.changed, seen.left);
    if (since === 0) return;
    if (seen.probed < since) this.violation('c', `${droplet.name} rejoins, and its probe has not passed`);
    if (containers.length > 0 && seen.healthy < since) {
      this.violation('c', `${droplet.name} rejoins, and it was not seen healthy`);
    }
  }

  containersChange(deployer: Deployer, droplet: Droplet): void {
    const world = this.#world;
    const { seen } = droplet;
    seen.changed = world.next();
    seen.changedBy = deployer.name;
    deployer.knowledge.touched.add(droplet.id);
    this.#keepsItsRelease(deployer, droplet);
    this.leftAlone(deployer, droplet, 'is changed');
    if (!world.isFleet) return;
    if (!droplet.tags.has(world.ledgerTag(droplet)) && !seen.untaggedLate)
      this.violation('g', `${droplet.name} changes and is not in the ledger`);
    if (world.roleOf(droplet) === 'worker') this.#roleFollows(deployer, droplet);
    if (!world.isBalanced(droplet)) {
      this.#stopsServing(deployer, droplet);
      return;
    }
    if (world.isMember(droplet) && !droplet.disturbed) {
      this.violation('b', `${droplet.name} changes its containers in rotation`);
    }
    // Where nothing answers at the balancer's port, nothing can be cut.
    if (servingContainer(droplet, world.time) === undefined) return;
    const open = openConnections(world, droplet, world.time);
    if (open > 0 || isReached(droplet)) {
      if (world.time - seen.leftAt < world.story.policy.drainTimeoutMs) {
        const what = isReached(droplet) ? 'the balancer still reaches it' : `${open} requests are under way`;
        this.violation('b', `${deployer.name} changes the containers of ${droplet.name}: ${what}`);
      } else this.tally('drain: timed out');
    }
  }

  /** q */
  #keepsItsRelease({ plan, name, knowledge }: Deployer, { disk, name: droplet }: Droplet): void {
    if (!['restart', 'stop', 'start'].includes(plan.command)) return;
    this.tally('restart: containers');
    const release = knowledge.towards.get(droplet);
    if (release !== disk.current) {
      this.violation('q', `${name} restarts ${droplet} on ${release}, and it ran ${disk.current}`);
    }
  }

  /** r */
  runsAgain({ plan, name }: Deployer, { disk, name: droplet }: Droplet, services: readonly string[]): void {
    const { stopped, phase } = disk.state === undefined ? {} : JSON.parse(disk.state);
    if (stopped === undefined || phase !== 'switching' || stopped.release !== disk.current) return;
    this.tally('stopped: containers');
    if (!['heal', 'restart', 'stop'].includes(plan.command)) return;
    const again = services.filter((service) => stopped.services.includes(service));
    if (again.length > 0) this.violation('r', `${name} (${plan.command}) starts ${again.join(', ')} on ${droplet}`);
  }

  /** p: what is brought to a worker runs on every web droplet. */
  #roleFollows(deployer: Deployer, { name }: Droplet): void {
    const world = this.#world;
    const release = deployer.knowledge.towards.get(name);
    if (deployer.plan.command !== 'deploy' || !release?.endsWith(`-${deployer.plan.tag}`)) return;
    this.tally('roles: the second');
    for (const droplet of world.droplets.values()) {
      if (world.roleOf(droplet) !== 'web' || droplet.disturbed || droplet.destroyed) continue;
      const state = droplet.disk.state === undefined ? undefined : JSON.parse(droplet.disk.state);
      if (state?.release === release && state.phase === 'verified') continue;
      this.violation('p', `${name} is brought to ${release}, and ${droplet.name} does not run it`);
    }
  }

  /** The balancer begins to act on a membership. */
  becameMember(droplet: Droplet): void {
    const { seen } = droplet;
    const { balancer } = this.#world;
    if (droplet.disturbed || balancer === undefined) return;
    if (!this.#world.isMember(droplet) && seen.changed > seen.left && seen.left > 0) {
      this.violation('b', `${droplet.name} is reached by the balancer in the middle of a change`);
    }
  }

  ledgerChanges(deployer: Deployer, droplet: Droplet, out: boolean, heldWhenSent: boolean): void {
    const world = this.#world;
    const tag = out ? 'the ledger’s tag' : 'the end of the ledger’s tag';
    this.#changes(deployer, droplet, tag, heldWhenSent);
    droplet.seen.untaggedLate = !out && heldWhenSent && droplet.lock.holders.at(-1) !== deployer.name;
    this.leftAlone(deployer, droplet, `is ${out ? 'marked out' : 'cleared'}`);
    if (out) return;
    advance(world, droplet, world.time);
    const { planes, seen, disk } = droplet;
    if (!world.isMember(droplet) && !droplet.disturbed) {
      this.violation('g', `${droplet.name} is out and is taken from the ledger`);
    }
    if (disk.state !== undefined && JSON.parse(disk.state).phase !== 'verified' && !droplet.disturbed) {
      this.violation('g', `${droplet.name} is half-done and is taken from the ledger`);
    }
    // Where nothing listened nobody could hear the balancer let go: its first checks afterwards may be its last before.
    // One that was sent requests, and has crashed since by itself, has come back.
    const cameBack = planes.every(({ up, upAt }) => up || upAt > seen.leftAt);
    if (seen.left > 0 && seen.listened && !cameBack && !droplet.disturbed && world.answers(droplet, world.time)) {
      this.violation('c', `${droplet.name} is taken from the ledger, and the balancer sends it nothing yet`);
    }
  }

  /** `current` and state.json say that the release has been verified. */
  confirms(deployer: Deployer, droplet: Droplet): void {
    const { seen } = droplet;
    if (seen.changed > 0 && seen.healthy < seen.changed) {
      this.violation('c', `${deployer.name} confirms ${droplet.name}, and it was not seen healthy`);
    }
    if (this.#world.story.http && seen.changed > 0 && seen.asked < seen.changed) {
      this.violation('c', `${deployer.name} confirms ${droplet.name}, and its app has not answered`);
    }
    if (!droplet.containers.every((container) => wasSteady(container, this.#world.time))) {
      this.violation('c', `${deployer.name} confirms ${droplet.name}, and it has not run for 3 s without a crash`);
    }
  }

  releasesRemoved(droplet: Droplet, releases: readonly string[]): void {
    const { disk } = droplet;
    const state =
      disk.state === undefined ? undefined : (JSON.parse(disk.state) as { release: string; previous?: string });
    for (const id of releases) {
      if (id === disk.current || id === state?.release || id === state?.previous) {
        this.violation('i', `${id} is removed from ${droplet.name}, which needs it`);
      }
    }
  }

  onceStarts(droplet: Droplet, { release, number }: Pick<OneOff, 'release' | 'number'>): void {
    const { time, droplets } = this.#world;
    this.tally('once: starts');
    const said = `a migration for ${release} starts on ${droplet.name}`;
    if (droplet.oneOffs.some(({ endsAt }) => endsAt > time)) this.violation('m', `${said} while another one runs`);
    const all = [...droplets.values()].flatMap((one) => one.oneOffs.map((container) => ({ container, on: one })));
    const good = all.filter(({ container: { code, endsAt } }) => code === 0 && endsAt <= time);
    const last = good
      .toSorted((a, b) => a.container.number - b.container.number || a.container.endsAt - b.container.endsAt)
      .at(-1);
    if (last?.on === droplet && last.container.release === release && last.container.number >= number - 1) {
      this.violation('m', `${said}, for which one has succeeded`);
    }
  }

  // --- what deployers say ---

  reported(deployer: Deployer, event: DeployEvent): void {
    if (hasSecret(JSON.stringify(event))) this.violation('h', `the event ${event.type} shows a secret`);
    if (event.type === 'batch-started') this.#batchStarts(deployer, event.batch, event.droplets);
    if (event.type === 'phase-started' && event.phase === 'finish') deployer.knowledge.finishing = true;
    if (event.type === 'notice' && event.message.includes('by an earlier run')) this.#blames(deployer, event.droplet);
    if (event.type === 'step-started') this.#stepStarts(deployer, event);
    if (event.type === 'step-failed') this.#stepFails(deployer, event);
    if (event.type === 'step-finished' && event.step === 'drain') this.#drained(event);
    if (event.type === 'watch-failed') this.#watchFails(deployer, event.error);
    this.#judgeControl(deployer, event);
    this.#keepBakeOwed(deployer, event);
    if (event.type === 'rollout-finished') deployer.finished.push(event.result);
  }

  /** d: what another run has in hand is not left by it. */
  #blames(deployer: Deployer, name: string | undefined): void {
    this.tally('notice: an earlier run');
    const droplet = [...this.#world.droplets.values()].find((one) => one.name === name);
    const holder = droplet && lockProcess(this.#world, droplet)?.deployer.name;
    if (holder === undefined || holder === deployer.name) return;
    this.violation('d', `${deployer.name} says that an earlier run has left ${name}, and ${holder} is at it`);
  }

  #stepStarts({ knowledge }: Deployer, { droplet, step, release }: Told<'step-started'>): void {
    this.tally(`step: ${step}`);
    knowledge.towards.set(droplet, release);
    if (step === 'switch') knowledge.switched.add(droplet);
  }

  #drained({ droplet: name, detail = '' }: Told<'step-finished'>): void {
    const world = this.#world;
    const proof = PROOFS.find((one) => detail.startsWith(one));
    const droplet = [...world.droplets.values()].find((one) => one.name === name);
    this.tally(`drained: ${proof ?? 'without proof'}`);
    if (proof === undefined || droplet === undefined || droplet.disturbed) return;
    // Of several nodes one may send next to nothing: there a missing share rests on the time as well.
    if (proof === SHARE_MISSING && world.isLate && world.story.nodes > 1) return;
    advance(world, droplet, world.time);
    if (isReached(droplet)) this.violation('k', `${name}: ${detail}, and the balancer still reaches it`);
  }

  #stepFails({ knowledge, interrupted, plan }: Deployer, { droplet, step, error }: Told<'step-failed'>): void {
    this.tally(`failed: ${step} ${error.code}`);
    if (interrupted.signal.aborted || !RELEASE_FAULTS.has(error.code)) return;
    if (knowledge.towards.get(droplet)?.endsWith(`-${plan.tag}`)) knowledge.condemned = true;
  }

  /** The release has failed where it was deployed: what is promised of that holds from here on. */
  #watchFails({ knowledge, interrupted, plan }: Deployer, { code }: Told<'watch-failed'>['error']): void {
    this.tally(`watch: ${code}`);
    if (!interrupted.signal.aborted && plan.command === 'deploy') knowledge.condemned = true;
  }

  #judgeControl(deployer: Deployer, event: DeployEvent): void {
    const { knowledge, rests, plan } = deployer;
    // Of other commands the release is not the plan's.
    const release = plan.command === 'deploy' ? plan.tag : undefined;
    const { policy, start } = this.#world.story;
    const goesBack = policy.onFailure === 'revert-droplet' && start === 'managed' && knowledge.finishing;
    const recalls = goesBack && plan.command === 'deploy' && !deployer.interrupted.signal.aborted;
    for (const fault of knowledge.control.see(event, this.#world.time, { ...rests, recalls }, release)) {
      this.violation('o', `${deployer.name} ${fault}`);
    }
  }

  /** Which release droplets have got that was not watched to the end of its bake. */
  #keepBakeOwed({ plan, rests }: Deployer, event: DeployEvent): void {
    const world = this.#world;
    const isDeploy = plan.command === 'deploy' && rests.bakeMs > 0;
    // What is replaced need not bake any more.
    if (event.type === 'batch-started' && isDeploy && world.bakeOwed !== plan.tag) world.bakeOwed = undefined;
    if (event.type === 'step-started' && event.step === 'switch' && isDeploy) {
      if (event.release?.endsWith(`-${plan.tag}`)) world.bakeOwed = plan.tag;
    }
    const hasBaked = event.type === 'rest-finished' && event.rest === 'bake';
    if (hasBaked && event.ms >= (world.story.policy.bakeMs ?? 0)) world.bakeOwed = undefined;
  }

  #batchStarts(deployer: Deployer, batch: number, names: readonly string[]): void {
    const world = this.#world;
    const size = names.length;
    const first = [...world.droplets.values()].find(({ name }) => name === names[0]);
    const role = first && world.roleOf(first);
    const isOfRole = (id: number) => {
      const droplet = world.droplets.get(id);
      return droplet !== undefined && world.roleOf(droplet) === role;
    };
    if (deployer.interrupted.signal.aborted) {
      this.violation('g', `${deployer.name} begins batch ${batch} after it was interrupted`);
    }
    const { probes, lastChange } = deployer.knowledge;
    const members = role === 'worker' ? deployer.knowledge.workers : deployer.knowledge.members;
    const serving = new Set<number>();
    const unasked = new Set<number>();
    const trulyServing = new Set<number>();
    const excused = new Set<number>();
    for (const id of [...deployer.knowledge.fleet].filter(isOfRole)) {
      const probe = probes.get(id);
      const fresh = members !== undefined && members.at > lastChange && probe !== undefined && probe.at > lastChange;
      if (fresh && members.ids.has(id) && probe.passed) serving.add(id);
      if (fresh && members.ids.has(id) && probe.passed === undefined) unasked.add(id);
      const droplet = world.droplets.get(id);
      if (droplet && (this.serves(droplet) || (fresh && probe.served))) trulyServing.add(id);
      else if (droplet && serving.has(id) && !this.#isKnownToBeSick(deployer, droplet)) excused.add(id);
    }
    // Whoever is neither behind the balancer nor in the ledger has been taken out of the fleet by somebody else.
    const { found, fleet: reached } = deployer.knowledge;
    // A droplet that the list of droplets was too old to hold joins later, as anybody does.
    const membersFound = [...(found.members ?? [])].filter((id) => found.listed?.has(id) !== false);
    const known = new Set([...reached, ...membersFound, ...(found.recorded ?? [])]);
    const fleet = [...known].filter(isOfRole).filter((id) => {
      const droplet = world.droplets.get(id);
      // Of one that is on its way back in, the run may only know its mark.
      const isApart = droplet !== undefined && world.isMarkedByHand(droplet) && found.members?.has(id) === false;
      if (isApart && deployer.plan.command !== 'droplet in') return false;
      return members?.ids.has(id) || droplet?.tags.has(world.ledgerTag(droplet));
    }).length;
    if (size > Math.max(1, sizeFor(world.story, fleet, batch))) {
      this.violation('a', `batch ${batch} has ${size} droplets of ${fleet}`);
    }
    const own = { batch, fleet, serving, unasked, left: new Set<number>(), trulyServing, excused };
    deployer.knowledge.batch = { ...own, members: members?.ids ?? new Set() };
    if (world.isFleet && (members === undefined || members.at < lastChange)) {
      this.violation('a', `batch ${batch} begins without a look at the world`);
    }
  }
}

/** Scripts that were looked through: the same few come again and again. */
const harmless = new Set<string>();

const ANY_SECRET = new RegExp(SECRETS.map((secret) => secret.replaceAll(/[^\w]/g, '\\$&')).join('|'));

function hasSecret(text: string): boolean {
  return ANY_SECRET.test(text);
}
