/** A headless Chromium, driven through its debugging pipe (chromedevtools.github.io/devtools-protocol): no port, no package. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome'];

/** The program's name; undefined where there is none. */
export function findChromium(): string | undefined {
  return NAMES.find((name) => spawnSync(name, ['--version']).status === 0);
}

export interface Looks {
  width: number;
  height?: number;
  scheme: 'light' | 'dark';
  media?: 'print';
}

type Answer = Record<string, unknown>;

export class Chromium {
  readonly #child: ChildProcess;
  readonly #profile: string;
  readonly #waiting = new Map<number, (answer: Answer) => void>();
  readonly #heard: { method: string; params: Answer }[] = [];
  #listeners: (() => void)[] = [];
  #session: string | undefined;
  #last = 0;

  private constructor(program: string) {
    this.#profile = mkdtempSync(join(tmpdir(), 'do-deploy-chromium-'));
    const args = [
      '--headless=new',
      '--no-sandbox',
      '--disable-gpu',
      '--disable-dev-shm-usage',
      '--remote-debugging-pipe',
    ];
    this.#child = spawn(program, [...args, `--user-data-dir=${this.#profile}`, '--no-first-run', 'about:blank'], {
      stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'],
    });
    let unread = '';
    (this.#child.stdio[4] as Readable).setEncoding('utf8').on('data', (chunk: string) => {
      const messages = (unread + chunk).split('\0');
      unread = messages.pop() ?? '';
      for (const message of messages) this.#hear(JSON.parse(message) as Answer);
    });
  }

  static async start(program: string): Promise<Chromium> {
    const browser = new Chromium(program);
    const { targetId } = await browser.#send('Target.createTarget', { url: 'about:blank' });
    const { sessionId } = await browser.#send('Target.attachToTarget', { targetId, flatten: true });
    browser.#session = String(sessionId);
    for (const domain of ['Page', 'Log', 'Runtime', 'Network']) await browser.#send(`${domain}.enable`);
    return browser;
  }

  /** Opens a page, and waits until it is drawn. What was heard before is forgotten. */
  async open(url: string, { width, height = 1_200, scheme, media = undefined }: Looks): Promise<void> {
    await this.#send('Emulation.setDeviceMetricsOverride', {
      width,
      height,
      deviceScaleFactor: 1,
      mobile: width < 600,
    });
    await this.#send('Emulation.setEmulatedMedia', {
      media: media ?? '',
      features: [{ name: 'prefers-color-scheme', value: scheme }],
    });
    this.#heard.length = 0;
    await this.#send('Page.navigate', { url });
    await new Promise<void>((resolve) => {
      const look = () => this.#heard.some(({ method }) => method === 'Page.loadEventFired') && resolve();
      this.#listeners.push(look);
      look();
    });
    this.#listeners = [];
  }

  /** The value of an expression in the page, whose policy allows it no script of its own. */
  async evaluate<T>(expression: string): Promise<T> {
    const { result } = await this.#send('Runtime.evaluate', { expression, returnByValue: true });
    return (result as { value: T }).value;
  }

  /** What the page has complained of, and what it has asked for besides itself. */
  troubles(): string[] {
    return this.#heard.flatMap(({ method, params }) => {
      if (method === 'Log.entryAdded') return String((params.entry as Answer).text);
      if (method === 'Runtime.exceptionThrown' || method === 'Runtime.consoleAPICalled') return method;
      if (method !== 'Network.requestWillBeSent') return [];
      const { url } = params.request as { url: string };
      return params.type === 'Document' ? [] : `asks for ${url}`;
    });
  }

  /** Names and roles, as a screen reader gets them. */
  async accessibleNames(role: string): Promise<string[]> {
    const { nodes } = await this.#send('Accessibility.getFullAXTree');
    const all = nodes as { role?: { value: string }; name?: { value: string }; ignored: boolean }[];
    return all.filter((node) => !node.ignored && node.role?.value === role).map(({ name }) => name?.value ?? '');
  }

  /** PNG of the whole page. */
  async screenshot(): Promise<Buffer> {
    const { data } = await this.#send('Page.captureScreenshot', { captureBeyondViewport: true });
    return Buffer.from(String(data), 'base64');
  }

  async pdf(): Promise<Buffer> {
    const { data } = await this.#send('Page.printToPDF', { preferCSSPageSize: true });
    return Buffer.from(String(data), 'base64');
  }

  async stop(): Promise<void> {
    const ended = new Promise((resolve) => this.#child.once('close', resolve));
    this.#child.kill('SIGKILL');
    await ended;
    rmSync(this.#profile, { recursive: true, force: true, maxRetries: 5 });
  }

  #send(method: string, params: Answer = {}): Promise<Answer> {
    this.#last += 1;
    const id = this.#last;
    const message = JSON.stringify({ id, method, params, sessionId: this.#session });
    (this.#child.stdio[3] as Writable).write(`${message}\0`);
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, ({ result, error }) => {
        if (error === undefined) resolve(result as Answer);
        else reject(new Error(`${method}: ${JSON.stringify(error)}`));
      });
    });
  }

  #hear(message: Answer): void {
    const { id, method, params } = message;
    if (typeof id === 'number') this.#waiting.get(id)?.(message);
    else this.#heard.push({ method: String(method), params: params as Answer });
    for (const listener of this.#listeners) listener();
  }
}
