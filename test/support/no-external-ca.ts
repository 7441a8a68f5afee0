import type { ExternalCaComponents } from '../../manager/ca/external-ca.ts';

/** For clusters that sign with a key of their own. */
export const noExternalCa: ExternalCaComponents = {
  post: () => Promise.reject(new Error('there is no external CA here')),
  tls: () => ({ rootCaPem: '', certificatePem: '', keyPem: '' }),
};
