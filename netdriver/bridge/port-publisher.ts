import { SwarmError } from '../../common/errors.ts';
import { isIp } from '../ipv4.ts';
import { HOST, isKernelError, type Kernel, type PortReservation } from '../kernel/types.ts';
import type { PortBinding } from '../types.ts';
import type { HostFirewall } from './host-firewall.ts';

interface Owner {
  /** As messages name it: `container web (0123456789ab)`. */
  readonly name: string;
  readonly bindings: readonly PortBinding[];
  readonly reservations: readonly PortReservation[];
}

/**
 * Ports of the host that lead into containers. A port is held by a listening socket from its
 * reservation to its release, so that no other program can take it and find it dead.
 */
export class PortPublisher {
  readonly #kernel: Kernel;
  readonly #firewall: HostFirewall;
  readonly #owners = new Map<string, Owner>();

  constructor(components: { kernel: Kernel; firewall: HostFirewall }) {
    this.#kernel = components.kernel;
    this.#firewall = components.firewall;
  }

  /** All or nothing; answers with the host ports filled in. Throws SWM_CONFLICT that names who. */
  reserve(id: string, name: string, wanted: readonly PortBinding[]): readonly PortBinding[] {
    const reservations: PortReservation[] = [];
    const bindings: PortBinding[] = [];
    try {
      for (const binding of wanted) {
        const reservation = this.#reserve(binding);
        reservations.push(reservation);
        bindings.push({ ...binding, hostPort: reservation.port });
      }
    } catch (error) {
      for (const reservation of reservations) reservation.release();
      throw error;
    }
    if (bindings.length > 0) this.#owners.set(id, { name, bindings, reservations });
    return bindings;
  }

  /** Leads the owner's ports to an address; '' leads them nowhere, still reserved. */
  async publish(id: string, targetIp: string): Promise<void> {
    const bindings = this.#owners.get(id)?.bindings ?? [];
    await this.#firewall.setPorts(
      id,
      (targetIp ? bindings : []).map((binding) => ({
        protocol: binding.protocol,
        hostIp: isAnywhere(binding.hostIp) ? '' : binding.hostIp,
        hostPort: binding.hostPort,
        targetIp,
        targetPort: binding.containerPort,
      })),
    );
  }

  async release(id: string): Promise<void> {
    const owner = this.#owners.get(id);
    if (!owner) return;
    await this.publish(id, '');
    this.#owners.delete(id);
    for (const reservation of owner.reservations) reservation.release();
  }

  /** Forgets the sockets, for a daemon that goes and leaves its containers running. */
  stop(): void {
    for (const owner of this.#owners.values()) {
      for (const reservation of owner.reservations) reservation.release();
    }
    this.#owners.clear();
  }

  #reserve(binding: PortBinding): PortReservation {
    const { protocol, hostIp, hostPort } = binding;
    if (!isAnywhere(hostIp) && !isIp(hostIp)) {
      throw new SwarmError(
        'SWM_INVALID_ARGUMENT',
        `cannot publish port ${hostPort} on ${hostIp}: ports are published on IPv4 addresses`,
      );
    }
    try {
      const address = isAnywhere(hostIp) ? '' : hostIp;
      return this.#kernel.reservePort(HOST, protocol, address, hostPort);
    } catch (error) {
      const where = `${hostIp || '0.0.0.0'}:${hostPort}`;
      if (isKernelError(error, 'EADDRINUSE')) {
        const who = this.#holderOf(binding);
        throw new SwarmError(
          'SWM_CONFLICT',
          `Bind for ${where} failed: port is already allocated${who ? ` by ${who}` : ''}`,
          { cause: error },
        );
      }
      if (isKernelError(error, 'EADDRNOTAVAIL')) {
        throw new SwarmError(
          'SWM_INVALID_ARGUMENT',
          `Bind for ${where} failed: this host has no address ${hostIp}`,
          { cause: error },
        );
      }
      throw error;
    }
  }

  #holderOf({ protocol, hostPort }: PortBinding): string | undefined {
    for (const { name, bindings } of this.#owners.values()) {
      if (bindings.some((b) => b.protocol === protocol && b.hostPort === hostPort)) return name;
    }
    return this.#kernel.portOwner(HOST, protocol, hostPort);
  }
}

function isAnywhere(hostIp: string): boolean {
  return hostIp === '' || hostIp === '0.0.0.0' || hostIp === '::';
}
