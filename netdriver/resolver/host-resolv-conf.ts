import { readFileSync } from 'node:fs';
import type { Clock } from '../../common/clock.ts';
import { isLoopback, parseResolvConf, type ResolvConf } from './resolv-conf.ts';

const REREAD_MS = 5000;
/** Where systemd-resolved names the servers behind its own address. */
const SYSTEMD_PATH = '/run/systemd/resolve/resolv.conf';

/** The host's resolv.conf, read again when it may have changed. */
export class HostResolvConf {
  readonly #clock: Clock;
  readonly #path: string;
  #readAt = Number.NEGATIVE_INFINITY;
  #conf: ResolvConf = { nameservers: [], search: [], options: [] };

  constructor(components: { clock: Clock }, init: { path?: string } = {}) {
    this.#clock = components.clock;
    this.#path = init.path ?? '/etc/resolv.conf';
  }

  read(): ResolvConf {
    const now = this.#clock.monotonic();
    if (now - this.#readAt < REREAD_MS) return this.#conf;
    this.#readAt = now;
    this.#conf = parseResolvConf(textOf(this.#path));
    return this.#conf;
  }

  /** As containers without a resolver of their own need it: loopback is another place for them. */
  readForContainers(): ResolvConf {
    const conf = this.read();
    if (!conf.nameservers.every(isLoopback)) return conf;
    const behind = parseResolvConf(textOf(SYSTEMD_PATH));
    return { ...conf, nameservers: behind.nameservers };
  }
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
