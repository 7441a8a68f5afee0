import { CreateRequest } from '../../../proto/gen/containerd/leases.ts';
import type { ContainerdClient } from './client.ts';

const EXPIRY_MS = 24 * 3600 * 1000;

/**
 * Runs `action` under a lease of its own: what it stores is kept from containerd's garbage collector
 * until something lasting refers to it. The lease expires by itself should we be killed meanwhile.
 */
export async function withLease<T>(
  client: ContainerdClient,
  name: string,
  now: number,
  action: (lease: string) => Promise<T>,
): Promise<T> {
  const { leases } = client;
  const expire = new Date(now + EXPIRY_MS).toISOString();
  const labels = { 'containerd.io/gc.expire': expire };
  await client.call(leases, leases.create, CreateRequest.fromPartial({ id: name, labels }));
  try {
    return await action(name);
  } finally {
    await client.call(leases, leases.delete, { id: name, sync: false }).catch(() => {});
  }
}
